from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from dd_pa.outbox.outbox_store import OutboxStore
from dd_pa.store.event_queue import EventQueue

T = TypeVar("T")

BATCH = 250
"""Most rows of one claim, and of one statement."""


class Lessee:
    """Leases rows of a table for a store, and writes down what became of them. For one thread; blocks on the database.

    `batch` is the most rows that wait in the store. `clock` is that of the leases here, in seconds; `wall` the one that
    deliverers compare, in epoch milliseconds.
    """

    def __init__(
        self,
        table: EventQueue,
        store: OutboxStore,
        *,
        owner: str,
        lease: float,
        batch: int = BATCH,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._table, self._store = table, store
        self._owner, self._lease, self._batch = owner, lease, batch
        self._clock, self.wall = clock, wall
        self.renew_at = clock() + lease / 3
        """When on `clock` the leases are to be renewed."""

    def claim(self) -> tuple[int, bool]:
        """Fill the store; return how many rows there were, and whether there may be more."""
        limit = max(0, self._batch - self._store.waiting)
        leased_until = self._clock() + self._lease
        if not limit:
            return 0, True
        rows = self._table.claim(limit, owner=self._owner, now=self.wall(), until=self._lease_end())
        self._store.give(rows, leased_until)
        return len(rows), len(rows) == limit

    def renew(self) -> None:
        """Renew the leases of what is on its way; what others have taken meanwhile is theirs."""
        leased_until = self._clock() + self._lease
        for batch in _batches(self._store.rows):
            kept = set(self._table.renew(batch, owner=self._owner, until=self._lease_end()))
            self._store.renew(kept, [row for row in batch if row not in kept], leased_until)
        self.renew_at = self._clock() + self._lease / 3

    def _lease_end(self) -> int:
        return self.wall() + int(self._lease * 1000)

    def write(self) -> None:
        """Write down what was settled and rejected; what cannot be written stays noted."""
        for batch in _batches(self._store.settled):
            self._table.settle(batch)
            _forget(self._store.settled, len(batch))
        for (reason, detail), group in itertools.groupby(list(self._store.rejected), key=lambda item: item[1:]):
            for batch in _batches([row for row, _, _ in group]):
                self._table.reject(batch, reason=reason, detail=detail, now=self.wall())
                _forget(self._store.rejected, len(batch))

    def release(self, rows: Sequence[int]) -> None:
        """Give rows back."""
        for batch in _batches(rows):
            self._table.release(batch, owner=self._owner)


def _batches(rows: Sequence[int]) -> Iterator[list[int]]:
    rows = list(rows)
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _forget(items: deque[T], count: int) -> None:
    for _ in range(count):
        items.popleft()
