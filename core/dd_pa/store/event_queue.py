"""Where any number of deliverers on any hosts take events from: an outbox, or a broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Row(NamedTuple):
    """An event that was claimed."""

    id: int
    body: bytes
    """The event as it was tracked."""


class EventQueue(Protocol):
    """Events that are leased to deliverers.

    For one thread. Every call may block, and may raise whatever the database or broker raises. Times are epoch
    milliseconds of the deliverer's clock: one that is wrong makes events go twice or late, never lost.
    """

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        """Lease up to `limit` of the oldest waiting rows to `owner` until `until`; nobody else gets those before.

        A row whose lease has run out waits again. Never blocks on rows that others claim at this moment.
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

    def oldest(self) -> int | None:
        """Return when the event of the oldest row occurred that is no dead letter; None if there is no such row.

        Rows with a moment that no clock shows are passed over: somebody else has written them.
        """
        ...

    def reset(self) -> None:
        """Drop a connection on which a call has failed. Never raises."""
        ...
