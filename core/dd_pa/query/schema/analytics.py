"""`analytics/*`: events counted, added up and listed. Documented as stable, but for the list."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from msgspec import field

from dd_pa.query.envelope import AnswerPart, Request, RequestPart
from dd_pa.query.numeric_answers import COUNTS, Matrix, Scalar, Timeseries
from dd_pa.query.rows import Row, Rows

Order = Literal["asc", "desc"]


class EventSearch(RequestPart, frozen=True):
    """A search in Datadog's syntax; everything when left out."""

    query: str | None = None


class EventQuery(RequestPart, frozen=True, tag_field="data_source", tag="product_analytics"):
    """Events that a search finds."""

    search: EventSearch = field(default_factory=EventSearch)


class OccurrenceFilter(RequestPart, frozen=True):
    """How often it has to have happened."""

    operator: Literal["=", ">=", "<=", ">", "<"]
    value: str
    """A number, as text."""
    meta: dict[str, str] | None = None


class OccurrenceSearch(RequestPart, frozen=True):
    """A search, and how often an entity has to be found by it."""

    query: str | None = None
    occurrences: OccurrenceFilter | None = None


class OccurrenceQuery(RequestPart, frozen=True, tag_field="data_source", tag="product_analytics_occurrence"):
    """Events of those who did it so often."""

    search: OccurrenceSearch = field(default_factory=OccurrenceSearch)


BaseQuery = EventQuery | OccurrenceQuery


class Compute(RequestPart, frozen=True):
    """What is worked out of the events."""

    aggregation: str
    """`count`, `cardinality`, `sum`, `avg`, `min`, `max`, `median`, `pc95` and so on."""
    metric: str | None = None
    """The facet to aggregate; not for `count`."""
    interval: int | None = None
    """Milliseconds of a bucket; for a timeseries only."""


class GroupSort(RequestPart, frozen=True):
    """Which groups come first; the largest by default."""

    aggregation: str | None = None
    metric: str | None = None
    order: Order | None = None


class GroupBy(RequestPart, frozen=True):
    """A facet whose values make groups."""

    facet: str
    limit: int | None = None
    should_exclude_missing: bool = False
    """True: events without the facet are left out."""
    sort: GroupSort | None = None
    source: str | None = None


class AudienceQuery(RequestPart, frozen=True):
    """Users or accounts that a search finds, under a name for the formula."""

    name: str
    query: str | None = None


class AudienceSegment(RequestPart, frozen=True):
    """A saved segment, under a name for the formula."""

    name: str
    segment_id: str


class AudienceFilters(RequestPart, frozen=True):
    """Whose events count: named sets of users, accounts and segments, combined by a formula (`a AND NOT b`)."""

    users: list[AudienceQuery] | None = None
    accounts: list[AudienceQuery] | None = None
    segments: list[AudienceSegment] | None = None
    formula: str | None = None


class AnalyticsQuery(RequestPart, frozen=True):
    """Which events, what of them, and by which groups."""

    query: BaseQuery
    compute: Compute
    group_by: list[GroupBy] | None = None
    audience_filters: AudienceFilters | None = None
    indexes: list[str] | None = None
    """Deprecated by Datadog; there for completeness."""


class ScalarRequest(Request[Scalar], frozen=True):
    """One number, or one for each group."""

    path: ClassVar[str] = "/api/v2/product-analytics/analytics/scalar"
    resource: ClassVar[str] = "formula_analytics_extended_request"
    told: ClassVar[Any] = Scalar

    from_: int = field(name="from")
    """Epoch milliseconds."""
    to: int
    query: AnalyticsQuery
    request_id: str | None = None
    enforced_execution_type: str | None = None
    """Deprecated by Datadog; there for completeness."""

    def answer(self, told: Scalar) -> Scalar:
        """Return the numbers, counts as integers."""
        return told.counted() if self.query.compute.aggregation in COUNTS else told


class TimeseriesRequest(Request[Timeseries], frozen=True):
    """One number for each time, or one for each group and time; `query.compute.interval` is needed."""

    path: ClassVar[str] = "/api/v2/product-analytics/analytics/timeseries"
    resource: ClassVar[str] = "formula_analytics_extended_request"
    told: ClassVar[Any] = Matrix

    from_: int = field(name="from")
    to: int
    query: AnalyticsQuery
    request_id: str | None = None
    enforced_execution_type: str | None = None

    def answer(self, told: Matrix) -> Timeseries:
        """Return the series with the names of their groups, and counts as integers."""
        compute = self.query.compute
        interval = compute.interval
        buckets = range(self.from_ - self.from_ % interval, self.to, interval) if interval else None
        found = Timeseries.of(told, tuple(group.facet for group in self.query.group_by or ()), buckets)
        return found.counted() if compute.aggregation in COUNTS else found


class ListSort(RequestPart, frozen=True):
    """Which rows come first."""

    facet: str | None = None
    order: Order | None = None


class ListQuery(RequestPart, frozen=True):
    """Which events, which facets of them, and how many."""

    query: BaseQuery
    columns: list[str] | None = None
    sort: ListSort | None = None
    limit: int | None = None
    """1 to 1,000."""
    audience_filters: AudienceFilters | None = None


class Records(AnswerPart, frozen=True):
    """Rows of facets."""

    records: list[Row] = field(default_factory=list)
    total_count: int | None = None
    """How many there are without the limit, where the endpoint says."""

    @property
    def rows(self) -> Rows:
        """The rows, by facet."""
        return Rows(self.records)


class ListRequest(Request[Records], frozen=True):
    """Single events. In preview."""

    path: ClassVar[str] = "/api/v2/product-analytics/analytics/list"
    resource: ClassVar[str] = "formula_analytics_extended_list_request"
    told: ClassVar[Any] = Records

    from_: int = field(name="from")
    to: int
    query: ListQuery
