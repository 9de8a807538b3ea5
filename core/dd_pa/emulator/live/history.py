"""The rows that are kept: bounded by number and bytes, the oldest go first."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from dd_pa.emulator.live.label import SERVER
from dd_pa.emulator.live.row import Row

MAX_KEPT_BYTES = 128_000_000
"""Bound of all kept bodies and headers together, as they were on the wire; parsed they take several times that."""

_SET_BACK_MS = 1_000


class Rejected(NamedTuple):
    """A request that was not taken, as tests look at it."""

    status: int
    reason: str
    body: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers since start or the last clear."""

    received: int
    """Requests to the intake, taken or not."""
    rejected: int
    """Requests that were not taken."""
    kept: int
    """Requests still here."""
    browser: int
    """Events of browsers still here."""
    oldest: int | None
    """First row still here."""
    seq: int
    """Last row ever given, 0 before the first."""
    rate: float
    """Requests a second over the last five."""

    @property
    def accepted(self) -> int:
        """Requests that were taken."""
        return self.received - self.rejected


class History:
    """Rows in order of arrival. Safe to use from any thread; nothing but `wait` blocks."""

    def __init__(self, kept: int, clock: Callable[[], float], *, kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._clock = clock
        self._changed = threading.Condition()
        self._rows: list[Row] = []
        self._gone = 0
        self._bytes = 0
        self._seq = 0
        self._last_ms = 0
        self._turns: list[int] = []
        """Rows with which time began again, because the clock had been set back."""
        self._received = 0
        self._rejected = 0
        self._browser = 0

    def add(self, build: Callable[[int, int], Row]) -> Row:
        """Keep the row that `build` makes of its number and arrival time."""
        with self._changed:
            self._seq += 1
            self._last_ms = self._now_ms()
            row = build(self._seq, self._last_ms)
            self._rows.append(row)
            self._bytes += row.weight
            if row.kind == SERVER:
                self._received += 1
                self._rejected += not row.accepted
            else:
                self._browser += 1
            self._forget_oldest()
            self._changed.notify_all()
        return row

    def _now_ms(self) -> int:
        """Return the time, which never falls by a little: a clock that is kept right goes back and forth."""
        now = int(self._clock() * 1000)
        if now >= self._last_ms - _SET_BACK_MS:
            return max(self._last_ms, now)
        self._turns.append(self._seq)
        return now

    def _forget_oldest(self) -> None:
        rows = self._rows
        while len(rows) - self._gone > self._kept or (self._bytes > self._kept_bytes and len(rows) - self._gone > 1):
            self._bytes -= rows[self._gone].weight
            self._browser -= rows[self._gone].kind != SERVER
            self._gone += 1
        # Cutting a list moves all of it: do it rarely.
        if self._gone > 1000 and self._gone * 4 > len(rows):
            del rows[: self._gone]
            self._gone = 0
            first = self._seq - len(rows) + 1
            self._turns = [turn for turn in self._turns if turn > first]

    def clear(self) -> None:
        """Forget all rows and counts; numbers go on."""
        with self._changed:
            self._rows, self._turns = [], []
            self._gone = self._bytes = self._received = self._rejected = self._browser = 0

    def renew(self, seq: int, body: object) -> None:
        """Let a row tell more than it did, if it is still here."""
        with self._changed:
            at = seq - self._seq + len(self._rows) - 1
            if at >= self._gone:
                self._rows[at] = replace(self._rows[at], body=body)

    def after(self, seq: int, limit: int | None = None) -> list[Row]:
        """Return rows younger than `seq`, oldest first."""
        with self._changed:
            start = max(self._gone, len(self._rows) - max(0, self._seq - seq))
            return self._rows[start : None if limit is None else start + limit]

    def rows(self, seqs: Iterable[int]) -> list[Row]:
        """Return those of the rows that are still here."""
        with self._changed:
            first = self._seq - len(self._rows) + 1
            oldest = first + self._gone
            return [self._rows[seq - first] for seq in seqs if oldest <= seq <= self._seq]

    def spans(self, start: int | None, end: int | None) -> list[range]:
        """Return the numbers of the rows that came in a time range, `end` not in it; None is no bound.

        It is one span, and one more for each time that the clock was set back.
        """
        with self._changed:
            first = self._seq - len(self._rows) + 1
            edges = [first + self._gone, *(turn for turn in self._turns if turn > first + self._gone), self._seq + 1]
            found = [self._span(first, edge, start, end) for edge in pairwise(edges)]
        return [span for span in found if span]

    def _span(self, first: int, edges: tuple[int, int], start: int | None, end: int | None) -> range:
        low, high = (edge - first for edge in edges)
        begin = low if start is None else bisect_left(self._rows, start, low, high, key=_arrival)
        over = high if end is None else bisect_left(self._rows, end, low, high, key=_arrival)
        return range(first + begin, first + over)

    @property
    def seq(self) -> int:
        """Number of the youngest row ever given."""
        return self._seq

    def counts(self) -> Counts:
        """Return the numbers of this moment."""
        with self._changed:
            kept = len(self._rows) - self._gone
            turn = self._turns[-1] - self._seq + len(self._rows) - 1 if self._turns else 0
            since = bisect_left(self._rows, self._clock() * 1000 - 5000, lo=max(self._gone, turn), key=_arrival)
            return Counts(
                received=self._received,
                rejected=self._rejected,
                kept=kept - self._browser,
                browser=self._browser,
                oldest=self._seq - kept + 1 if kept else None,
                seq=self._seq,
                rate=(len(self._rows) - since) / 5,
            )

    def wait(self, accepted: int, timeout: float) -> None:
        """Block until so many events were taken since start or clear. Raises TimeoutError saying what came instead."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._received - self._rejected < accepted:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(self._shortfall(accepted, timeout))
                self._changed.wait(left)

    def _shortfall(self, wanted: int, timeout: float) -> str:
        reasons = [f"{row.status} {row.reason}" for row in self._rows[self._gone :] if row.reason is not None]
        said = f"; rejected: {', '.join(reasons[-5:])}" if reasons else ""
        return f"{self._received - self._rejected} of {wanted} events arrived within {timeout:g} s{said}"


def _arrival(row: Row) -> int:
    return row.received_ms
