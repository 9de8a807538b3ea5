"""Turning a cart into an order: all of it happens, or none of it, the event included."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from dd_pa_django import track
from example_project import payment
from example_project.django_shop.catalogue.models import Product
from example_project.django_shop.orders.cart import CURRENCY, Cart, CartLine
from example_project.django_shop.orders.events import CheckoutCompleted, PaidOrder, Payment
from example_project.django_shop.orders.models import Order, OrderLine


class OutOfStockError(Exception):
    """Somebody else was faster; nothing was sold."""

    def __init__(self, product: Product) -> None:
        super().__init__(product.slug)
        self.product = product


def place_order(user: User, cart: Cart, card: str) -> Order:
    """Charge the card and sell the cart, or raise PaymentDeclinedError or OutOfStockError and sell nothing."""
    lines, total = list(cart), cart.total
    reference = payment.charge(card, total)
    try:
        with transaction.atomic():
            order = Order.objects.create(
                company=user.membership.company, placed_by=user, total=total, currency=CURRENCY, payment=reference
            )
            paid = PaidOrder(id=order.number, total=total, currency=CURRENCY, items=len(cart))
            track(CheckoutCompleted(order=paid, payment=Payment()))
            for line in lines:
                sell(order, line)
    except OutOfStockError:
        payment.refund(reference)
        raise
    return order


def sell(order: Order, line: CartLine) -> None:
    """Take a line from stock, or undo the whole order."""
    in_stock = Product.objects.filter(pk=line.product.pk, stock__gte=line.quantity)
    if not in_stock.update(stock=F("stock") - line.quantity):
        raise OutOfStockError(line.product)
    OrderLine.objects.create(order=order, product=line.product, quantity=line.quantity, price=line.product.price)
