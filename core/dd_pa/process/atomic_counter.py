from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator

HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether one thread runs Python at a time; where it does, that stays so."""


def steps(first: int = 1) -> Callable[[], int]:
    """Return a function that counts from this number: any threads may call it, and none gets the number of another."""
    return atomic(itertools.count(first))


def atomic(counter: Iterator[int], *, has_gil: bool = HAS_GIL) -> Callable[[], int]:
    """Return what takes the next number of an `itertools.count`.

    With the GIL that is one step, and needs no lock. Free threading promises it of no iterator.
    """
    step = counter.__next__
    if has_gil:
        return step
    lock = threading.RLock()  # a signal's handler that tracks interrupts whoever holds it

    def locked() -> int:
        with lock:
            return step()

    return locked


class Tally:
    """A counter that any thread raises, without a lock where there is a GIL."""

    def __init__(self, *, has_gil: bool = HAS_GIL) -> None:
        self._count = itertools.count(1)
        self.add = atomic(self._count, has_gil=has_gil)

    @property
    def value(self) -> int:
        """How often `add` was called."""
        return int(repr(self._count)[len("count(") : -1]) - 1  # the one look at a counter that is no step of it
