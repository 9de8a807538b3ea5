"""Checked by mypy and pyright, never run: typed events as applications declare and track them."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_type

from msgspec import Struct

from dd_pa import BuiltEvent, Deprecated, Emitter, Event, Money, Personal, Settings


class Order(Struct):
    total: Decimal


class CheckoutCompleted(Event, name="checkout.completed", owner="payments"):
    """A customer has paid."""

    order: Order
    coupon: str | None = None
    email: Personal[str] | None = None


class Paid(Event, name="order.paid", deprecated=Deprecated("2027-01-31", use="checkout.completed")):
    total: Money


emitter = Emitter(Settings(application_id="app", api_key="key"))
event = CheckoutCompleted(order=Order(total=Decimal("89.50")), email="ada@example.com")
assert_type(event, CheckoutCompleted)
assert_type(event.order.total, Decimal)
assert_type(event.email, str | None)
assert_type(emitter.track(event, usr="u-1"), str | None)
assert_type(emitter.integration.build(event), BuiltEvent | None)
emitter.track(Paid(total=Money(Decimal(3), "EUR")))

CheckoutCompleted()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
CheckoutCompleted(order=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
CheckoutCompleted(order=Order(Decimal(1)), copon="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
CheckoutCompleted(Order(Decimal(1)))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
event.coupon = "SPRING"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
emitter.track(CheckoutCompleted)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
