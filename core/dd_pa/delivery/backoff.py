"""How long is waited after a failure, for the destination and for one event alike."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait after failures: exponential, with full jitter."""

    base: float = 1.0
    """Seconds; the first wait is drawn from 0 to this."""

    cap: float = 60.0
    """Longest wait in seconds, unless the intake asks for more."""

    pause: float = 5.0
    """Seconds before the first attempt with a refused key; doubles up to `cap`."""

    draw: Callable[[float, float], float] = random.uniform
    """Chooses the jitter between two bounds."""

    def wait(self, failures: int, *, patience: float = 1.0) -> float:
        """Return the seconds to wait after so many failures in a row (1 or more). `patience`: caps, times as long."""
        return self.draw(0.0, self.longest_wait(failures, patience=patience))

    def longest_wait(self, failures: int, *, patience: float = 1.0) -> float:
        """Return the most seconds that `wait()` may draw."""
        return min(self.cap * patience, self.base * 2.0 ** min(failures - 1, 32))

    def pause_wait(self, failures: int) -> float:
        """Return the seconds to wait after so many refusals of the key in a row; they need no jitter."""
        return min(self.cap, self.pause * 2.0 ** min(failures - 1, 32))
