"""Who came back: cohorts by their first event, and what share of them returned in each period after it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from dd_pa.emulator.query.calendar import CalendarInterval
from dd_pa.emulator.query.grouping import MISSING
from dd_pa.emulator.query.request import Request, Scope
from dd_pa.emulator.query.request_fields import Fields, window_of
from dd_pa.emulator.query.segments import Segment, best, read_segment
from dd_pa.emulator.warehouse.extent import Extent

MAX_PERIODS = 100
Line: TypeAlias = tuple[int, tuple[str, ...]]
"""The number of a cohort, and one of its groups."""
_DAY_MS = 24 * 3600 * 1000
_FIXED = {"day": _DAY_MS, "week": 7 * _DAY_MS, "month": 30 * _DAY_MS}


@dataclass(frozen=True, slots=True)
class Cohort:
    """Everybody whose first event is in one interval."""

    start: int
    end: int
    periods: tuple[tuple[int, int], ...]
    """Start and end of the return periods that begin in the time range."""


class Retention:
    """The members of each cohort, and in which periods they returned."""

    def __init__(self, request: Request) -> None:
        self._request = request
        query = request.attributes.member("query")
        search = query.member("search")
        self.window = window_of(request.attributes)
        self.entity = search.choice("retention_entity", ("@usr.id", "@account.id"))
        self._later = search.choice("return_condition", ("conversion_on", "conversion_on_or_after")).endswith("after")
        criteria = search.member("cohort_criteria")
        interval = criteria.member("time_interval")
        interval.choice("type", ("calendar",))
        self._interval = CalendarInterval.read(interval.member("value"))
        returning = search.member("return_criteria") if "return_criteria" in search else criteria
        self._fixed = _fixed(returning) if returning is not criteria and "time_interval" in returning else None
        self.cohorts = self._cohorts(interval)
        self.unit, self.length = self._period()
        self.groups = _groups(query)
        scope = Scope(request.statement, self.window, request.audience)
        filters = search.optional("filters")
        everywhere = (
            f"{scope.audience(filters)} AND {scope.identified(request.attributes)} "
            f"AND {request.statement.search(filters.search('string_filter'))}"
        )
        self._first = f"{scope.events(criteria.member('base_query'))} AND {everywhere}"
        self._return = f"{scope.events(returning.member('base_query'))} AND {everywhere}"

    def _cohorts(self, interval: Fields) -> list[Cohort]:
        start, end = self.window
        bounds = self._interval.bounds(start, end)
        if len(bounds) - 1 > MAX_PERIODS:
            raise interval.wrong("value", f"is too short: there would be more than {MAX_PERIODS} cohorts")
        pairs = list(pairwise(bounds))
        return [Cohort(low, high, self._periods(low, pairs[number:])) for number, (low, high) in enumerate(pairs)]

    def _periods(self, start: int, pairs: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        if self._fixed is None:
            return tuple(pairs)
        length, end = self._fixed[2], self.window[1]
        count = min(MAX_PERIODS, (end - start) // length + 1)
        return tuple((start + n * length, start + (n + 1) * length) for n in range(count))

    def _period(self) -> tuple[str, int]:
        if self._fixed is None:
            return self._interval.unit, self._interval.quantity
        return self._fixed[0], max(1, round(self._fixed[1]))

    def counts(self) -> tuple[dict[Line, int], dict[Line, Counter[int]]]:
        """Return how many are in each line, and how many of them returned in each period; the groups within the limits.

        A return is the event that made somebody a member, or a later one.
        """
        line = ", ".join(["c", *self._names])
        rows = self._request.statement.rows(
            f"{self._tables()} SELECT {line}, NULL AS p, count(*) FROM member GROUP BY ALL "
            f"UNION ALL SELECT {line}, p, count(*) FROM came GROUP BY ALL",
            Extent(times=self.window),
        )
        sizes: dict[Line, int] = {}
        returned: dict[Line, Counter[int]] = defaultdict(Counter)
        for cohort, *tags, period, count in rows:
            if period is None:
                sizes[cohort, tuple(tags)] = count
            else:
                # Who counts "on or after" is told once, with the last period.
                periods = range(period + 1) if self._later else (period,)
                returned[cohort, tuple(tags)].update(dict.fromkeys(periods, count))
        kept = self._within(sizes)
        return {line: size for line, size in sizes.items() if line[1] in kept}, returned

    def who_came(self, period: int) -> list[tuple[int, str]]:
        """Return cohort and id, in the order of ids, of who returned in a period; of the groups within the limits."""
        statement = self._request.statement
        then = f"p {'>=' if self._later else '='} {statement.bind(period)} AND p < {MAX_PERIODS:d}"
        rows = statement.rows(
            f"{self._tables()} SELECT k IN (SELECT k FROM came WHERE {then}), {self._columns} FROM member ORDER BY k",
            Extent(times=self.window),
        )
        kept = self._within(Counter((cohort, tuple(tags)) for _, _, cohort, *tags in rows))
        return [(cohort, k) for came, k, cohort, *tags in rows if came and tuple(tags) in kept]

    def _within(self, sizes: Mapping[Line, int]) -> set[tuple[str, ...]]:
        """Return the groups within the limits, which keep the largest."""
        by_group: Counter[tuple[str, ...]] = Counter()
        for (_, group), size in sizes.items():
            by_group[group] += size
        return {tags for tags, _ in best(list(by_group.items()), self.groups, float)}

    @property
    def _names(self) -> list[str]:
        return [f"g{n}" for n in range(len(self.groups))]

    @property
    def _columns(self) -> str:
        return ", ".join(["k", "c", *self._names])

    def _tables(self) -> str:
        """Return the tables `member` (id k, first event, cohort c, groups) and `came` (k, c, groups, period p).

        DuckDB counts them: to see each return of a million events here would take a second.
        """
        statement = self._request.statement
        who = statement.text(self.entity[1:])
        missing = statement.bind(MISSING)
        named = list(zip(self._names, self.groups, strict=True))
        texts = [f"{group.dimension.text(statement)} AS {name}" for name, group in named]
        first = [f"arg_min(coalesce({name}, {missing}), (ts, seq)) AS {name}" for name in self._names]
        wanted = [f"{name} <> {missing}" for name, group in named if group.exclude_missing]
        period = self._period_of("ts")
        came = f"max({period}) AS p" if self._later else f"{period} AS p"
        return (
            f"WITH firsts AS (SELECT {', '.join(['k', 'min(ts) AS first', *first])} "
            f"FROM (SELECT {', '.join([f'{who} AS k', 'ts', 'seq', *texts])} FROM events WHERE {self._first}) "
            "WHERE k IS NOT NULL GROUP BY k), "
            f"member AS MATERIALIZED (SELECT *, {self._interval_of('first')} AS c FROM firsts "
            f"WHERE {' AND '.join(wanted) or 'true'}), "
            f"came AS (SELECT {self._columns}, {came} "
            f"FROM (SELECT {who} AS k, ts FROM events WHERE {self._return}) JOIN member USING (k) "
            f"WHERE ts >= first GROUP BY {self._columns}{'' if self._later else ', p'})"
        )

    def _interval_of(self, moment: str) -> str:
        """Return the number of the calendar interval that a moment is in, found by halving."""

        def between(low: int, high: int) -> str:
            if high - low == 1:
                return f"{low:d}"
            middle = (low + high) // 2
            start = self.cohorts[middle].start
            return f"CASE WHEN {moment} < {start:d} THEN {between(low, middle)} ELSE {between(middle, high)} END"

        return between(0, len(self.cohorts))

    def _period_of(self, moment: str) -> str:
        """Return the number of the return period of the cohort c that a moment is in."""
        if self._fixed is None:
            return f"{self._interval_of(moment)} - c"
        starts = self._request.statement.bind([cohort.start for cohort in self.cohorts])
        last = MAX_PERIODS - 1 if self._later else MAX_PERIODS
        return f"least(({moment} - ({starts}::BIGINT[])[c + 1]) // {self._fixed[2]:d}, {last:d})"

    def is_partial(self, period: tuple[int, int]) -> bool:
        """Say whether a period was not over at the end of the time range, or is not yet."""
        return period[1] > min(self.window[1] + 1, self._request.now_ms)


def _fixed(returning: Fields) -> tuple[str, float, int]:
    """Return unit, quantity and length in ms."""
    interval = returning.member("time_interval")
    interval.choice("type", ("fixed",))
    unit, value = interval.choice("unit", tuple(_FIXED)), interval.number("value")
    return unit, value, max(1, round(_FIXED[unit] * value))


def _groups(query: Fields) -> list[Segment]:
    """Read `group_by`: of the event that made somebody a member."""
    found = query.members("group_by")
    for group in found:
        if group.choice("target", ("cohort", "return_period")) == "return_period":
            raise group.wrong("target", "must be cohort: the emulator knows no groups by return period")
    return [read_segment(group) for group in found]
