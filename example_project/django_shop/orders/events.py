"""What the shop tells of carts and orders: the funnel that earns its money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from dd_pa import Event


class CartTotals(Struct):
    total: Decimal
    currency: str
    items: int


class AddedProduct(Struct):
    slug: str
    price: Decimal
    quantity: int


class CartItemAdded(Event, name="cart.item_added", owner="checkout"):
    """Something was put into the cart."""

    product: AddedProduct
    cart: CartTotals


class CheckoutStarted(Event, name="checkout.started", owner="checkout"):
    """The card form was shown."""

    cart: CartTotals


class Payment(Struct):
    method: Literal["card"] = "card"


class FailedPayment(Struct):
    reason: str
    method: Literal["card"] = "card"


class PaymentFailed(Event, name="payment.failed", owner="checkout"):
    """The card was declined; nothing was sold."""

    payment: FailedPayment
    cart: CartTotals


class Failure(Struct):
    reason: Literal["out_of_stock"]


class MissingProduct(Struct):
    slug: str


class CheckoutFailed(Event, name="checkout.failed", owner="checkout"):
    """Somebody else was faster; the money went back."""

    checkout: Failure
    product: MissingProduct


class PaidOrder(Struct):
    id: int
    total: Decimal
    currency: str
    items: int


class CheckoutCompleted(Event, name="checkout.completed", owner="checkout"):
    """An order is placed and paid."""

    order: PaidOrder
    payment: Payment


class ShippedOrder(Struct):
    id: int
    total: Decimal
    currency: str


class OrderShipped(Event, name="order.shipped", owner="packing"):
    """The parcel has left: part of the customer's journey, whoever of the staff has packed it."""

    order: ShippedOrder
    changed: dict[str, Any]
