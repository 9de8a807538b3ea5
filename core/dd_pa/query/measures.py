"""Queries that read as a sentence: `events("order.placed").where("@plan:pro").count().by("@country").last(days=7)`.

Each call returns a new value; one that is complete can be run again and again, and looks back from each time anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, Self

from dd_pa.query import search_terms as text
from dd_pa.query.schema.analytics import (
    AnalyticsQuery,
    AudienceFilters,
    AudienceQuery,
    AudienceSegment,
    BaseQuery,
    Compute,
    EventQuery,
    EventSearch,
    GroupBy,
    GroupSort,
    ListQuery,
    ListRequest,
    ListSort,
    OccurrenceFilter,
    OccurrenceQuery,
    OccurrenceSearch,
    Order,
    ScalarRequest,
    TimeseriesRequest,
)
from dd_pa.query.window import WindowedQuery, milliseconds

Operator = Literal["=", ">=", "<=", ">", "<"]


def events(*names: str) -> Events:
    """Begin with server events of these names, or of any."""
    return Events(parts=text.named(names))


def search(query: str) -> Events:
    """Begin with whatever a search finds: views and actions of the browser, too."""
    return Events(parts=(query.strip() or "*",))


def audience(
    *,
    users: Mapping[str, str] | None = None,
    accounts: Mapping[str, str] | None = None,
    segments: Mapping[str, str] | None = None,
    formula: str | None = None,
) -> AudienceFilters:
    """Say whose events count: searches for users and accounts, and segments, each under a name for the formula."""
    return AudienceFilters(
        users=[AudienceQuery(name=name, query=query) for name, query in (users or {}).items()] or None,
        accounts=[AudienceQuery(name=name, query=query) for name, query in (accounts or {}).items()] or None,
        segments=[AudienceSegment(name=name, segment_id=found) for name, found in (segments or {}).items()] or None,
        formula=formula,
    )


@dataclass(frozen=True, kw_only=True)
class Events(WindowedQuery):
    """Which events; next say what of them: `count()`, `sum("@order.total")` and so on, or `list()`."""

    parts: tuple[str, ...]
    occurrences: OccurrenceFilter | None = None
    filters: AudienceFilters | None = None

    def where(self, query: str) -> Self:
        """Only those that a search finds too. For a value that comes from somebody else use `having()`."""
        return replace(self, parts=(*(part for part in self.parts if part != "*"), text.grouped(query)))

    def having(self, facet: str, *values: text.Value) -> Self:
        """Only those whose attribute is one of these values exactly; whatever is in them, they stay values."""
        return replace(self, parts=(*(part for part in self.parts if part != "*"), text.equals(facet, *values)))

    def occurring(self, operator: Operator, times: int) -> Self:
        """Only those of whom did it so often: `.occurring(">=", 3)`."""
        return replace(self, occurrences=OccurrenceFilter(operator=operator, value=str(times)))

    def of(self, audience: AudienceFilters) -> Self:
        """Only those of an audience."""
        return replace(self, filters=audience)

    @property
    def query(self) -> str:
        """The search, as it is sent."""
        return " ".join(self.parts)

    def base_query(self) -> BaseQuery:
        """Return the part of a request that says which events."""
        if self.occurrences is None:
            return EventQuery(search=EventSearch(query=self.query))
        return OccurrenceQuery(search=OccurrenceSearch(query=self.query, occurrences=self.occurrences))

    def count(self) -> Measure:
        """Count them."""
        return self.aggregate("count")

    def distinct(self, facet: str) -> Measure:
        """Count the different values of a facet: `.distinct("@usr.id")` counts users."""
        return self.aggregate("cardinality", facet)

    def sum(self, facet: str) -> Measure:
        """Add up a facet."""
        return self.aggregate("sum", facet)

    def avg(self, facet: str) -> Measure:
        """Take the mean of a facet."""
        return self.aggregate("avg", facet)

    def min(self, facet: str) -> Measure:
        """Take the least value of a facet."""
        return self.aggregate("min", facet)

    def max(self, facet: str) -> Measure:
        """Take the greatest value of a facet."""
        return self.aggregate("max", facet)

    def median(self, facet: str) -> Measure:
        """Take the median of a facet."""
        return self.aggregate("median", facet)

    def percentile(self, facet: str, percent: int) -> Measure:
        """Take a percentile of a facet: 95 is what 95 of 100 values do not exceed."""
        if not 0 < percent < 100:
            raise ValueError("a percentile lies between 1 and 99")
        return self.aggregate(f"pc{percent}", facet)

    def aggregate(self, aggregation: str, facet: str | None = None) -> Measure:
        """Work out something else that Datadog knows, by its name there."""
        return Measure(events=self, compute=Compute(aggregation=aggregation, metric=facet), window=self.window)

    def list(
        self, *columns: str, limit: int | None = None, sort: str | None = None, order: Order | None = None
    ) -> Listing:
        """Return single events, 1,000 at most: these facets of each. In preview at Datadog."""
        sorting = ListSort(facet=sort, order=order) if sort or order else None
        query = ListQuery(
            query=self.base_query(),
            columns=[*columns] or None,
            sort=sorting,
            limit=limit,
            audience_filters=self.filters,
        )
        return Listing(query=query, window=self.window)


@dataclass(frozen=True, kw_only=True)
class Measure(WindowedQuery):
    """A number of some events, or one for each group of them."""

    events: Events
    compute: Compute
    groups: tuple[GroupBy, ...] = ()

    def by(
        self,
        *facets: str,
        limit: int | None = None,
        order: Order | None = None,
        sort_by: tuple[str, str | None] | None = None,
        exclude_missing: bool = False,
    ) -> Self:
        """Make groups by facets, after those that there are; `limit` and the order hold for each of these.

        `sort_by` names another aggregation to order by, and its facet: `("sum", "@order.total")`.
        """
        aggregation, metric = sort_by or (None, None)
        sort = GroupSort(aggregation=aggregation, metric=metric, order=order) if order or sort_by else None
        added = [
            GroupBy(facet=facet, limit=limit, should_exclude_missing=exclude_missing, sort=sort) for facet in facets
        ]
        return replace(self, groups=(*self.groups, *added))

    def every(
        self, interval: timedelta | None = None, *, days: float = 0, hours: float = 0, minutes: float = 0
    ) -> Series:
        """Return one number for each time of this length, instead of one for all."""
        length = interval or timedelta(days=days, hours=hours, minutes=minutes)
        return Series(measure=self, interval=milliseconds(length))

    def analytics_query(self, interval: int | None = None) -> AnalyticsQuery:
        """Return the part of a request that says what to work out."""
        return AnalyticsQuery(
            query=self.events.base_query(),
            compute=Compute(aggregation=self.compute.aggregation, metric=self.compute.metric, interval=interval),
            group_by=[*self.groups] or None,
            audience_filters=self.events.filters,
        )

    def request(self, now_ms: int) -> ScalarRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.span(now_ms)
        return ScalarRequest(from_=start, to=end, query=self.analytics_query())


@dataclass(frozen=True, kw_only=True)
class Series:
    """A measure over time."""

    measure: Measure
    interval: int
    """Milliseconds."""

    def request(self, now_ms: int) -> TimeseriesRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.measure.span(now_ms)
        return TimeseriesRequest(from_=start, to=end, query=self.measure.analytics_query(self.interval))


@dataclass(frozen=True, kw_only=True)
class Listing(WindowedQuery):
    """Single events."""

    query: ListQuery

    def request(self, now_ms: int) -> ListRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.span(now_ms)
        return ListRequest(from_=start, to=end, query=self.query)
