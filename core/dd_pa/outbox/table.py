from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dd_pa.capture.event import BuiltEvent


class Row(NamedTuple):
    """A row that was claimed."""

    id: int
    body: bytes
    """The event as it was tracked."""


class Counts(NamedTuple):
    """What is in the table."""

    waiting: int
    """Rows that nobody has claimed."""

    claimed: int
    """Rows that a deliverer holds now."""

    rejected: int
    """Dead letters."""


class OutboxTable(Protocol):
    """Rows that wait in a database for deliverers of any number of processes and hosts.

    For one thread. Every call may block, and may raise whatever the database raises; each but `add` is a transaction of
    its own, READ COMMITTED whatever the project's level is: where others read consistently, none of them shall fail
    for a deliverer. Times are epoch milliseconds of the deliverer's clock: one that is wrong makes events go twice or
    late, never lost.
    """

    def add(self, events: Sequence[BuiltEvent]) -> None:
        """Insert events by as few statements as the database allows, in the transaction that is open here, if any."""
        ...

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        """Lease up to `limit` of the oldest waiting rows to `owner` until `until`; nobody else gets those before.

        A row whose lease has run out waits again. Never blocks on rows that others claim at this moment. Where there
        is much to do, rows older than those that were claimed before are looked for now and then only (`LowWater`).
        """
        ...

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> list[int]:
        """Lease rows that `owner` still holds for longer, and return their ids; others may hold the rest by now."""
        ...

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        """Let rows that `owner` still holds wait again."""
        ...

    def settle(self, ids: Sequence[int]) -> None:
        """Delete rows: their events were delivered, or given up for their age."""
        ...

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        """Keep rows as dead letters. `reason` has at most 100 characters, `detail` 400, all of them printable ASCII."""
        ...

    def prune(self, before: int, *, batch: int = 1000) -> int:
        """Delete the dead letters that were rejected before a time, by statements of `batch` rows; return how many."""
        ...

    def counts(self, now: int) -> Counts:
        """Count the rows."""
        ...

    def oldest(self) -> int | None:
        """Return when the event of the oldest row occurred that is no dead letter; None if there is no such row.

        Rows with a moment that no clock shows are passed over: somebody else has written them.
        """
        ...

    def reset(self) -> None:
        """Drop a connection on which a call has failed. Never raises."""
        ...
