"""What the table's columns hold of an event, whichever library writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dd_pa.capture.event import MAX_NAME, BuiltEvent

ROWS = 500
"""Most rows of one insert."""

BYTES = 2_000_000
"""Most bytes of the events of one insert of several: servers limit the size of a statement, and texts of it double."""

STORAGE = "fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000"
"""Storage parameters for PostgreSQL. Each row is updated in place (HOT) when it is claimed, for which there must be
room, and is deleted soon: a fifth of the table is too much to wait for before that is cleaned up."""


def columns(event: BuiltEvent) -> dict[str, Any]:
    """Return what is inserted for an event."""
    return {
        "event_id": event.id,
        "name": ascii_text(event.name, MAX_NAME),
        "occurred_at": event.occurred_at,
        "body": event.body,
    }


def ascii_text(text: str, limit: int) -> str:
    """Return what any database can keep: a name or the intake's words may have letters that its character set lacks.

    A row that cannot be inserted would roll back the data that it belongs to. The body has the text as it is.
    """
    return "".join(c if c.isprintable() else "?" for c in text.encode("ascii", "backslashreplace").decode())[:limit]


def chunks(events: Sequence[BuiltEvent], most: int = ROWS) -> Iterator[Sequence[BuiltEvent]]:
    """Yield the events of one statement after the other, at most `most` in each."""
    start = size = 0
    for end, event in enumerate(events):
        size += len(event.body)
        if end > start and (end - start >= most or size > BYTES):
            yield events[start:end]
            start, size = end, len(event.body)
    if events:
        yield events[start:]
