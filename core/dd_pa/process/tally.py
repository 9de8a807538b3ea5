from __future__ import annotations

import itertools


class Tally:
    """A counter that any thread raises without a lock, as `itertools.count` is one atomic step."""

    def __init__(self) -> None:
        self._count = itertools.count(1)
        self.add = self._count.__next__

    @property
    def value(self) -> int:
        """How often `add` was called."""
        return int(repr(self._count)[len("count(") : -1]) - 1  # the one look at a counter that is no step of it
