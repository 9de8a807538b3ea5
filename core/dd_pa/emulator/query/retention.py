"""Who came back: cohorts by their first event, and what share of them returned in each period after it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dd_pa.emulator.query.calendar import CalendarInterval
from dd_pa.emulator.query.fields import Fields, window_of
from dd_pa.emulator.query.grouping import MISSING
from dd_pa.emulator.query.request import Request, Scope
from dd_pa.emulator.query.segments import Segment, best, read_segment

MAX_PERIODS = 100
_DAY_MS = 24 * 3600 * 1000
_FIXED = {"day": _DAY_MS, "week": 7 * _DAY_MS, "month": 30 * _DAY_MS}


@dataclass(frozen=True, slots=True)
class Cohort:
    """Everybody whose first event is in one interval."""

    start: int
    end: int
    periods: tuple[tuple[int, int], ...]
    """Start and end of the return periods that begin in the time range."""


@dataclass(frozen=True, slots=True)
class Member:
    """One user or account."""

    id: str
    cohort: int
    first: int
    """When it did what made it a member."""
    group: tuple[str, ...]


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

    def members(self) -> list[Member]:
        """Return everybody who did what makes a member, by the cohort of the first time in the range."""
        statement = self._request.statement
        who = statement.text(self.entity[1:])
        missing = statement.bind(MISSING)
        texts = [f"{group.dimension.text(statement)} AS g{n}" for n, group in enumerate(self.groups)]
        groups = [f"arg_min(coalesce(g{n}, {missing}), (ts, seq))" for n in range(len(self.groups))]
        rows = statement.rows(
            f"SELECT {', '.join(['k', 'min(ts)', *groups])} "
            f"FROM (SELECT {', '.join([f'{who} AS k', 'ts', 'seq', *texts])} FROM events WHERE {self._first}) "
            "WHERE k IS NOT NULL GROUP BY k ORDER BY k"
        )
        found = [Member(row[0], self._cohort_at(row[1]), row[1], row[2:]) for row in rows]
        return self._within([member for member in found if self._is_wanted(member)])

    def _is_wanted(self, member: Member) -> bool:
        tagged = zip(member.group, self.groups, strict=True)
        return all(not group.exclude_missing or tag != MISSING for tag, group in tagged)

    def _within(self, members: list[Member]) -> list[Member]:
        """Return the members of the groups within the limits, the largest first."""
        sizes = Counter(member.group for member in members)
        kept = {tags for tags, _ in best(list(sizes.items()), self.groups, float)}
        return [member for member in members if member.group in kept]

    def _cohort_at(self, moment: int) -> int:
        return bisect_right(self.cohorts, moment, key=lambda cohort: cohort.end)

    def returned(self, members: Sequence[Member]) -> dict[str, set[int]]:
        """Return for each member the periods it returned in, its own first event or a later one counting."""
        known = {member.id: member for member in members}
        statement = self._request.statement
        who = statement.text(self.entity[1:])
        slot = self._slot_ms()
        # One row for each time slot in which somebody did something is enough, and far less than all events.
        rows = statement.rows(
            f"SELECT {who} AS k, max(ts) FROM events WHERE {self._return} AND {who} IS NOT NULL "
            f"GROUP BY k, ts // {statement.bind(slot)}"
        )
        found: dict[str, set[int]] = defaultdict(set)
        # Periods follow each other without a gap.
        starts = [[start for start, _ in cohort.periods] for cohort in self.cohorts]
        for identity, moment in rows:
            statement.deadline.check()
            member = known.get(identity)
            if member is None or moment < member.first:
                continue
            last = bisect_right(starts[member.cohort], moment) - 1
            if self._later:
                found[identity].update(range(last + 1))
            elif last >= 0 and moment < self.cohorts[member.cohort].periods[last][1]:
                found[identity].add(last)
        return found

    def _slot_ms(self) -> int:
        """Return a length of time that divides every period, so that no slot lies in two of them."""
        moments = [moment for cohort in self.cohorts for period in cohort.periods for moment in period]
        return next(
            slot for slot in (_DAY_MS, 3_600_000, 900_000, 60_000, 1_000, 1) if all(at % slot == 0 for at in moments)
        )

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
