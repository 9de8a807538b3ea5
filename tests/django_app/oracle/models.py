"""Tables whose every change is written down by triggers, too."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.signals import post_save, pre_save

from dd_pa_django import TrackedQuerySet, track_model


class Owner(models.Model):
    name = models.CharField(max_length=9)

    def __str__(self) -> str:
        return self.name


class Shelf(models.Model):
    """Its items go with it."""

    def __str__(self) -> str:
        return f"shelf {self.pk}"


class Tag(models.Model):
    def __str__(self) -> str:
        return f"tag {self.pk}"


KEEPER = -1
"""The owner who is always there."""


def row(item: Item) -> dict[str, Any]:
    """Which row an event is about."""
    return {"row": f"{item._state.db}/{item.pk}"}


class Item(models.Model):
    status = models.CharField(max_length=9, default="new")
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(null=True)
    stock = models.IntegerField(db_default=3)
    twice = models.GeneratedField(expression=models.F("stock") * 2, output_field=models.IntegerField(), db_persist=True)
    note = models.CharField(max_length=9, default="")
    place = models.CharField(max_length=99, default="")
    owner = models.ForeignKey(Owner, models.SET_NULL, null=True, related_name="items")
    keeper = models.ForeignKey(Owner, models.SET_DEFAULT, default=KEEPER, null=True, related_name="kept")
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True)
    tags = models.ManyToManyField(Tag)
    peers = models.ManyToManyField("self")

    objects = TrackedQuerySet.as_manager()

    class Meta:
        ordering = ("owner__name", "-pk")

    def __str__(self) -> str:
        return f"item {self.pk}"


def settle(sender: type[Item], instance: Item, using: str, **kwargs: Any) -> None:
    """Write down in which database a row is."""
    instance.place = using


class Meddled(Exception):  # noqa: N818 - no error of ours
    """What somebody else's receiver raises."""


def meddle(sender: type[Item], instance: Item, created: bool, **kwargs: Any) -> None:
    """Do what receivers of others do, who were there first."""
    if instance.note == "again":
        instance.note = ""
        instance.status = "again"
        instance.save()
    elif instance.note == "raise":
        instance.note = ""
        raise Meddled


class QuickItem(Item):
    """A proxy."""

    class Meta:
        proxy = True


class Gift(Item):
    """With a table of its own."""

    greeting = models.CharField(max_length=9, default="")


for _model in (Item, QuickItem, Gift):
    pre_save.connect(settle, sender=_model)
    post_save.connect(meddle, sender=_model)

track_model(
    Item,
    created="item.made",
    updated={
        "status": "item.changed",
        "total": "item.changed",
        "owner": "item.owner",
        "tags": "item.tags",
        "peers": "item.peers",
    },
    deleted="item.gone",
    attributes=row,
    identity=lambda _: {"usr": "u-1"},
)
SAID = ("status", "total", "stock", "twice")
"""Columns that the events below carry, whichever of them has changed."""

# Without callables, so that many rows are told of column by column, and not by their objects.
track_model(
    Item,
    created="item.listed",
    updated={"data": "item.data", "at": "item.at", "keeper": "item.keeper", "stock": "item.stock"},
    deleted="item.left",
    attributes=["id", "place", *SAID],
)

track_model(Shelf, created="shelf.made", deleted="shelf.gone")
"""Of which nothing is followed, and no column carried: nothing is read before it is deleted."""
