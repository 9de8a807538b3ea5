from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from dd_pa_django import TrackedQuerySet, track_model


class Customer(models.Model):
    name = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.name


def owner(order: Order) -> dict[str, Any] | None:
    """Whose order it is; nobody's if there is no customer."""
    return None if order.customer_id is None else {"usr": order.customer_id, "account": "acme"}


@track_model(
    created="order.placed",
    updated={"status": "order.status_changed", "total": "order.repriced", "customer": "order.handed_over"},
    deleted="order.cancelled",
    attributes=["id", "status"],
    identity=owner,
)
class Order(models.Model):
    status = models.CharField(max_length=20, default="new")
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    note = models.TextField(default="")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True)

    objects = TrackedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"order {self.pk}"


class RushOrder(Order):
    """A proxy."""

    class Meta:
        proxy = True


class GiftOrder(Order):
    """With a table of its own."""

    greeting = models.TextField(default="")


@track_model(created="coupon.issued")
class Coupon(models.Model):
    """Without a field to follow: nothing is kept of it, and its rows are deleted without being read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    code = models.CharField(max_length=20, unique=True)

    objects = TrackedQuerySet.as_manager()

    def __str__(self) -> str:
        return self.code


@track_model(created="document.filed", updated={"title": "document.renamed"}, deleted="document.shredded")
class Document(models.Model):
    """What subclasses have in common."""

    title = models.CharField(max_length=40)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.title


class Invoice(Document):
    """The first table of its line."""


class CreditNote(Invoice):
    """A second table for the same object."""

    reason = models.TextField(default="")


class Tag(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


@track_model(
    updated={
        "tags": "article.tagged",
        "body": "article.edited",
        "fields": "article.edited",
        "upload": "article.illustrated",
    },
    attributes=lambda article: {"article": {"id": article.pk}},
)
class Article(models.Model):
    body = models.TextField(default="")
    fields = models.JSONField(default=dict)
    upload = models.FileField(null=True)
    tags = models.ManyToManyField(Tag)

    def __str__(self) -> str:
        return self.body


class Message(models.Model):
    """Declared by nobody yet: tests do."""

    text = models.TextField(default="")

    def __str__(self) -> str:
        return self.text


class ShortMessage(Message):
    """A proxy whose events are its own."""

    class Meta:
        proxy = True


track_model(ShortMessage, created="message.sent_short")


class Freight(models.Model):
    """What is sent somewhere."""

    status = models.CharField(max_length=20, default="new")
    weight = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    data = models.JSONField(default=dict)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True)

    objects = TrackedQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ("customer__name", "-pk")

    def __str__(self) -> str:
        return f"freight {self.pk}"


class Parcel(Freight):
    """Its declaration asks for columns only: no objects are made of rows for it."""


class Crate(Freight):
    """The same, but its callable wants to see the object."""


for _freight, _attributes in (
    (Parcel, ["id", "weight", "customer"]),
    (Crate, lambda it: {"freight": {"id": it.pk, "weight": it.weight, "customer": it.customer_id}}),
):
    track_model(
        _freight,
        created="freight.made",
        updated={
            "status": {"paid": "freight.paid", "sent": "freight.sent"},
            "weight": "freight.weighed",
            "data": "freight.weighed",
            "customer": "freight.handed_over",
        },
        attributes=_attributes,
        label="freight",
    )
