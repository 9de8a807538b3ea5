from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable

from dd_pa.capture.event import Event


class MemoryStore:
    """A bounded buffer: any thread puts, one delivery thread takes and settles. See `Store` for what each does.

    It needs no lock: each step is one atomic operation of a deque, a dict or a counter. Under a race of several
    threads the bound can be passed by as many events as there are threads.
    """

    patience: float | None = None
    durable = False
    balance = 0
    bytes = 0

    def __init__(self, *, size: int, drop_newest: bool, on_overflow: Callable[[Event], None]) -> None:
        self._size = size
        self._drop_newest = drop_newest
        self._on_overflow = on_overflow
        self._numbers = itertools.count(1)
        self._waiting: deque[tuple[int, Event]] = deque()
        self._taken: dict[str, tuple[int, Event]] = {}

    def put(self, event: Event) -> bool:
        """Append an event; return False if it was dropped because the buffer is full. Never blocks."""
        if len(self._waiting) >= self._size and not self._make_room():
            self._on_overflow(event)
            return False
        self._waiting.append((next(self._numbers), event))
        return True

    def _make_room(self) -> bool:
        if self._drop_newest:
            return False
        try:
            _, oldest = self._waiting.popleft()
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
            self._taken[entry[1].id] = entry
            events.append(entry[1])
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
        return all(number > mark for number, _ in self._unsettled())

    def _unsettled(self) -> list[tuple[int, Event]]:
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
        return min((event.occurred_at for _, event in self._unsettled()), default=None)

    def drain(self) -> list[Event]:
        """Remove and return every unsettled event, taken or not; for the end of the process."""
        entries: list[tuple[int, Event]] = []
        with contextlib.suppress(KeyError):
            while True:
                entries.append(self._taken.popitem()[1])
        with contextlib.suppress(IndexError):
            while True:
                entries.append(self._waiting.popleft())
        return [event for _, event in sorted(entries, key=lambda entry: entry[0])]

    def reclaim(self) -> None:
        """Put taken events back in front; for a delivery that starts again."""
        for entry in sorted(self._taken.values(), key=lambda item: item[0], reverse=True):
            self._waiting.appendleft(entry)
        self._taken.clear()
