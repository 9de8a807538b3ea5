"""Which events a question can be about: what reads files leaves the others alone."""

from __future__ import annotations

from typing import NamedTuple


class Extent(NamedTuple):
    """Bounds of what a statement looks at. Its conditions hold beside them: what is outside would change nothing."""

    times: tuple[int, int] | None = None
    """From and to, epoch milliseconds, both included."""
    numbers: tuple[int, int] | None = None
    """First and last number of an event."""


EVERYTHING = Extent()


class Stretch(NamedTuple):
    """Some events that follow each other, for those who look for the newest and need not look at all."""

    first: int
    last: int
    """Numbers of the first and last event."""
    before: int
    """Number from which on a session that has its last event here is whole, if it is no longer than a day."""
    start: int
    """The earliest time of its events, epoch milliseconds; 0 where nothing is older."""
