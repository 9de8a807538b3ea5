"""What the shop tells of its catalogue."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from dd_pa import Event


class SeenProduct(Struct):
    slug: str
    price: Decimal
    category: str
    in_stock: bool


class ProductViewed(Event, name="product.viewed", owner="catalogue"):
    """A product's page was shown."""

    product: SeenProduct


class Search(Struct):
    term: str
    results: int


class ProductSearched(Event, name="product.searched", owner="catalogue"):
    """Somebody looked for something, and was shown what there is."""

    search: Search


class SoldProduct(Struct):
    slug: str
    category: str


class ProductSoldOut(Event, name="product.sold_out", owner="catalogue"):
    """The last piece was sold."""

    product: SoldProduct
    changed: dict[str, Any]
