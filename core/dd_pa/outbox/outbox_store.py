from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from dd_pa.capture.event import BuiltEvent
from dd_pa.outbox.table_columns import ascii_text
from dd_pa.store.event_queue import Row
from dd_pa.store.record import DamagedRecordError, event_of


@dataclass(slots=True)
class _LeasedEvent:
    event: BuiltEvent
    rows: list[int] = field(default_factory=list)
    """More than one if the event was stored twice; it is delivered once."""

    lost: set[int] = field(default_factory=set)
    """Rows among them that another deliverer holds by now."""

    leased_until: float = 0.0

    @property
    def own(self) -> list[int]:
        return [row for row in self.rows if row not in self.lost]


class OutboxStore:
    """Claimed rows on their way: one thread gives them and writes down what became of them, the delivery takes them.

    So the delivery never waits for the database. It gets no more events while `bound` of those that it settled wait to
    be written: if the process dies, no more than these and the requests in flight are sent again.
    """

    patience: float | None = None
    recalls = 0
    durable = True

    def __init__(
        self,
        application_id: str,
        *,
        bound: int,
        on_settled: Callable[[], object],
        on_damaged: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_damaged` is called for each row that is set aside, because it is no event of this application."""
        self._application_id = application_id
        self._bound = bound
        self._on_settled, self._on_damaged = on_settled, on_damaged
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, _LeasedEvent] = {}
        self._ready: deque[_LeasedEvent] = deque()
        self._taken: dict[str, _LeasedEvent] = {}
        self._closed = False
        self.settled: deque[int] = deque()
        """Rows that are to be deleted."""

        self.rejected: deque[tuple[int, str, str]] = deque()
        """Rows that are to be kept as dead letters, with reason and detail."""

    def give(self, rows: Iterable[Row], leased_until: float) -> None:
        """Take over rows whose lease ends at `leased_until` on this store's clock."""
        for row in rows:
            try:
                event = event_of(row.body, self._application_id)
            except DamagedRecordError as error:
                self.rejected.append((row.id, "damaged", ascii_text(str(error), 400)))
                self._on_damaged()
                continue
            with self._lock:
                self._hold(row.id, event, leased_until)

    def _hold(self, row: int, event: BuiltEvent, leased_until: float) -> None:
        held = self._held.get(event.id)
        if held is None:
            held = self._held[event.id] = _LeasedEvent(event)
            self._ready.append(held)
        if row not in held.rows:  # else its lease had run out here, and nobody else was there to claim it
            held.rows.append(row)
        held.lost.discard(row)
        held.leased_until = leased_until

    def renew(self, kept: Collection[int], lost: Collection[int], leased_until: float) -> None:
        """Note which rows are leased for longer, and which are somebody else's by now.

        What was handed out stays on its way: it cannot be called back, and goes twice at worst.
        """
        kept, lost = set(kept), set(lost)
        with self._lock:
            for held in self._held.values():
                held.lost.update(row for row in held.rows if row in lost)
                if not kept.isdisjoint(held.rows):
                    held.leased_until = leased_until

    @property
    def rows(self) -> list[int]:
        """Rows that are neither settled nor rejected, nor lost."""
        with self._lock:
            return [row for held in self._held.values() for row in held.own]

    def let_go(self) -> list[int]:
        """Hand out no more events, and return the rows of those that were not handed out."""
        with self._lock:
            self._closed = True
            rows = [row for held in self._ready for row in held.own]
            for held in self._ready:
                del self._held[held.event.id]
            self._ready.clear()
        return rows

    @property
    def unwritten(self) -> int:
        """Number of rows that are settled or rejected, and still as before in the table."""
        return len(self.settled) + len(self.rejected)

    @property
    def is_full(self) -> bool:
        """As many wait to be written as may; no more events are handed out."""
        return self.unwritten >= self._bound

    @property
    def is_half_full(self) -> bool:
        return 2 * self.unwritten >= self._bound

    def take(self, limit: int) -> list[BuiltEvent]:
        """Hand out up to `limit` events whose rows are still leased."""
        events: list[BuiltEvent] = []
        with self._lock:
            while len(events) < limit and self._ready and not self.is_full and not self._closed:
                held = self._ready.popleft()
                if not held.own or held.leased_until <= self._clock():  # another deliverer may have it by now
                    del self._held[held.event.id]
                    continue
                self._taken[held.event.id] = held
                events.append(held.event)
        return events

    def age(self, event: BuiltEvent) -> float | None:
        """It may have been tracked on another machine."""
        return None

    def settle(self, event: BuiltEvent) -> None:
        """Have the rows of a taken event deleted, whoever holds them: it must not be sent again."""
        self.settled.extend(self._finish(event).rows)
        self._on_settled()

    def reject(self, event: BuiltEvent, reason: str, detail: str) -> bool:
        """Have the rows of a taken event kept as dead letters."""
        why = ascii_text(reason, 100), ascii_text(detail, 400)
        self.rejected.extend((row, *why) for row in self._finish(event).own)
        self._on_settled()
        return True

    def _finish(self, event: BuiltEvent) -> _LeasedEvent:
        with self._lock:
            del self._taken[event.id]
            return self._held.pop(event.id)

    def reclaim(self) -> None:
        """Hand out again, and first, what was taken and not settled."""
        with self._lock:
            self._ready.extendleft(reversed(self._taken.values()))
            self._taken.clear()

    def hand_back(self, event: BuiltEvent) -> bool:
        """Its lease decides who delivers an event."""
        return False

    def tend(self) -> None:
        """Nothing is due here."""

    def mark(self) -> list[str]:
        """Return what is held now; see `passed`."""
        with self._lock:
            return list(self._held)

    def passed(self, mark: list[str]) -> bool:
        """Tell whether everything that was held at the mark is settled."""
        return not any(event_id in self._held for event_id in mark)

    @property
    def waiting(self) -> int:
        """Number of events that were not handed out."""
        return len(self._ready)

    @property
    def pending(self) -> int:
        """Number of events that are not settled."""
        return len(self._held)
