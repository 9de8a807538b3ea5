"""`retention/*`: who came back. In preview."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from msgspec import field

from dd_pa.query.envelope import AnswerPart, Number, Request, RequestPart
from dd_pa.query.numeric_answers import Matrix, Scalar, Timeseries, Unit
from dd_pa.query.rows import Rows
from dd_pa.query.schema.analytics import AudienceFilters, BaseQuery, GroupSort, Records

RetentionEntity = Literal["@usr.id", "@account.id"]
ReturnCondition = Literal["conversion_on", "conversion_on_or_after"]
RetentionMetric = Literal["__dd.retention", "__dd.retention_rate"]
CalendarUnit = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]


class CalendarValue(RequestPart, frozen=True):
    """Calendar units, from where they begin (`monday`, `1am`, `1st`)."""

    type: CalendarUnit
    quantity: int | None = None
    alignment: str | None = None
    timezone: str | None = None


class CalendarInterval(RequestPart, frozen=True, tag_field="type", tag="calendar"):
    """A period of the calendar."""

    value: CalendarValue


class FixedInterval(RequestPart, frozen=True, tag_field="type", tag="fixed"):
    """A period of fixed length."""

    value: Number
    unit: Literal["day", "week", "month"]


TimeInterval = CalendarInterval | FixedInterval


class CohortCriteria(RequestPart, frozen=True):
    """What makes an entity part of a cohort, and how long a cohort is."""

    base_query: BaseQuery
    time_interval: TimeInterval


class ReturnCriteria(RequestPart, frozen=True):
    """What counts as a return; what made the cohort, when left out."""

    base_query: BaseQuery
    time_interval: TimeInterval | None = None


class RetentionFilters(RequestPart, frozen=True):
    """What narrows the events."""

    audience_filters: AudienceFilters | None = None
    string_filter: str | None = None


class RetentionSearch(RequestPart, frozen=True):
    """Who is followed, and what counts as a return."""

    cohort_criteria: CohortCriteria
    retention_entity: RetentionEntity
    return_condition: ReturnCondition
    return_criteria: ReturnCriteria | None = None
    filters: RetentionFilters | None = None


class RetentionCompute(RequestPart, frozen=True):
    """What is worked out."""

    metric: RetentionMetric
    aggregation: str


class RetentionGroupBy(RequestPart, frozen=True):
    """A facet, of the cohort's or the return's event, whose values make groups."""

    facet: str
    target: Literal["cohort", "return_period"]
    limit: int | None = None
    should_exclude_missing: bool = False
    sort: GroupSort | None = None
    source: str | None = None


class IndexTarget(RequestPart, frozen=True, tag_field="type", tag="index"):
    """A cohort or a period, counted from 0."""

    value: int


class AggregationTarget(RequestPart, frozen=True, tag_field="type", tag="aggregation"):
    """All cohorts in one, by `weighted_avg`."""

    value: str


class CohortScope(RequestPart, frozen=True, tag_field="type", tag="cohort"):
    """One row of the grid."""

    target: IndexTarget | AggregationTarget


class ReturnPeriodScope(RequestPart, frozen=True, tag_field="type", tag="return_period"):
    """One column of the grid."""

    target: IndexTarget


class CellScope(RequestPart, frozen=True, tag_field="type", tag="cell"):
    """One cell of the grid."""

    cohort_target: IndexTarget | AggregationTarget
    return_period_target: IndexTarget


Scope = CohortScope | ReturnPeriodScope | CellScope


class RetentionQuery(RequestPart, frozen=True):
    """Who is followed, what is worked out, and by which groups."""

    search: RetentionSearch
    compute: RetentionCompute
    group_by: list[RetentionGroupBy] | None = None
    computation_scope: Scope | None = None


class RetentionCell(AnswerPart, frozen=True):
    """How much of a cohort came back in one period."""

    cell_count: Number | None = None
    cell_rate: Number | None = None
    """0 to 1."""
    cell_relative_value_change: Number | None = None
    cell_value: Number | None = None
    is_partial_data: bool = False
    """True while the period is not over."""
    return_period_index: int | None = None
    return_period_start_time: int | None = None
    return_period_end_time: int | None = None
    type: str | None = None


class RetentionCohort(AnswerPart, frozen=True):
    """A row of the grid."""

    name: str | None = None
    type: str | None = None
    """`raw` or `aggregated`."""
    cohort_index: int | None = None
    cohort_size: Number | None = None
    cohort_start_time: int | None = None
    cohort_end_time: int | None = None
    group_tags: list[Any] | None = None
    cells: list[RetentionCell] | None = None
    unit: list[Unit | None] | None = None


class RetentionPeriod(AnswerPart, frozen=True):
    """A column of the grid."""

    unit: str | None = None
    value: Number | None = None


class RetentionGrid(AnswerPart, frozen=True):
    """How much of each cohort came back in each period."""

    retention_entity: str | None = None
    retention_periods: list[RetentionPeriod] | None = None
    cohorts: list[RetentionCohort] | None = None
    unit: list[Unit | None] | None = None

    @property
    def rows(self) -> Rows:
        """One row a cell: `cohort`, `group`, `size`, `period`, `count`, `rate` and `partial`."""
        return Rows(
            {
                "cohort": cohort.name,
                "group": tuple(cohort.group_tags or ()),
                "size": cohort.cohort_size,
                "period": cell.return_period_index,
                "count": cell.cell_count,
                "rate": cell.cell_rate,
                "partial": cell.is_partial_data,
            }
            for cohort in self.cohorts or ()
            for cell in cohort.cells or ()
        )


class RetentionGridRequest(Request[RetentionGrid], frozen=True):
    """How much of each cohort came back in each period."""

    path: ClassVar[str] = "/api/v2/product-analytics/retention/grid"
    resource: ClassVar[str] = "retention_grid_request"
    told: ClassVar[Any] = RetentionGrid

    from_: int = field(name="from")
    to: int
    query: RetentionQuery
    exclude_anonymous_traffic: bool = False


class RetentionScalarRequest(Request[Scalar], frozen=True):
    """One number about who came back, or one for each group."""

    path: ClassVar[str] = "/api/v2/product-analytics/retention/scalar"
    resource: ClassVar[str] = "formula_retention_request"
    told: ClassVar[Any] = Scalar

    from_: int = field(name="from")
    to: int
    query: RetentionQuery
    exclude_anonymous_traffic: bool = False


class RetentionTimeseriesRequest(Request[Timeseries], frozen=True):
    """The same, over time."""

    path: ClassVar[str] = "/api/v2/product-analytics/retention/timeseries"
    resource: ClassVar[str] = "formula_retention_request"
    told: ClassVar[Any] = Matrix

    from_: int = field(name="from")
    to: int
    query: RetentionQuery
    exclude_anonymous_traffic: bool = False

    def answer(self, told: Matrix) -> Timeseries:
        """Return the series with the names of their groups."""
        return Timeseries.of(told, tuple(group.facet for group in self.query.group_by or ()))


class ColumnPath(RequestPart, frozen=True):
    """A facet."""

    path: str | None = None


class RetentionColumn(RequestPart, frozen=True):
    """A facet to show of each entity."""

    field: ColumnPath | None = None


class RetentionListQuery(RequestPart, frozen=True):
    """Who is in one cell."""

    search: RetentionSearch
    computation_scope: CellScope
    columns: list[RetentionColumn] | None = None
    limit: int | None = None
    """0: all."""


class RetentionRecords(Records, frozen=True):
    """One row a user or account."""

    retention_entity: str | None = None


class RetentionListRequest(Request[RetentionRecords], frozen=True):
    """The users or accounts of one cell."""

    path: ClassVar[str] = "/api/v2/product-analytics/retention/list"
    resource: ClassVar[str] = "retention_list_request"
    told: ClassVar[Any] = RetentionRecords

    from_: int = field(name="from")
    to: int
    query: RetentionListQuery
