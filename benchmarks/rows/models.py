from __future__ import annotations

from typing import Any

from auditlog.registry import auditlog
from django.apps import apps
from django.db import models
from simple_history.models import HistoricalRecords

from dd_pa_django import TrackedQuerySet, track_model


class Order(models.Model):
    """What all have in common."""

    status = models.CharField(max_length=20, default="new")
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    note = models.TextField(default="")
    customer = models.IntegerField(default=7)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"order {self.pk}"


class PlainOrder(Order):
    """Of which nobody writes anything down."""


@track_model(created="order.placed", updated={"status": "order.status_changed"}, attributes=["id", "total"])
class TrackedOrder(Order):
    """Ours."""

    objects = TrackedQuerySet.as_manager()


class AuditedOrder(Order):
    """Of django-auditlog."""


auditlog.register(AuditedOrder, include_fields=["status"])


class HistoricOrder(Order):
    """Of django-simple-history, which copies whole rows."""

    history = HistoricalRecords()


MODELS: dict[str, Any] = {
    "plain Django": PlainOrder,
    "dd-pa": TrackedOrder,
    "django-auditlog": AuditedOrder,
    "django-simple-history": HistoricOrder,
}
"""By library."""

if apps.is_installed("pghistory"):
    import pghistory

    @pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent())
    class TriggeredOrder(Order):
        """Of django-pghistory, whose triggers copy whole rows."""

    MODELS["django-pghistory"] = TriggeredOrder
