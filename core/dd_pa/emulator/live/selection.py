"""Which rows a search finds, remembered: paging and counting through 100,000 rows scans them once."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dd_pa.emulator.live.history import History
from dd_pa.emulator.live.label import SERVER
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.search.search import Search

Status: TypeAlias = Literal["all", "accepted", "rejected"]
Source: TypeAlias = Literal["server", "all"]
RowCheck: TypeAlias = Callable[[Row], bool]

MAX_SECONDS = 10.0
_REMEMBERED = 16
_ROWS_PER_LOOK_AT_THE_CLOCK = 100


class SearchTimeoutError(Exception):
    """The search took too long; what was found stays remembered, so that asking again goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What the page asks for."""

    search: Search
    """The search text, understood."""
    status: Status = "all"
    """Whether taken or refused requests are wanted."""
    source: Source = "server"
    """Whether events of browsers are wanted too."""

    @property
    def is_choosy(self) -> bool:
        """Say whether not all rows of servers are wanted."""
        return self.search.test is not None or self.status != "all"

    def test(self) -> RowCheck | None:
        """Return one test for all, None when every row passes."""
        found = self.search.test
        if not self.is_choosy and self.source == "all":
            return None
        return lambda row: self._is_of_kind(row) and (found is None or found(row))

    def _is_of_kind(self, row: Row) -> bool:
        if self.source == "server" and row.kind != SERVER:
            return False
        return self.status == "all" or (row.reason is None) == (self.status == "accepted")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for."""

    filter: Filter
    """By search, status and source."""
    moments: tuple[int | None, int | None]
    """When they came, the end not included; None is no bound."""


class Selections:
    """Finds rows. Blocks while it scans: call it on a worker thread. Safe to use from several at once."""

    def __init__(self, history: History, stopped: Callable[[], bool], *, seconds: float = MAX_SECONDS) -> None:
        self._history = history
        self._stopped = stopped
        self._seconds = seconds
        self._lock = threading.Lock()
        self._remembered: OrderedDict[tuple[str, Status, Source], _Selection] = OrderedDict()

    def find(self, wanted: Filter) -> Sequence[int]:
        """Return the numbers of all kept rows that match, rising. Raises SearchTimeoutError when it takes too long."""
        counts = self._history.counts()
        oldest = counts.seq + 1 if counts.oldest is None else counts.oldest
        test = wanted.test() if counts.browser or wanted.is_choosy else None
        if test is None:
            return range(oldest, counts.seq + 1)
        selection = self._remember((wanted.search.text, wanted.status, wanted.source), test)
        deadline = time.monotonic() + self._seconds
        return selection.find(self._history, oldest, lambda: self._stopped() or time.monotonic() > deadline)

    def _remember(self, key: tuple[str, Status, Source], test: RowCheck) -> _Selection:
        with self._lock:
            selection = self._remembered.pop(key, None) or _Selection(test)
            self._remembered[key] = selection
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
            return selection


class _Selection:
    """What one test found so far; scans only rows that came since."""

    def __init__(self, test: RowCheck) -> None:
        self._test = test
        self._lock = threading.Lock()
        self._scanned = 0
        self._found: list[int] = []

    def find(self, history: History, oldest: int, stopped: Callable[[], bool]) -> list[int]:
        with self._lock:
            del self._found[: bisect_left(self._found, oldest)]
            rows = history.after(self._scanned)
            for start in range(0, len(rows), _ROWS_PER_LOOK_AT_THE_CLOCK):
                if stopped():
                    raise SearchTimeoutError
                chunk = rows[start : start + _ROWS_PER_LOOK_AT_THE_CLOCK]
                self._found.extend(row.seq for row in chunk if self._test(row))
                self._scanned = chunk[-1].seq
            return self._found.copy()
