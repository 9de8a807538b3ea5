from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse

from dd_pa_django import TrackedQuerySet, track_model
from example_project.django_shop.catalogue.models import Product
from example_project.django_shop.customers.models import Company
from example_project.django_shop.orders.events import OrderShipped, ShippedOrder


def facts(order: Order) -> dict[str, Any]:
    return {"order": ShippedOrder(id=order.number, total=order.total, currency=order.currency)}


def buyer(order: Order) -> dict[str, Any]:
    """Name whose event it is: it is the staff who ship, and the customer whose journey goes on."""
    return {"usr": order.placed_by_id, "account": order.company.handle}


@track_model(updated={"status": {"shipped": OrderShipped}}, attributes=facts, identity=buyer)
class Order(models.Model):
    """What a company bought."""

    class Status(models.TextChoices):
        PAID = "paid", "Paid"
        SHIPPED = "shipped", "Shipped"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="orders")
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PAID)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3, default="EUR")
    payment = models.CharField(max_length=40, help_text="The payment provider's reference.")

    objects = TrackedQuerySet.as_manager()  # the admin ships many by one update()

    class Meta:
        ordering = ("-placed_at", "-pk")

    def __str__(self) -> str:
        return f"Order {self.number}"

    def get_absolute_url(self) -> str:
        return reverse("order", args=[self.number])

    @property
    def number(self) -> int:
        return 1000 + self.pk


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()
    price = models.DecimalField(max_digits=8, decimal_places=2, help_text="Of one, on the day.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["order", "product"], name="one_line_per_product"),)

    def __str__(self) -> str:
        return f"{self.quantity} of {self.product_id}"

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity
