"""The signals that dd-pa sends, to connect receivers to; `dd_pa.observe.signals` says when and on which thread."""

from __future__ import annotations

from dd_pa.observe.signals import (
    delivery_paused,
    delivery_resumed,
    event_delivered,
    event_dropped,
    event_queued,
    event_rejected,
)

__all__ = [
    "delivery_paused",
    "delivery_resumed",
    "event_delivered",
    "event_dropped",
    "event_queued",
    "event_rejected",
]
