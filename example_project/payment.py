"""A payment provider that knows test cards only. Card numbers are neither stored nor logged nor sent anywhere."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from decimal import Decimal

DECLINED = {"4000000000000002": "card_declined", "4000000000009995": "insufficient_funds"}


class PaymentDeclinedError(Exception):
    """The card was not charged; `reason` is the provider's word for why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def charge(card: str, amount: Decimal) -> str:
    """Take the money and return the payment's reference. Raises PaymentDeclinedError."""
    if card in DECLINED:
        raise PaymentDeclinedError(DECLINED[card])
    return f"pay_{secrets.token_hex(8)}"


def refund(reference: str) -> None:
    """Give the money back."""


def card_number(text: str) -> str:
    """Return the digits of a card number. Raises ValueError if it is none."""
    digits = re.sub(r"[ -]", "", text)
    if not re.fullmatch(r"[0-9]{13,19}", digits) or not _passes_luhn(digits):
        raise ValueError("This is not a card number.")
    return digits


def check_expiry(text: str) -> None:
    """Check a date such as 04/31. Raises ValueError that says what is wrong."""
    found = re.fullmatch(r"(0[1-9]|1[0-2]) ?/ ?([0-9]{2})", text.strip())
    if not found:
        raise ValueError("Write it as MM/YY.")
    today = dt.datetime.now(dt.UTC).date()
    if (2000 + int(found[2]), int(found[1])) < (today.year, today.month):
        raise ValueError("This card has expired.")


def check_cvc(text: str) -> None:
    """Check a security code. Raises ValueError that says what is wrong."""
    if not re.fullmatch(r"[0-9]{3,4}", text.strip()):
        raise ValueError("Three or four digits.")


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
