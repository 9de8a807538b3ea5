"""What events of a time range are ordered by: their time, and their number where that is the same, as one number."""

from __future__ import annotations

from dd_pa.emulator.query.statement import Statement

_FEWEST = 1 << 20
_BITS = 62
"""Of a BIGINT that is no overflow yet when a time is added to another; what needs more takes twice as long."""


class EventOrder:
    """Makes expressions over events whose time is in the range."""

    def __init__(self, statement: Statement, window: tuple[int, int]) -> None:
        self._start, end = window
        self._length = end - self._start
        bits = max(statement.ceiling, _FEWEST).bit_length()
        self._shift = 1 << bits
        kind = "BIGINT" if self._length.bit_length() + 1 + bits <= _BITS else "HUGEINT"
        self.of_event = f"(ts - {self._start:d})::{kind} * {self._shift:d} + seq"

    def time(self, order: str) -> str:
        """Return the time of the event that has this place in the order."""
        return f"({order} // {self._shift:d} + {self._start:d})::BIGINT"

    def number(self, order: str) -> str:
        """Return its number."""
        return f"({order} % {self._shift:d})::BIGINT"

    def is_within(self, order: str, first: str, milliseconds: int) -> str:
        """Return the condition that it is at most so much later than another."""
        longest = min(milliseconds, self._length) + 1
        return f"{order} < ({first} // {self._shift:d} + {longest:d}) * {self._shift:d}"
