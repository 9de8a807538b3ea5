"""Pauses in which the application's threads run: while the delivery thread runs Python, all others wait for it."""

from __future__ import annotations

import time

from dd_pa.network.event_loop import yielding
from dd_pa.process.atomic_counter import HAS_GIL

STEPS = 16
"""Events that are begun or answered between two pauses, which take some tenth of a millisecond. Fifty of them at once,
as come with a look at 1,000 events a second, kept each thread that had written to a file or socket waiting for
milliseconds."""

PAUSE = 0.00005
"""Seconds. Each call of the system gives the GIL back, but takes it again before whoever waits for it has woken up."""


class Breather:
    """Counts steps, and pauses after some. For the delivery thread."""

    def __init__(self, *, has_gil: bool = HAS_GIL) -> None:
        self._has_gil = has_gil
        self._left = STEPS

    def step(self) -> None:
        """Note that an event was begun, or answered."""
        self._left -= 1
        if self._left <= 0:
            self._left = STEPS
            if self._has_gil:
                with yielding():
                    time.sleep(PAUSE)
