"""Tables with keys and fields of other kinds than those of the oracle's items."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from dd_pa_django import TrackedQuerySet, track_model


class LowerField(models.CharField):  # type: ignore[type-arg]  # generic in the stubs only
    """A field of the application's own, which changes what it writes."""

    def get_prep_value(self, value: Any) -> Any:
        """Write small letters."""
        written = super().get_prep_value(value)
        return written.lower() if isinstance(written, str) else written


class Parcel(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    status = models.CharField(max_length=9, default="new")
    code = LowerField(max_length=9, default="x")
    weight = models.IntegerField(default=1)
    double = models.GeneratedField(
        expression=models.F("weight") * 2, output_field=models.IntegerField(), db_persist=True
    )
    data = models.JSONField(default=dict)
    within = models.ForeignKey("self", models.SET_NULL, null=True)

    objects = TrackedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"parcel {self.pk}"


class ParcelLine(models.Model):
    pk = models.CompositePrimaryKey("parcel_id", "number")
    parcel = models.ForeignKey(Parcel, models.CASCADE)
    number = models.IntegerField()
    count = models.IntegerField(default=1)

    objects = TrackedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"line {self.number}"


class Place(models.Model):
    name = models.CharField(max_length=9, default="p")

    def __str__(self) -> str:
        return self.name


class Cafe(Place):
    tables = models.IntegerField(default=1)


class Bar(Cafe):
    beers = models.IntegerField(default=1)


class QuickPlace(Place):
    class Meta:
        proxy = True


track_model(
    Parcel,
    created="parcel.made",
    updated=dict.fromkeys(("status", "code", "data", "within"), "parcel.changed"),
    deleted="parcel.gone",
    attributes=["weight", "double"],
)
track_model(
    ParcelLine,
    created="line.made",
    updated={"count": "line.changed"},
    deleted="line.gone",
    attributes=["parcel", "number"],
)
track_model(Place, created="place.made", updated={"name": "place.changed"}, deleted="place.gone", attributes=["id"])
