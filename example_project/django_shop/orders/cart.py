from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpRequest

from example_project.django_shop.catalogue.models import Product
from example_project.django_shop.orders.events import CartTotals

CURRENCY = "EUR"
MOST_OF_ONE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    product: Product
    quantity: int

    @property
    def total(self) -> Decimal:
        return self.product.price * self.quantity


class Cart:
    """What the visitor means to buy, kept in Django's session as `{slug: quantity}`; it survives sign-in."""

    def __init__(self, request: HttpRequest) -> None:
        self._session = request.session
        self._quantities: dict[str, int] = dict(request.session.get("cart", {}))

    def __iter__(self) -> Iterator[CartLine]:
        for product in Product.objects.filter(slug__in=self._quantities):
            yield CartLine(product=product, quantity=self._quantities[product.slug])

    def __len__(self) -> int:
        return sum(self._quantities.values())

    def quantity_of(self, product: Product) -> int:
        return self._quantities.get(product.slug, 0)

    def put(self, product: Product, quantity: int) -> None:
        """Set how many of a product are wanted; 0 takes it out."""
        self._quantities[product.slug] = min(quantity, MOST_OF_ONE)
        if quantity <= 0:
            del self._quantities[product.slug]
        self._session["cart"] = self._quantities

    def clear(self) -> None:
        self._quantities = {}
        self._session.pop("cart", None)

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self), Decimal(0))

    def for_analytics(self) -> CartTotals:
        return CartTotals(total=self.total, currency=CURRENCY, items=len(self))


def in_cart(request: HttpRequest) -> dict[str, int]:
    """Give every page the number on the cart."""
    return {"in_cart": len(Cart(request))}
