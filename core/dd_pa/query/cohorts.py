from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self, TypeVar

from dd_pa.query.funnels import as_events
from dd_pa.query.measures import Events
from dd_pa.query.schema.analytics import AudienceFilters
from dd_pa.query.schema.retention import (
    CalendarInterval,
    CalendarUnit,
    CalendarValue,
    CellScope,
    CohortCriteria,
    ColumnPath,
    IndexTarget,
    RetentionColumn,
    RetentionCompute,
    RetentionEntity,
    RetentionFilters,
    RetentionGridRequest,
    RetentionGroupBy,
    RetentionListQuery,
    RetentionListRequest,
    RetentionMetric,
    RetentionQuery,
    RetentionScalarRequest,
    RetentionSearch,
    RetentionTimeseriesRequest,
    ReturnCriteria,
)
from dd_pa.query.window import WindowedQuery

R = TypeVar("R", RetentionGridRequest, RetentionScalarRequest, RetentionTimeseriesRequest)

WEEK = CalendarValue(type="week")


def retention(first: str | Events, returning: str | Events | None = None) -> RetentionBuilder:
    """Ask who came back: did `first`, and in a later period `returning` (`first` again when left out).

    Each is an event's name, or `events(…)` or `search(…)`. Users by weeks, unless something else is said.
    """
    return RetentionBuilder(first=as_events(first), returning=None if returning is None else as_events(returning))


@dataclass(frozen=True, kw_only=True)
class RetentionBuilder(WindowedQuery):
    """Who came back; run it for the grid, or go on with `scalar()`, `over_time()` or `entities()`."""

    first: Events
    returning: Events | None = None
    entity: RetentionEntity = "@usr.id"
    period: CalendarValue = WEEK
    later_too: bool = False
    metric: RetentionMetric = "__dd.retention_rate"
    filter: str | None = None
    audience: AudienceFilters | None = None
    groups: tuple[RetentionGroupBy, ...] = ()
    identified_only: bool = False

    def by_user(self) -> Self:
        """Follow users."""
        return replace(self, entity="@usr.id")

    def by_account(self) -> Self:
        """Follow accounts."""
        return replace(self, entity="@account.id")

    def every(
        self,
        unit: CalendarUnit,
        quantity: int | None = None,
        *,
        alignment: str | None = None,
        timezone: str | None = None,
    ) -> Self:
        """Make cohorts by so many calendar units: `.every("week", alignment="monday", timezone="UTC")`."""
        period = CalendarValue(type=unit, quantity=quantity, alignment=alignment, timezone=timezone)
        return replace(self, period=period)

    def or_later(self) -> Self:
        """Count a return in a period also for the periods before it."""
        return replace(self, later_too=True)

    def counted(self) -> Self:
        """Work out how many came back, instead of which part."""
        return replace(self, metric="__dd.retention")

    def where(self, query: str) -> Self:
        """Only events that a search finds."""
        return replace(self, filter=query)

    def of(self, audience: AudienceFilters) -> Self:
        """Only an audience."""
        return replace(self, audience=audience)

    def identified(self) -> Self:
        """Leave out sessions without a user."""
        return replace(self, identified_only=True)

    def by(self, facet: str, *, of: Literal["cohort", "return_period"] = "cohort", limit: int | None = None) -> Self:
        """Make groups by a facet, of the first event or of the returning one."""
        return replace(self, groups=(*self.groups, RetentionGroupBy(facet=facet, target=of, limit=limit)))

    def retention_search(self) -> RetentionSearch:
        """Return the part of a request that says who is followed."""
        filters = RetentionFilters(audience_filters=self.audience, string_filter=self.filter)
        return RetentionSearch(
            cohort_criteria=CohortCriteria(
                base_query=self.first.base_query(), time_interval=CalendarInterval(value=self.period)
            ),
            retention_entity=self.entity,
            return_condition="conversion_on_or_after" if self.later_too else "conversion_on",
            return_criteria=None if self.returning is None else ReturnCriteria(base_query=self.returning.base_query()),
            filters=None if filters == RetentionFilters() else filters,
        )

    def asked(self, kind: type[R], now_ms: int) -> R:
        """Return one of the requests that ask about all of it, as it is to be sent at this time."""
        start, end = self.span(now_ms)
        query = RetentionQuery(
            search=self.retention_search(),
            compute=RetentionCompute(metric=self.metric, aggregation="count"),
            group_by=[*self.groups] or None,
        )
        return kind(from_=start, to=end, query=query, exclude_anonymous_traffic=self.identified_only)

    def request(self, now_ms: int) -> RetentionGridRequest:
        """Return the request as it is to be sent at this time."""
        return self.asked(RetentionGridRequest, now_ms)

    def scalar(self) -> RetentionNumber:
        """Return one number, or one for each group."""
        return RetentionNumber(retention=self)

    def over_time(self) -> RetentionSeries:
        """Return the numbers over time."""
        return RetentionSeries(retention=self)

    def entities(self, *columns: str, cohort: int, period: int, limit: int | None = None) -> RetentionEntities:
        """List who is in one cell of the grid, with these facets; both are counted from 0."""
        scope = CellScope(cohort_target=IndexTarget(value=cohort), return_period_target=IndexTarget(value=period))
        query = RetentionListQuery(
            search=self.retention_search(),
            computation_scope=scope,
            columns=[RetentionColumn(field=ColumnPath(path=column)) for column in columns] or None,
            limit=limit,
        )
        return RetentionEntities(query=query, window=self.window)


@dataclass(frozen=True, kw_only=True)
class RetentionNumber:
    """A number about who came back."""

    retention: RetentionBuilder

    def request(self, now_ms: int) -> RetentionScalarRequest:
        """Return the request as it is to be sent at this time."""
        return self.retention.asked(RetentionScalarRequest, now_ms)


@dataclass(frozen=True, kw_only=True)
class RetentionSeries:
    """The same, over time."""

    retention: RetentionBuilder

    def request(self, now_ms: int) -> RetentionTimeseriesRequest:
        """Return the request as it is to be sent at this time."""
        return self.retention.asked(RetentionTimeseriesRequest, now_ms)


@dataclass(frozen=True, kw_only=True)
class RetentionEntities(WindowedQuery):
    """Who is in one cell."""

    query: RetentionListQuery

    def request(self, now_ms: int) -> RetentionListRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.span(now_ms)
        return RetentionListRequest(from_=start, to=end, query=self.query)
