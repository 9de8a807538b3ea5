from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self


def milliseconds(length: timedelta) -> int:
    """Return a length of time in milliseconds. Raises ValueError unless it is more than 0."""
    found = length // timedelta(milliseconds=1)
    if found <= 0:
        raise ValueError("a length of time must be more than 0")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From when to when."""

    length: int
    """Milliseconds."""
    end: int | None = None
    """Epoch milliseconds; None for the moment at which the query is sent."""

    def at(self, now_ms: int) -> tuple[int, int]:
        """Return its start and its end; what happens in this very millisecond is within."""
        end = now_ms + 1 if self.end is None else self.end
        return end - self.length, end


@dataclass(frozen=True, kw_only=True)
class WindowedQuery:
    """What looks at a window of time; all builders do."""

    window: Window | None = None

    def last(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0, weeks: float = 0
    ) -> Self:
        """Look back so far from the moment at which the query is sent."""
        length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        return replace(self, window=Window(length=milliseconds(length)))

    def between(self, start: datetime, end: datetime) -> Self:
        """Look at the time between two moments. Raises ValueError for one without a time zone."""
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("between() needs moments with a time zone, such as datetime(2026, 11, 25, tzinfo=UTC)")
        return replace(self, window=Window(length=milliseconds(end - start), end=round(end.timestamp() * 1000)))

    def span(self, now_ms: int) -> tuple[int, int]:
        """Return start and end, epoch milliseconds. Raises ValueError where neither was said."""
        if self.window is None:
            raise ValueError("say which time to look at: .last(days=7) or .between(start, end)")
        return self.window.at(now_ms)
