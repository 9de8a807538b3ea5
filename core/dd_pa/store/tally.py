from __future__ import annotations

import itertools
import threading


class Tally:
    """A counter that any thread raises without a lock, as `itertools.count` is one atomic step."""

    def __init__(self) -> None:
        self.add = itertools.count(1).__next__
        self._looks = 0
        self._looking = threading.Lock()

    @property
    def value(self) -> int:
        """How often `add` was called."""
        with self._looking:  # each look is a step of the counter too, and is taken off again
            self._looks += 1
            return self.add() - self._looks
