from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

from dd_pa.store.event_queue import Row

LAG = 1.0
"""Seconds for which ids that were claimed may still be overtaken by lower ones: of transactions that commit later."""

RECHECK = 30.0
"""Seconds after which everything is looked at again, while there is much to do."""

SHARE = 20
"""Times that a look at everything took, before the next: so that it never takes more than a twentieth."""


class LowWater:
    """Remembers the id below which nothing waits, so that a claim need not walk over what was there.

    A database keeps deleted rows in its index as long as anybody's old snapshot may see them (a report, a backup, a
    replica): each claim from the beginning walks over all of them. But lower ids can come back, of a transaction that
    was long, of a dead deliverer or of a retry: so the mark lags behind, and now and then everything is looked at.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._mark = 0
        self._claimed: deque[tuple[float, int]] = deque()
        self._looked_at, self._took = -math.inf, 0.0
        self._idle = True

    def above(self) -> int:
        """Return the id above which to look now; 0 for everything."""
        now = self.clock()
        wait = SHARE * self._took if self._idle else max(SHARE * self._took, RECHECK)
        if now >= self._looked_at + wait:
            return 0
        while self._claimed and self._claimed[0][0] <= now - LAG:
            self._mark = self._claimed.popleft()[1]
        return self._mark

    def note(self, rows: Sequence[Row], *, above: int, more: bool, began: float) -> None:
        """Note what a claim above an id has found, whether there may be more, and when on the clock it began."""
        now = self.clock()
        if above == 0:
            self._looked_at, self._took = now, now - began
        elif not (more or self._idle):  # what was lower is due now
            self._looked_at = -math.inf
        self._idle = not more
        if not rows:
            return
        last = rows[-1].id
        if above == 0 and more:  # what comes right after these is due next, however low it is
            self.lower(last)
        if last > (self._claimed[-1][1] if self._claimed else self._mark):
            self._claimed.append((now, last))

    def lower(self, mark: int) -> None:
        """Look at what is above an id from now on."""
        self._mark = min(self._mark, mark)
        while self._claimed and self._claimed[-1][1] > mark:
            self._claimed.pop()
