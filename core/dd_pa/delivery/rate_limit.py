"""How many events a second go to an intake that answers 429, so that a fleet of processes comes to its limit together.

Nobody tells a process how many others there are. Each learns its share as TCP does: it starts slowly, goes faster for
as long as it is answered well, and much slower after another 429. What may be in flight says too little: of three
hundred processes with one request each in flight, 50 ms away, 6,000 events a second come.
"""

from __future__ import annotations

import math
from collections.abc import Callable

FIRST = 1.0
"""Events a second after the first 429. Doubles each second until the second one."""

LEAST = 0.1
"""Events a second that are always tried."""

CUT = 0.7
"""Part of what was achieved, with the pauses, that is left after another 429."""

DEEPEST_CUT = 0.4
"""Part of the pace that is left at least: what was achieved since a slow start tells too little."""

FASTER_EACH_SECOND = 0.05
"""Part by which it becomes faster in a second with successes."""

FASTER_EACH_SUCCESS = 0.01
"""Part by which a success makes it faster at most: this over what a cut takes is the share of 429 that is left, however
many processes there are."""

RELIEF = 60.0
"""Seconds without a 429 after which the intake may have become wider: the pace doubles again, as at the start."""

RELIEF_SUCCESSES = 150
"""Events that must have passed in that time: a slow process hears of the limit seldom."""

FORGOTTEN = 300.0
"""Seconds without a 429, and without anything that had to wait, after which nothing is held back any more."""

LUMP = 0.02
"""Seconds of the pace that may be sent at once."""


class RateLimit:
    """Not limited before the first 429, and then nothing of it costs anything."""

    def __init__(self, draw: Callable[[float, float], float]) -> None:
        self._draw = draw
        self.rate = math.inf
        """Events a second that may be sent."""

        self._threshold = math.inf
        """The pace up to which it doubles each second."""

        self._limited_at = self._held_at = self._grown_at = self._began = -math.inf
        self._successes = 0
        self._tokens = 0.0
        self._counted_at = 0.0
        self._resumes = self._cuts = False

    @property
    def is_set(self) -> bool:
        """The intake has answered 429 not long ago."""
        return self.rate < math.inf

    def limited(self, now: float, started: float) -> None:
        """Note a 429. Those to requests that were in flight together are one."""
        if started < self._limited_at:
            return
        self._limited_at = now
        self._resumes = True
        self._cuts = self.is_set
        if not self._cuts:
            self.rate, self._threshold = FIRST, math.inf

    def lift(self) -> None:
        """Hold nothing back any more."""
        self.rate = self._threshold = math.inf
        self._resumes = False

    def allowance(self, now: float) -> int:
        """Return how many events may be sent at `now`."""
        if self._resumes:
            self._resume(now)
        self._tokens = min(self._tokens + (now - self._counted_at) * self.rate, max(1.0, self.rate * LUMP))
        self._counted_at = now
        return int(self._tokens + 1e-6)

    def _resume(self, now: float) -> None:
        """Go on after a pause, slower than before, and not at the moment at which all others do."""
        self._resumes = False
        if self._cuts:
            self._cut(now)
        self._began = self._grown_at = self._counted_at = now
        self._successes = 0
        self._tokens = self._draw(0.0, 1.0)

    def _cut(self, now: float) -> None:
        if not self._successes:  # it takes nothing from anybody, which says little about how much it takes again
            self.rate = max(DEEPEST_CUT * self.rate, LEAST)
            return
        achieved = self._successes / (now - self._began) if self._held_at >= self._began else self.rate
        self.rate = self._threshold = max(CUT * min(self.rate, achieved), DEEPEST_CUT * self.rate, LEAST)

    def spend(self) -> None:
        """Note that an event is sent."""
        self._tokens -= 1.0

    def held(self, now: float) -> float:
        """Note that an event waits only for the pace; return the seconds until the next may go."""
        self._held_at = now
        return max(LUMP, (1.0 - self._tokens) / self.rate)

    def succeeded(self, now: float) -> None:
        """Note that the intake took an event: faster, if anything had to wait for the pace."""
        self._successes += 1
        if self._held_at < self._grown_at:
            if now - max(self._limited_at, self._held_at) > FORGOTTEN:
                self.lift()
            return
        passed, self._grown_at = min(1.0, now - self._grown_at), now
        if now - self._limited_at > RELIEF and self._successes > RELIEF_SUCCESSES:
            self._threshold = math.inf
        if self.rate < self._threshold:
            self.rate = min(self._threshold, self.rate * 2.0**passed)
        else:
            self.rate *= 1.0 + min(FASTER_EACH_SUCCESS, FASTER_EACH_SECOND * passed)
