from __future__ import annotations

import heapq
import itertools

from dd_pa.capture.event import Event


class Retries:
    """Events whose attempt failed, by the loop time at which each may be tried again."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Event]] = []
        self._order = itertools.count()
        self._failures: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def failed(self, event: Event, delivered: int) -> tuple[int, bool]:
        """Count one more failure of an event, when `delivered` events were delivered so far.

        Return how many failures that makes, and whether others were delivered since its last one.
        """
        failures, delivered_then = self._failures.get(event.id, (0, delivered))
        self._failures[event.id] = (failures + 1, delivered)
        return failures + 1, delivered > delivered_then

    def knows(self, event: Event) -> bool:
        """Tell whether an attempt to deliver an event has failed."""
        return event.id in self._failures

    def add(self, event: Event, due: float) -> None:
        heapq.heappush(self._heap, (due, next(self._order), event))

    def pop(self, now: float) -> Event | None:
        """Return an event that is due, the longest due first, or None."""
        return heapq.heappop(self._heap)[2] if self._heap and self._heap[0][0] <= now else None

    def forget(self, event: Event) -> None:
        """Drop the count of an event that is settled."""
        self._failures.pop(event.id, None)

    def all_due_now(self) -> None:
        """Forget the waits, for a last attempt before the end."""
        self._heap = sorted((0.0, order, event) for _, order, event in self._heap)
