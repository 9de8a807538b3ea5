"""A Celery application whose tasks track events."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

from dd_pa import Emitter, Settings

app: Any = Celery("shop", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.task_default_queue = os.environ["QUEUE"]
app.conf.broker_connection_retry_on_startup = True
emitter = Emitter(Settings.from_env())
emitter.track("worker.loaded", usr="u-1")


def _order(number: int) -> str | None:
    """Track an event and return its id."""
    return emitter.track("order.placed", {"number": number}, usr="u-1")


order: Any = app.task(_order, name="order")
