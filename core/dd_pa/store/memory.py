from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence

from dd_pa.capture.event import BuiltEvent
from dd_pa.process.atomic_counter import steps
from dd_pa.process.uptime import uptime

_Entry = tuple[int, int, BuiltEvent, float]
"""Number, bytes put so far with this event's, the event, and the uptime. A plain tuple: making it is a good part of
`put()`."""


class MemoryStore:
    """A bounded buffer: any thread puts, one delivery thread takes and settles. See `Store` for what each does.

    It needs no lock: each step is one atomic operation of a deque, a dict or a counter. Under a race of several
    threads the bounds can be passed by as many events as there are threads; as the bytes that wait are the distance
    between the last entry that left and the last that came, what a race gets wrong goes with its entries. One event is
    kept, of any size.
    """

    patience: float | None = None
    durable = False
    recalls = 0
    balance = 0
    bytes = 0

    def __init__(
        self,
        *,
        size: int,
        max_bytes: int = 32 * 1024 * 1024,
        drop_newest: bool,
        on_overflow: Callable[[BuiltEvent], None],
        uptime: Callable[[], float] = uptime,
    ) -> None:
        self._uptime = uptime
        self._size, self._max_bytes = size, max_bytes
        self._end = 0
        """Bytes put so far."""

        self._limit = max_bytes
        """What they may come to: as much more than what waits no more."""

        self._drop_newest = drop_newest
        self._on_overflow = on_overflow
        self._numbers = steps()
        self._waiting: deque[_Entry] = deque()
        self._taken: dict[str, _Entry] = {}

    def put(self, event: BuiltEvent) -> bool:
        """Append an event; return False if it was dropped because the buffer is full. Never blocks."""
        end = self._end + len(event.body)
        if end > self._limit or len(self._waiting) >= self._size:
            if not self._has_made_room(len(event.body)):
                self._on_overflow(event)
                return False
            end = self._end + len(event.body)
        self._end = end
        number, uptime = self._numbers, self._uptime  # quicker to call than as attributes
        self._waiting.append((number(), end, event, uptime()))
        return True

    def put_first(self, events: Sequence[BuiltEvent]) -> int:
        """Keep none: here it takes no call of the system, and each may find the buffer full."""
        return 0

    def _has_made_room(self, more: int) -> bool:
        while self._waiting and (self._end + more > self._limit or len(self._waiting) >= self._size):
            if self._drop_newest:
                return False
            with contextlib.suppress(IndexError):  # the delivery thread was quicker
                oldest = self._leave(self._waiting.popleft())
                self._on_overflow(oldest)
        if not self._waiting:  # one event is kept, of any size
            self._limit = self._end + self._max_bytes
        return True

    def _leave(self, entry: _Entry) -> BuiltEvent:
        _, left, event, _ = entry
        self._limit = left + self._max_bytes
        return event

    def take(self, limit: int) -> list[BuiltEvent]:
        """Move up to `limit` events, oldest first, into the hands of the delivery thread."""
        events: list[BuiltEvent] = []
        while len(events) < limit and self._waiting:
            try:
                entry = self._waiting.popleft()
            except IndexError:  # displaced by a full buffer a moment ago
                break
            event = self._leave(entry)
            self._taken[event.id] = entry
            events.append(event)
        return events

    def age(self, event: BuiltEvent) -> float | None:
        """Return the seconds since a taken event was put."""
        entry = self._taken.get(event.id)
        return None if entry is None else self._uptime() - entry[3]

    def settle(self, event: BuiltEvent) -> None:
        """Forget a taken event: it was delivered, rejected or dropped."""
        self._taken.pop(event.id, None)

    def reject(self, event: BuiltEvent, reason: str, detail: str) -> bool:
        """Forget a taken event that the intake refused."""
        self.settle(event)
        return True

    def tend(self) -> None:
        """Nothing is due here."""

    def keep(self, event: BuiltEvent) -> bool:
        """Nothing survives the end here."""
        return False

    def hand_back(self, event: BuiltEvent) -> bool:
        """All events are this process's own."""
        return False

    def close(self) -> None:
        """Nothing is open here."""

    def mark(self) -> int:
        """Return a mark that lies behind every event put so far; see `passed`."""
        return self._numbers()

    def passed(self, mark: int) -> bool:
        """Tell, on the delivery thread, whether every event put before the mark has been settled."""
        return all(entry[0] > mark for entry in self._unsettled())

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
        return min((entry[2].occurred_at for entry in self._unsettled()), default=None)

    def drain(self) -> list[BuiltEvent]:
        """Remove and return every unsettled event, taken or not; for the end of the process."""
        entries: list[_Entry] = []
        with contextlib.suppress(KeyError):
            while True:
                entries.append(self._taken.popitem()[1])
        with contextlib.suppress(IndexError):
            while True:
                entries.append(self._waiting.popleft())
        self._limit = self._end + self._max_bytes
        return [entry[2] for entry in sorted(entries)]

    def reclaim(self) -> None:
        """Put taken events back in front; for a delivery that starts again."""
        end = self._limit - self._max_bytes  # next to the others: what was settled between them takes no room
        for number, _, event, put_at in sorted(self._taken.values(), reverse=True):
            self._waiting.appendleft((number, end, event, put_at))
            end -= len(event.body)
        self._limit = end + self._max_bytes
        self._taken.clear()
