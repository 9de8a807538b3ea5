from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage
from django.db import models


class OutboxEvent(models.Model):
    """An event that waits in the database, or was given up. Delivered ones are deleted.

    Rows are written by `track()`, claimed and settled by `manage.py dd_pa_deliver`. Times are epoch milliseconds, as
    several deliverers compare them, whatever USE_TZ and the database make of times.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        REJECTED = "rejected", "rejected"

    id = models.BigAutoField(primary_key=True)
    event_id = models.CharField("event id", max_length=32)
    name = models.CharField("name", max_length=512)
    occurred_at = models.BigIntegerField("occurred at")
    body = models.BinaryField("event")
    state = models.CharField("state", max_length=8, choices=State, db_default=State.WAITING)
    claims = models.PositiveIntegerField("taken", db_default=0)
    claimed_by = models.CharField("claimed by", max_length=80, db_default="", blank=True)
    claimed_until = models.BigIntegerField("claimed until", db_default=0)
    rejected_at = models.BigIntegerField("rejected at", null=True, blank=True)
    reason = models.CharField("reason", max_length=100, db_default="", blank=True)
    detail = models.CharField("detail", max_length=400, db_default="", blank=True)

    class Meta:
        db_table = "dd_pa_outbox"
        default_permissions = ("view",)
        permissions = (("retry_outboxevent", "Can have rejected events delivered again"),)
        verbose_name = "outbox event"
        verbose_name_plural = "outbox events"
        indexes = (
            models.Index(fields=["state", "id"], name="dd_pa_outbox_waiting", condition=models.Q(state="waiting")),
            models.Index(fields=["state", "id"], name="dd_pa_outbox_rejected", condition=models.Q(state="rejected")),
        )

    def __str__(self) -> str:
        return f"{escape_invisible(str(self.name))} {self.event_id}"

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """Leave out the warning that MariaDB and MySQL have one index of all rows, which serves both purposes."""
        return [message for message in super().check(**kwargs) if message.id != "models.W037"]


def escape_invisible(text: str) -> str:
    """Return a text with letters that cannot be seen, or that turn others around, spelled out; newlines stay."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode-escape").decode()
        for letter in text
    )
