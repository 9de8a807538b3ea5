from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from dd_pa.delivery.outcome import Outcome, Verdict

HURRIED_WAIT = 0.2
"""Longest wait in seconds once the process is about to end."""


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

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row (1 or more)."""
        return self.draw(0.0, min(self.cap, self.base * 2.0 ** min(failures - 1, 32)))


class Gate:
    """How many requests may be in flight now. A failure leaves room for one probe; each success doubles the room."""

    def __init__(self, policy: RetryPolicy, *, width: int) -> None:
        self._policy = policy
        self._width = width
        self._room = width
        self._failures = 0
        self._failed_at = -math.inf
        self.opens_at = 0.0
        """Loop time, in seconds, before which nothing may be sent."""

        self.longest_wait = math.inf
        """Seconds after which something is tried again, whatever was asked for."""

        self.paused_by: str | None = None
        """Why delivery is paused (the status), or None."""

    @property
    def healthy(self) -> bool:
        """The last answer was no failure."""
        return self._failures == 0 and self.paused_by is None

    def room(self, now: float) -> int:
        """Return how many requests may be in flight at `now`."""
        return self._room if now >= self.opens_at else 0

    def succeeded(self, started: float) -> None:
        """Note a good answer to a request of the loop time `started`; one older than the last failure says nothing."""
        if started < self._failed_at:
            return
        self._failures = 0
        self.paused_by = None
        self._room = min(self._width, self._room * 2)

    def failed(self, outcome: Outcome, now: float, started: float) -> None:
        """Close for a while. Requests that were in flight together fail once: only the first closes the gate."""
        if outcome.verdict is Verdict.PAUSE:
            self.paused_by = outcome.reason
        news = started >= self._failed_at
        if news:
            self._failed_at = now
            self._failures += 1
            self._room = 1
        if outcome.wait:
            self._open_after(outcome.wait, now)
        elif news:
            self._open_after(self._wait(), now)

    def _wait(self) -> float:
        if self.paused_by is None:
            return self._policy.wait(self._failures)
        return min(self._policy.cap, self._policy.pause * 2.0 ** min(self._failures - 1, 32))

    def _open_after(self, wait: float, now: float) -> None:
        self.opens_at = max(self.opens_at, now + min(wait, self.longest_wait))

    def hurry(self) -> None:
        """Forget the wait and wait little from now on: the process is about to end."""
        self.opens_at = 0.0
        self.longest_wait = HURRIED_WAIT
