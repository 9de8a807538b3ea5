"""Rounds in which all contestants are measured one after the other, so that a busy moment meets all of them.

The least of a contestant's rounds is what it costs, as nothing makes a program quicker than it is; the median says how
much the machine added. Ratios are of the least.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Spread(NamedTuple):
    """One figure of one contestant over all rounds."""

    least: float
    median: float

    def shown(self, form: str = ",.1f") -> list[str]:
        """Return both as cells of a table."""
        return [format(self.least, form), format(self.median, form)]


def spread(values: Iterable[float]) -> Spread:
    found = list(values)
    return Spread(min(found), statistics.median(found))


def in_turns(names: Sequence[str], rounds: int, measure: Callable[[str], T]) -> dict[str, list[T]]:
    """Return what was measured of each in each round; each round begins with another one."""
    found: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            found[name].append(measure(name))
    return found
