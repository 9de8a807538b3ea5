"""Pauses in which the application's threads run: while the delivery thread runs Python, all others wait for it."""

from __future__ import annotations

import time

from dd_pa.network.event_loop import yielding
from dd_pa.process.atomic_counter import HAS_GIL

HOLD = 0.002
"""Seconds after which the thread lets others run, between two events. Fifty of them at once, as come with a look at
1,000 events a second, kept each thread that had written to a file or socket waiting for three times as long."""

PAUSE = 0.00005
"""Seconds. Each call of the system gives the GIL back, but takes it again before whoever waits for it has woken up."""


class Breather:
    """Looks at each step whether a pause is due. For the delivery thread."""

    def __init__(self, *, has_gil: bool = HAS_GIL) -> None:
        self._has_gil = has_gil
        self._until = time.monotonic() + HOLD

    def step(self) -> None:
        """Note that an event is about to be begun, or taken up after its answer."""
        if self._has_gil and time.monotonic() >= self._until:
            with yielding():
                time.sleep(PAUSE)
            self._until = time.monotonic() + HOLD
