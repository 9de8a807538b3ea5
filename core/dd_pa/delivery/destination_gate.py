"""What is learnt about the destination: how much may be sent to it now.

One event that fails says nothing about the intake: a firewall dislikes its text, or it meets a bug. The gate closes
when different events fail in a row with no success between, and opens when something passes.

A hundred bad events in a row look like an intake that fails, and the good ones behind them would wait for as many
probes. So a closed gate lets *fresh* events go on, each of which was never tried: ever more in each round, though no
more at once than probes. What fails waits as long as ever; an intake that really fails sees each event once.
"""

from __future__ import annotations

import math

from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.delivery.rate_limit import RateLimit
from dd_pa.network.outcome import Outcome, Verdict

HURRIED_WAIT = 0.2
"""Longest wait in seconds once the process is about to end."""

ROW = 3
"""So many different events that fail in a row are a fault of the destination."""

REJECTIONS = 100
"""So many events rejected in a row, and none taken: it is the address, or us, and no longer the events."""

FRESH, MOST_FRESH = 8, 128
"""Fresh events that may be tried for each second that the next probe may have to wait, and at most until then."""

LONGEST_FOR_ONE = 60.0
"""Seconds that the intake is left alone, at most, for what it answered to one or two events only."""

LATER_BY = 0.25
"""Part of a wait that the intake names by which a process comes later, at most: all others heard of the same moment."""

OLDER = 8
"""Older requests that must pass for each 429 before it is taken for one about its event: of those that were in flight
when a limit was met, some pass."""


class Gate:
    """How many requests may be in flight now.

    While it is closed, a few events at a time, other ones each time, probe the destination after longer and longer
    waits. Each success doubles the room.
    """

    def __init__(self, policy: RetryPolicy, *, width: int) -> None:
        self._policy = policy
        self.width = width
        """Most requests that the outlet takes; may change."""

        self._room = width
        self._rounds = 0
        self._failed_at = self._closed_at = -math.inf
        self._row: set[str] = set()
        self._passed_since = self._fresh = 0
        self._rejections = 0
        self._refusal: Outcome | None = None
        self.closed = False
        """The destination fails; not only an event."""

        self.rate_limit = RateLimit(policy.draw)
        """How many events a second may be sent, once the intake has answered 429."""

        self._limited = False
        self._later = 0.0
        self.opens_at = 0.0
        """Loop time, in seconds, before which nothing may be sent."""

        self.longest_wait = math.inf
        """Seconds after which something is tried again, whatever was asked for."""

        self.paused_by: str | None = None
        """Why delivery is paused (the status), or None."""

    @property
    def healthy(self) -> bool:
        """Nothing has failed since the last success."""
        return not self._row

    @property
    def hurried(self) -> bool:
        """The process is about to end."""
        return self.longest_wait < math.inf

    @property
    def refusal(self) -> Outcome | None:
        """The last of the answers since the last success that refused the key or the address."""
        return self._refusal

    def room(self, now: float) -> int:
        """Return how many requests may be in flight at `now`."""
        return min(self._room, self.width) if now >= self.opens_at else 0

    def room_for_fresh(self, now: float) -> int:
        """Return how many requests may be in flight at `now` if one with an event that was never tried is added."""
        return self.room(now) or (min(self._room, self.width) if self._fresh else 0)

    def started_fresh(self, now: float) -> None:
        """Note that an event that was never tried is sent."""
        if now < self.opens_at:
            self._fresh -= 1

    def succeeded(self, started: float) -> set[str]:
        """Note a good answer to a request of the loop time `started`.

        Returns the ids of the events that failed on their own, as others pass. If it was sent before the gate closed,
        it opens it only together with as many others as events have failed.
        """
        if self.closed and started < self._closed_at:
            self._passed_since += 1
            if self._passed_since < len(self._row) * (OLDER if self._limited else 1):
                return set()
        elif self.closed and len(self._row) >= ROW:
            self._row = set()  # they failed with the destination
        if self._room < self.width:
            self._room *= 2
        return self._reopen() if self._row or self.closed else self._row

    def _reopen(self) -> set[str]:
        alone, self._row = self._row, set()
        self.closed = self._limited = False
        self.paused_by = self._refusal = None
        self._rounds = self._passed_since = self._fresh = 0
        self.opens_at = 0.0
        return alone

    def accepted(self) -> None:
        """Note that the intake took an event: what it rejects is about the events."""
        self._rejections = 0

    def rejected(self, outcome: Outcome) -> Outcome | None:
        """Note that an event was rejected; return what that says of the destination, or None: it is a sign of life."""
        self._rejections += 1
        return None if self._rejections < REJECTIONS else Outcome(verdict=Verdict.PAUSE, reason=outcome.reason)

    def failed(self, event_id: str, outcome: Outcome, now: float, started: float) -> None:
        """Note that an event failed with nothing to say that others pass."""
        self._row.add(event_id)
        if outcome.verdict is Verdict.LIMIT:
            self._limited = True
            if not self.hurried:
                self.rate_limit.limited(now, started)
        if outcome.verdict is Verdict.PAUSE:
            self._refusal = outcome
        if outcome.verdict is not Verdict.LIMIT and len(self._row) < ROW:
            return
        if self._refusal is not None:
            self.paused_by = self._refusal.reason
        self._close(outcome, now, started)

    def _close(self, outcome: Outcome, now: float, started: float) -> None:
        """Close for a while. Only a probe begins another round, and of those that were in flight together the first."""
        news = started >= max(self._failed_at, self.opens_at) or not self.closed
        if not self.closed:
            self.closed, self._closed_at = True, now
        if news:
            self._failed_at = now
            self._rounds += 1
            self._passed_since = 0
            self._room = self._probes()
            self._fresh = 0 if self.paused_by else min(MOST_FRESH, int(FRESH * self._policy.longest_wait(self._rounds)))
            self._later = self._policy.draw(0.0, LATER_BY) if self._limited else 0.0
        if self._limited:
            self._fresh = 0
        if outcome.wait:
            self._fresh = 0
            wait = outcome.wait if len(self._row) >= ROW else min(outcome.wait, LONGEST_FOR_ONE)
            self._open_after(wait * (1.0 + self._later), now)
        elif news:
            self._open_after(self._wait(), now)

    def _probes(self) -> int:
        """Return how many events may probe the destination at once.

        More after each few rounds in vain, so that many bad events in front cannot hide the good ones behind them; but
        not with a key that is refused.
        """
        few, many = max(1, self.width // 8), max(1, self.width // 2)
        return few if self.paused_by else min(many, few << min((self._rounds - 1) // 3, 32))

    def _wait(self) -> float:
        return self._policy.pause_wait(self._rounds) if self.paused_by else self._policy.wait(self._rounds)

    def _open_after(self, wait: float, now: float) -> None:
        self.opens_at = max(self.opens_at, now + min(wait, self.longest_wait))

    def pause(self) -> None:
        """Say that there is nothing left to try but what was refused. What comes in is tried at once all the same."""
        if self._refusal is not None:
            self.paused_by = self._refusal.reason

    def hurry(self) -> None:
        """Forget the wait and wait little from now on: the process is about to end."""
        self.opens_at = 0.0
        self.rate_limit.lift()
        self.longest_wait = HURRIED_WAIT
