from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec


class Money(msgspec.Struct, frozen=True):
    """An amount of money, on the wire as `{"amount": 89.50, "currency": "EUR"}`: it can be added up by currency."""

    amount: Decimal
    """In the currency's own unit, not in cents."""

    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    """Its code of ISO 4217: `EUR`."""
