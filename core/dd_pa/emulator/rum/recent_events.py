"""What browsers sent last, as they sent it, for tests that compare it with what a server sent."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from dd_pa.emulator.rum.batch import BrowserEvent

MAX_BYTES = 16_000_000


class RecentEvents:
    """The newest lines, bounded by bytes. Safe to use from any thread."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._events: deque[BrowserEvent] = deque()
        self._bytes = 0

    def take(self, events: Sequence[BrowserEvent]) -> None:
        """Add lines; the oldest go."""
        with self._lock:
            self._events.extend(events)
            self._bytes += sum(event.size for event in events)
            while self._bytes > self._max_bytes:
                self._bytes -= self._events.popleft().size

    def bodies(self) -> list[dict[str, Any]]:
        """Return the lines, oldest first."""
        with self._lock:
            return [event.body for event in self._events]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._events.clear()
            self._bytes = 0
