"""Events whose attempt failed: when each may be tried again, what it is suspected of, and when it is given up.

An event is *undecided* as long as nothing tells whether it failed by itself or with the destination, and *convicted*
once it failed while others passed. A convicted event waits with a backoff of its own, says nothing about the
destination, gets a small share of the room, and is set aside in the end.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from dd_pa.capture.event import BuiltEvent
from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.network.outcome import Outcome

TRIES = 16
"""So many failures while others pass, and an event is set aside: a few hours with the usual policy."""

LONGEST = 24 * 3600.0
"""Seconds after its first conviction, by the monotonic clock, after which another one sets an event aside."""

PATIENCE = 60.0
"""Times the policy's longest wait: so long may a convicted event wait."""

MAX_EVENTS = 10_000
"""Events that may be here before new ones are taken one at a time only."""

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of their bodies."""

EARLY_TRIES = 5
"""Convictions that are enough when there is no room left for others."""

EARLY_SHARE = 16
"""That part of the room is made free at once."""


@dataclass(slots=True, eq=False)
class FailedEvent:
    """An event whose attempt failed; it may be in flight again."""

    event: BuiltEvent
    failures: int = 0
    """Attempts that failed."""

    convictions: int = 0
    """Of these, while others passed."""

    convicted_at: float = 0.0
    """Loop time of the first of them."""

    passed: int = 0
    """How many events had passed when it failed last."""

    outlived: int = 0
    """How many times others passed between two of its failures."""

    outcome: Outcome | None = None
    """Its last answer."""

    sentence: Outcome | None = None
    """Why it is given up, if it only waits for being written down."""

    due: float = 0.0
    """Loop time from which it may be tried again."""

    place: int = -1
    """Where it waits; -1 while it is in flight."""


class Quarantine:
    """Holds failed events by the loop time at which each may be tried again. For the delivery thread."""

    def __init__(self, policy: RetryPolicy, *, max_events: int = MAX_EVENTS) -> None:
        self._policy = policy
        self._max_events = max_events
        self._events: dict[str, FailedEvent] = {}
        self._undecided: list[tuple[float, int, FailedEvent]] = []
        self._convicted: list[tuple[float, int, FailedEvent]] = []
        self._places = itertools.count()
        self._left = 0
        """Entries of the heaps whose event waits elsewhere, or not at all."""

        self._bytes = 0
        self.convicted = 0
        """Number of events that failed while others passed."""

    def __len__(self) -> int:
        return len(self._events)

    @property
    def fullness(self) -> float:
        """How much of the room is taken; 1 and more: new events are tried one at a time, 2: not at all.

        Without any it would never be known whether others pass.
        """
        return max(len(self._events) / self._max_events, self._bytes / MAX_BYTES)

    def get(self, event: BuiltEvent) -> FailedEvent | None:
        """Return what is known of an event that has failed."""
        return self._events.get(event.id)

    def note(self, event: BuiltEvent, outcome: Outcome) -> FailedEvent:
        """Count one more failure of an event."""
        failed = self._events.get(event.id)
        if failed is None:
            failed = self._events[event.id] = FailedEvent(event)
            self._bytes += len(event.body)
        failed.failures += 1
        failed.outcome = outcome
        return failed

    def convict(self, failed: FailedEvent, now: float) -> bool:
        """Note that others passed when it failed; return whether it has had its tries."""
        if not failed.convictions:
            self.convicted += 1
            failed.convicted_at = now
        failed.convictions += 1
        return failed.convictions >= TRIES or now - failed.convicted_at >= LONGEST

    def own_wait(self, failed: FailedEvent) -> float:
        """Return the seconds that a convicted event waits; at least what was asked for."""
        asked = failed.outcome.wait if failed.outcome is not None else None
        return max(asked or 0.0, self._policy.wait(failed.failures, patience=PATIENCE))

    def add(self, failed: FailedEvent, due: float) -> None:
        """Let an event wait, or wait for another time."""
        self._leave(failed)
        failed.due, failed.place = due, next(self._places)
        heap = self._convicted if failed.convictions or failed.sentence else self._undecided
        heapq.heappush(heap, (due, failed.place, failed))

    def _leave(self, failed: FailedEvent) -> None:
        if failed.place < 0:
            return
        failed.place = -1
        self._left += 1
        if self._left > len(self._events) + 64:
            self._left = 0
            for heap in (self._undecided, self._convicted):
                heap[:] = [entry for entry in heap if entry[1] == entry[2].place]
                heapq.heapify(heap)

    def pop_undecided(self, now: float) -> FailedEvent | None:
        """Return an undecided event that is due, the longest due first, or None."""
        return _pop(self._undecided, now)

    def pop_convicted(self, now: float) -> FailedEvent | None:
        """Return a convicted event that is due, the longest due first, or None."""
        return _pop(self._convicted, now)

    def release(self, now: float) -> None:
        """Let the undecided be tried as soon as the gate opens: the destination failed, and not they."""
        live = [entry for entry in sorted(self._undecided) if entry[1] == entry[2].place]
        self._undecided[:] = [(min(due, now), place, failed) for due, place, failed in live]
        heapq.heapify(self._undecided)

    def waiting(self, ids: Iterable[str]) -> list[FailedEvent]:
        """Return those of some events that are not in flight now."""
        known = (self._events.get(event_id) for event_id in ids)
        return [failed for failed in known if failed is not None and failed.place >= 0]

    def all_waiting(self) -> list[FailedEvent]:
        """Return all that are not in flight now."""
        return self.waiting(self._events)

    def forget(self, event: BuiltEvent) -> None:
        """Drop an event that is settled."""
        failed = self._events.pop(event.id, None)
        if failed is not None:
            self._bytes -= len(failed.event.body)
            self.convicted -= failed.convictions > 0
            self._leave(failed)

    def most_tried(self) -> list[FailedEvent]:
        """Return those to be set aside when nothing more fits in; none if all have been tried a few times only."""
        tried = [
            failed
            for failed in self._events.values()
            if failed.place >= 0 and (failed.sentence or failed.convictions >= EARLY_TRIES)
        ]
        tried.sort(key=lambda failed: (failed.sentence is not None, failed.convictions), reverse=True)
        return tried[: 1 + len(self._events) // EARLY_SHARE]

    def all_due_now(self) -> None:
        """Forget the waits, for a last attempt before the end."""
        for failed in sorted(self.all_waiting(), key=lambda failed: failed.place):
            self.add(failed, 0.0)


def _pop(heap: list[tuple[float, int, FailedEvent]], now: float) -> FailedEvent | None:
    while heap and heap[0][0] <= now:
        _, place, failed = heapq.heappop(heap)
        if failed.place == place:  # else it was put elsewhere, or is settled
            failed.place = -1
            return failed
    return None
