"""Which pipeline a process has: a forked child gets one of its own, and leaves its parent's alone."""

from __future__ import annotations

from collections.abc import Callable

from dd_pa.delivery.pipeline import Pipeline
from dd_pa.process import forks


class ProcessPipelines:
    """The pipeline of each process that an emitter was forked into.

    Those of ancestors are kept untouched, as closing their loop would disturb the parent.
    """

    __slots__ = ("_by_generation", "_make", "latest")

    def __init__(self, make: Callable[[], Pipeline]) -> None:
        self._make = make
        self.latest = make()
        """The one that was asked for last: this process's own, unless it was forked since."""

        self._by_generation = {self.latest.generation: self.latest}

    @property
    def current(self) -> Pipeline:
        """This process's own."""
        found = self._by_generation.get(forks.generation)
        if found is None:
            found = self._by_generation.setdefault(forks.generation, self._make())
        self.latest = found
        return found
