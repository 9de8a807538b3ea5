from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from dd_pa.capture.event import Event


class _Entry(NamedTuple):
    number: int
    end: int
    """Bytes put so far, with this event's."""

    event: Event

    @property
    def begin(self) -> int:
        return self.end - len(self.event.body)


class MemoryStore:
    """A bounded buffer: any thread puts, one delivery thread takes and settles. See `Store` for what each does.

    It needs no lock: each step is one atomic operation of a deque, a dict or a counter. Under a race of several
    threads the bounds can be passed by as many events as there are threads; as the bytes that wait are the distance
    between the first entry and the last, what a race gets wrong goes with its entries. One event is kept, of any size.
    """

    patience: float | None = None
    durable = False
    balance = 0
    bytes = 0

    def __init__(
        self,
        *,
        size: int,
        max_bytes: int = 32 * 1024 * 1024,
        drop_newest: bool,
        on_overflow: Callable[[Event], None],
    ) -> None:
        self._size, self._max_bytes = size, max_bytes
        self._end = 0
        self._drop_newest = drop_newest
        self._on_overflow = on_overflow
        self._numbers = itertools.count(1)
        self._waiting: deque[_Entry] = deque()
        self._taken: dict[str, _Entry] = {}

    def put(self, event: Event) -> bool:
        """Append an event; return False if it was dropped because the buffer is full. Never blocks."""
        while self._is_full(len(event.body)):
            if not self._make_room():
                self._on_overflow(event)
                return False
        self._end = end = self._end + len(event.body)
        self._waiting.append(_Entry(next(self._numbers), end, event))
        return True

    def _is_full(self, more: int) -> bool:
        try:
            waiting = self._waiting[-1].end - self._waiting[0].begin
        except IndexError:
            return False
        return len(self._waiting) >= self._size or waiting + more > self._max_bytes

    def _make_room(self) -> bool:
        if self._drop_newest:
            return False
        try:
            oldest = self._waiting.popleft().event
        except IndexError:  # the delivery thread was quicker
            return True
        self._on_overflow(oldest)
        return True

    def take(self, limit: int) -> list[Event]:
        """Move up to `limit` events, oldest first, into the hands of the delivery thread."""
        events: list[Event] = []
        while len(events) < limit and self._waiting:
            try:
                entry = self._waiting.popleft()
            except IndexError:  # displaced by a full buffer a moment ago
                break
            self._taken[entry.event.id] = entry
            events.append(entry.event)
        return events

    def settle(self, event: Event) -> None:
        """Forget a taken event: it was delivered, rejected or dropped."""
        self._taken.pop(event.id, None)

    def reject(self, event: Event, reason: str, detail: str) -> bool:
        """Forget a taken event that the intake refused."""
        self.settle(event)
        return True

    def tend(self) -> None:
        """Nothing is due here."""

    def keep(self, event: Event) -> bool:
        """Nothing survives the end here."""
        return False

    def hand_back(self, event: Event) -> bool:
        """All events are this process's own."""
        return False

    def close(self) -> None:
        """Nothing is open here."""

    def mark(self) -> int:
        """Return a mark that lies behind every event put so far; see `passed`."""
        return next(self._numbers)

    def passed(self, mark: int) -> bool:
        """Tell, on the delivery thread, whether every event put before the mark has been settled."""
        return all(entry.number > mark for entry in self._unsettled())

    def _unsettled(self) -> list[_Entry]:
        taken = list(self._taken.values())
        try:
            return [self._waiting[0], *taken]
        except IndexError:
            return taken

    @property
    def waiting(self) -> int:
        """Number of events that nobody has taken."""
        return len(self._waiting)

    @property
    def pending(self) -> int:
        """Number of events put and not settled."""
        return len(self._waiting) + len(self._taken)

    def oldest(self) -> int | None:
        """Return when the oldest unsettled event occurred, in epoch milliseconds."""
        return min((entry.event.occurred_at for entry in self._unsettled()), default=None)

    def drain(self) -> list[Event]:
        """Remove and return every unsettled event, taken or not; for the end of the process."""
        entries: list[_Entry] = []
        with contextlib.suppress(KeyError):
            while True:
                entries.append(self._taken.popitem()[1])
        with contextlib.suppress(IndexError):
            while True:
                entries.append(self._waiting.popleft())
        return [entry.event for entry in sorted(entries, key=lambda entry: entry.number)]

    def reclaim(self) -> None:
        """Put taken events back in front; for a delivery that starts again."""
        first = self._waiting[0].begin if self._waiting else self._end
        for entry in sorted(self._taken.values(), key=lambda item: item.number, reverse=True):
            moved = entry._replace(end=first)  # next to the others: what was settled between them takes no room
            self._waiting.appendleft(moved)
            first = moved.begin
        self._taken.clear()
