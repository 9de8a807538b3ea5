"""Events that were handed out for delivery and are not settled yet, and the places on disk where they will be."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from dd_pa.capture.event import BuiltEvent
from dd_pa.store.backlog import Backlog
from dd_pa.store.held_segment import HeldSegment


class TakenEvent(NamedTuple):
    """An event, and each record of it: one that was written twice is delivered once and settled in both places."""

    event: BuiltEvent
    places: list[tuple[HeldSegment, int]]

    @property
    def is_homeless(self) -> bool:
        """Whether it is in memory only, as its segments were removed for want of room."""
        return all(held.removed for held, _ in self.places)


class TakenEvents:
    """Hands out what the backlog has. For the delivery thread; the numbers may be asked for by others."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._by_id: dict[str, TakenEvent] = {}
        self._again: deque[BuiltEvent] = deque()
        self.foreign = 0
        """Events of other processes that this one has dealt with."""

    def next(self) -> BuiltEvent | None:
        """Take the next event, if there is one. Raises `OSError`."""
        if self._again:
            return self._again.popleft()
        while (found := self._backlog.next()) is not None:
            held, offset, event = found
            self.foreign += held.count is None
            taken = self._by_id.get(event.id)
            if taken is None:
                self._by_id[event.id] = TakenEvent(event, [(held, offset)])
                return event
            taken.places.append((held, offset))
        return None

    @property
    def returned(self) -> int:
        """Events that are to be handed out again."""
        return len(self._again)

    @property
    def ids(self) -> list[str]:
        """The ids of the events that are out."""
        return list(self._by_id)

    def has_any(self, ids: list[str]) -> bool:
        """Tell whether one of some events is out."""
        return any(event_id in self._by_id for event_id in ids)

    def segment_of(self, event: BuiltEvent) -> HeldSegment | None:
        """Return a segment that an event was taken from; None for one that was in memory."""
        taken = self._by_id.get(event.id)
        return None if taken is None else taken.places[0][0]

    def settle(self, event: BuiltEvent) -> bool:
        """Settle an event wherever it was written; return False for one that was in memory."""
        taken = self._by_id.pop(event.id, None)
        if taken is None:
            return False
        for held, offset in taken.places:
            self._backlog.settle(held, offset)
        return True

    def put_back(self, event: BuiltEvent) -> None:
        """Have an event handed out that was in memory."""
        self._again.append(event)

    def reclaim(self) -> None:
        """Hand out again, and first, what was taken and not settled."""
        self._again = deque(taken.event for taken in self._by_id.values())

    def forget_if_homeless(self, event: BuiltEvent) -> bool:
        """Forget an event that is in memory only; return whether it was one."""
        taken = self._by_id.get(event.id)
        if taken is None or not taken.is_homeless:
            return False
        del self._by_id[event.id]
        return True

    def pop_homeless(self) -> list[BuiltEvent]:
        """Forget and return the events that are in memory only."""
        found = [taken.event for taken in self._by_id.values() if taken.is_homeless]
        for event in found:
            del self._by_id[event.id]
        return found

    def leave_to_others(self, event: BuiltEvent) -> bool:
        """Forget an event, and return True, if it is another process's."""
        taken = self._by_id.get(event.id)
        if taken is None or any(held.count is not None for held, _ in taken.places):
            return False
        del self._by_id[event.id]
        for held, offset in taken.places:
            held.unsettled.pop(offset, None)
            self.foreign -= 1
            self._backlog.settled(held)
        return True
