from __future__ import annotations

from typing import ClassVar

from django.db import models


class Purchase(models.Model):
    """One for each event that was committed."""

    objects: ClassVar[models.Manager[Purchase]] = models.Manager()

    event_id = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.event_id
