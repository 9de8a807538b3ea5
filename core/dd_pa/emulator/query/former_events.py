"""Events that the list no longer holds, or never did, read from the warehouse."""

from __future__ import annotations

import json
import threading
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, NamedTuple

from dd_pa.emulator.http.answers import ACCEPTED
from dd_pa.emulator.live.history import History
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.live.selection import Wanted
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.search.grammar import parse_search
from dd_pa.emulator.warehouse.extent import Extent
from dd_pa.emulator.warehouse.query_deadline import AbandonedError, QueryDeadline, QueryTimeoutError
from dd_pa.emulator.warehouse.warehouse import MAX_SECONDS, Warehouse

ALWAYS = 2**53
_SECONDS_TO_COUNT = 5.0
FORMER = 2**40
"""Numbers of the warehouse are so much larger than those of its rows in lists, which are negative."""


class Numbers:
    """Which number of the warehouse each row of the list has. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows = array("q")
        self._numbers = array("q")

    def note(self, row: int, number: int) -> None:
        """Remember a row, the youngest."""
        with self._lock:
            self._rows.append(row)
            self._numbers.append(number)

    def first_from(self, row: int) -> int | None:
        """Return the number of the first that is not older than a row, None where there is none; forget older ones."""
        with self._lock:
            at = bisect_left(self._rows, row)
            del self._rows[:at], self._numbers[:at]
            return self._numbers[0] if self._numbers else None


class FormerPage(NamedTuple):
    """Some events, the youngest first."""

    rows: list[Row]
    following: int | None
    """The number below which the next page begins; None after the last one."""


@dataclass(frozen=True, slots=True)
class FormerEvents:
    """Reads events of the warehouse that are no rows of the list any more, or never were."""

    history: History
    numbers: Numbers
    warehouse: Warehouse

    def limit(self) -> int:
        """Return the number from which on all events are rows of the list."""
        following = self.warehouse.next
        oldest = self.history.counts().oldest
        found = None if oldest is None else self.numbers.first_from(oldest)
        return following if found is None else found

    def count(self, wanted: Wanted) -> int | None:
        """Return how many match, None where to count them takes long. Raises WarehouseError."""
        if self._is_nothing(wanted):
            return 0
        statement = Statement(self.warehouse, QueryDeadline(_SECONDS_TO_COUNT))
        counted = f"SELECT count(*) FROM events WHERE {self._condition(statement, wanted, ALWAYS)}"
        try:
            [(found,)] = statement.rows(counted, _extent(wanted))
        except QueryTimeoutError:
            return None
        return int(found)

    def _is_nothing(self, wanted: Wanted) -> bool:
        return wanted.filter.status == "rejected" or self.limit() <= 1

    def counts(self, wanted: Wanted, bucket: int) -> list[tuple[int, int]]:
        """Return how many match by the beginning of their bucket (ms). Raises WarehouseError and QueryTimeoutError."""
        if self._is_nothing(wanted):
            return []
        statement = Statement(self.warehouse)
        condition, length = self._condition(statement, wanted, ALWAYS), statement.bind(bucket)
        counted = f"SELECT ts - ts % {length} AS b, count(*) FROM events WHERE {condition} GROUP BY b"
        rows = statement.rows(counted, _extent(wanted))
        return [(start, count) for start, count in rows]

    def page(self, wanted: Wanted, before: int, limit: int) -> FormerPage:
        """Return events, looking through the newest ones first: a page may have fewer where that took long.

        Raises WarehouseError and QueryTimeoutError.
        """
        if self._is_nothing(wanted):
            return FormerPage([], None)
        statement = Statement(self.warehouse, QueryDeadline(MAX_SECONDS))
        times: dict[int, int] = {}
        following: int | None = None
        for stretch in self.warehouse.stretches(min(before, self.limit())):
            try:
                times |= self._newest(statement, wanted, (stretch.first, stretch.last), limit - len(times))
            except AbandonedError:
                raise
            except QueryTimeoutError:
                if following is None:
                    raise
                break
            following = stretch.first
            if len(times) == limit:
                following = min(times)
                break
        else:
            following = None
        bodies = Statement(self.warehouse).bodies(list(times))
        return FormerPage([former_row(number, times[number], body) for number, body in bodies.items()], following)

    def _newest(self, statement: Statement, wanted: Wanted, numbers: tuple[int, int], limit: int) -> dict[int, int]:
        """Return the times of the newest of some events by their numbers."""
        first, last = numbers
        condition = f"{self._condition(statement, wanted, last + 1)} AND seq >= {statement.bind(first)}"
        chosen = f"SELECT seq, ts FROM events WHERE {condition} ORDER BY seq DESC LIMIT {limit:d}"
        return dict(statement.rows(chosen, _extent(wanted)._replace(numbers=numbers)))

    def _condition(self, statement: Statement, wanted: Wanted, before: int) -> str:
        start, end = wanted.moments
        parts = [
            statement.search(parse_search(wanted.filter.search.text)),
            f"seq < {statement.bind(min(before, self.limit()))}",
            f"ts >= {statement.bind(start or 0)}",
            "true" if end is None else f"ts < {statement.bind(end)}",
            "true" if wanted.filter.source == "all" else f"{statement.text('type')} = 'server'",
        ]
        return " AND ".join(parts)

    def row(self, number: int) -> Row | None:
        """Return one event, None if it is not there. Raises WarehouseError and QueryTimeoutError."""
        statement = Statement(self.warehouse)
        one = f"SELECT seq, ts, body FROM events WHERE seq = {statement.bind(number)}"
        rows = statement.rows(one, Extent(numbers=(number, number)))
        return former_row(*rows[0]) if rows else None


def _extent(wanted: Wanted) -> Extent:
    start, end = wanted.moments
    return Extent(times=(start or 0, ALWAYS if end is None else end))


def former_row(seq: int, ts: int, content: str) -> Row:
    """Return an event of the warehouse as a row; its number is negative, and rises with time."""
    body: dict[str, Any] = json.loads(content)
    kind = body.get("type")
    return Row(
        seq=seq - FORMER,
        received_ms=ts,
        status=202,
        reason=None,
        reason_path=None,
        body=body,
        raw=None,
        size=len(content),
        encoding=None,
        headers=(),
        answer=ACCEPTED,
        kind=kind if isinstance(kind, str) else "server",
    )
