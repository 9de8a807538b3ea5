from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dd_pa.capture.event import BuiltEvent
from dd_pa.store.event_queue import EventQueue


class Counts(NamedTuple):
    """What is in the table."""

    waiting: int
    """Rows that nobody has claimed."""

    claimed: int
    """Rows that a deliverer holds now."""

    rejected: int
    """Dead letters."""


class OutboxTable(EventQueue, Protocol):
    """Rows that wait in a database for deliverers of any number of processes and hosts.

    Each call but `add` is a transaction of its own, READ COMMITTED whatever the project's level is: where others read
    consistently, none of them shall fail for a deliverer. Where there is much to do, `claim()` looks now and then only
    for rows older than those that were claimed before (`LowWater`).
    """

    def add(self, events: Sequence[BuiltEvent]) -> None:
        """Insert events by as few statements as the database allows, in the transaction that is open here, if any."""
        ...

    def prune(self, before: int, *, batch: int = 1000) -> int:
        """Delete the dead letters that were rejected before a time, by statements of `batch` rows; return how many."""
        ...

    def counts(self, now: int) -> Counts:
        """Count the rows."""
        ...
