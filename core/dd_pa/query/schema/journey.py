"""`journey/*`: who did one thing after another. In preview."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from msgspec import field
from msgspec.structs import replace

from dd_pa.query.envelope import AnswerPart, Number, Request, RequestPart
from dd_pa.query.numeric_answers import COUNTS, Matrix, Scalar, Timeseries, whole
from dd_pa.query.rows import Row, Rows
from dd_pa.query.schema.analytics import AudienceFilters, BaseQuery, GroupSort, ListSort
from dd_pa.query.search_terms import readable

Journeyed = Literal["product_analytics_audience_filters.users", "product_analytics_audience_filters.accounts"]


class NodeTarget(RequestPart, frozen=True, tag_field="type", tag="node"):
    """One step, by its alias."""

    value: str


class PathTarget(RequestPart, frozen=True, tag_field="type", tag="path"):
    """The way from one step to another, by their aliases."""

    start: str
    end: str


Target = NodeTarget | PathTarget


class JoinKeys(RequestPart, frozen=True):
    """What makes events those of one entity: `@session.id` when left out, `@usr.id`, `@account.id`."""

    primary: str | None = None
    secondary: list[str] | None = None


class GraphFilter(RequestPart, frozen=True):
    """A condition on the whole journey."""

    name: Literal["__dd.time_to_convert", "__dd.session", "__dd.dropoff_rate"]
    operator: Literal["=", "<", ">", "<=", ">="]
    value: int
    """Durations in milliseconds."""
    target: Target | None = None


class JourneyFilters(RequestPart, frozen=True):
    """What narrows the journeys."""

    audience_filters: AudienceFilters | None = None
    string_filter: str | None = None
    """A search."""
    graph_filters: list[GraphFilter] | None = None


class JourneySearch(RequestPart, frozen=True):
    """The steps, in order."""

    expression: str
    """`A -> B -> C`, of aliases."""
    node_objects: dict[str, BaseQuery]
    """What each alias stands for."""
    join_keys: JoinKeys | None = None
    filters: JourneyFilters | None = None


class JourneyGroupBy(RequestPart, frozen=True):
    """A facet, of the step `target`, whose values make groups."""

    facet: str
    limit: int | None = None
    should_exclude_missing: bool = False
    sort: GroupSort | None = None
    source: Journeyed | None = None
    target: Target | None = None
    value_filters: list[str] | None = None


class FunnelCompute(RequestPart, frozen=True):
    """What a step's value is; the entities by default."""

    aggregation: str | None = None
    metric: str | None = None


class FunnelQuery(RequestPart, frozen=True):
    """The steps, what is counted, and by which groups."""

    search: JourneySearch
    compute: FunnelCompute | None = None
    group_by: list[JourneyGroupBy] | None = None


class ElapsedTime(AnswerPart, frozen=True):
    """Milliseconds."""

    min: Number
    max: Number
    avg: Number


class FunnelGroup(AnswerPart, frozen=True):
    """What one group did at one step."""

    group_tags: list[Any]
    value: Number
    conversion_count: Number
    elapsed_time_to_next_step: ElapsedTime | None = None


class FunnelStep(AnswerPart, frozen=True):
    """How many reached one step."""

    label: str
    value: Number
    unit: str | None = None
    """Of the times: `millisecond`."""
    elapsed_time_to_next_step: ElapsedTime | None = None
    groups: list[FunnelGroup] = field(default_factory=list)
    event: str = ""
    """The step as it was asked for: the event's name, or the search. Not part of Datadog's answer."""


class Funnel(AnswerPart, frozen=True):
    """How many reached each step."""

    initial_count: Number
    end_to_end_conversion_rate: Number
    """Of those who did the first step, 0 to 1."""
    end_to_end_elapsed_time: ElapsedTime | None = None
    funnel_steps: list[FunnelStep] = field(default_factory=list)

    @property
    def reached(self) -> list[Number]:
        """How many reached each step."""
        return [step.value for step in self.funnel_steps]

    @property
    def rows(self) -> Rows:
        """One row a step: `step`, `value`, `rate` of those who did the first one, `elapsed` to the next one (ms)."""
        first = self.funnel_steps[0].value if self.funnel_steps else 0
        return Rows(
            {
                "step": step.event or step.label,
                "value": step.value,
                "rate": step.value / first if first else 0.0,
                "elapsed": step.elapsed_time_to_next_step and step.elapsed_time_to_next_step.avg,
            }
            for step in self.funnel_steps
        )


class FunnelRequest(Request[Funnel], frozen=True):
    """How many reached each step."""

    path: ClassVar[str] = "/api/v2/product-analytics/journey/funnel"
    resource: ClassVar[str] = "journey_request"
    told: ClassVar[Any] = Funnel

    from_: int = field(name="from")
    to: int
    query: FunnelQuery
    exclude_anonymous_traffic: bool = False

    def answer(self, told: Funnel) -> Funnel:
        """Return the funnel with its steps named as they were asked for, and counts as integers."""
        nodes, compute = self.query.search.node_objects, self.query.compute or FunnelCompute()
        number = whole if compute.aggregation in (None, *COUNTS) else lambda value: value
        steps = [
            replace(
                step,
                event=readable(nodes[step.label].search.query or "") if step.label in nodes else "",
                value=number(step.value),
                groups=[replace(group, value=number(group.value)) for group in step.groups],
            )
            for step in told.funnel_steps
        ]
        return replace(told, funnel_steps=steps)


class JourneyScalarCompute(RequestPart, frozen=True):
    """What is worked out: `__dd.conversion`, `__dd.conversion_rate`, `__dd.time_to_convert`, `__dd.dropoff_rate`."""

    aggregation: str
    metric: str | None = None
    target: Target | None = None


class JourneyCompute(RequestPart, frozen=True):
    """The same, for each bucket of time."""

    aggregation: str
    metric: str | None = None
    interval: int | None = None
    target: Target | None = None


class JourneyScalarQuery(RequestPart, frozen=True):
    """The steps, what is worked out, and by which groups."""

    search: JourneySearch
    compute: JourneyScalarCompute
    group_by: list[JourneyGroupBy] | None = None
    query_id: str | None = None


class JourneyTimeseriesQuery(RequestPart, frozen=True):
    """The same, over time."""

    search: JourneySearch
    compute: JourneyCompute
    group_by: list[JourneyGroupBy] | None = None
    query_id: str | None = None


class JourneyScalarRequest(Request[Scalar], frozen=True):
    """One number about a journey, or one for each group."""

    path: ClassVar[str] = "/api/v2/product-analytics/journey/scalar"
    resource: ClassVar[str] = "formula_journey_request"
    told: ClassVar[Any] = Scalar

    from_: int = field(name="from")
    to: int
    query: JourneyScalarQuery


class JourneyTimeseriesRequest(Request[Timeseries], frozen=True):
    """The same, over time."""

    path: ClassVar[str] = "/api/v2/product-analytics/journey/timeseries"
    resource: ClassVar[str] = "formula_journey_request"
    told: ClassVar[Any] = Matrix

    from_: int = field(name="from")
    to: int
    query: JourneyTimeseriesQuery
    interval: int | None = None
    """Milliseconds of a bucket."""

    def answer(self, told: Matrix) -> Timeseries:
        """Return the series with the names of their groups."""
        return Timeseries.of(told, tuple(group.facet for group in self.query.group_by or ()))


class ComputedColumn(RequestPart, frozen=True):
    """A column that is no facet."""

    name: Literal["first_conversion_timestamps"]


class JourneyListQuery(RequestPart, frozen=True):
    """Who reached a step, or did not."""

    search: JourneySearch
    target: Target | None = None
    conversion_type: Literal["conversion", "drop-off"] | None = None
    entity_columns: list[str] | None = None
    entity_filters: str | None = None
    computed_columns: list[ComputedColumn] | None = None
    group_by: list[JourneyGroupBy] | None = None
    sort: ListSort | None = None
    limit: int | None = None


class JourneyRecords(AnswerPart, frozen=True):
    """One row an entity."""

    entity: str
    """`session`, `user` or `account`."""
    records: list[Row]
    total_count: int

    @property
    def rows(self) -> Rows:
        """The rows, by facet, with `timestamp`."""
        return Rows(self.records)


class JourneyListRequest(Request[JourneyRecords], frozen=True):
    """The sessions, users or accounts that reached a step, or dropped off at it."""

    path: ClassVar[str] = "/api/v2/product-analytics/journey/list"
    resource: ClassVar[str] = "journey_list_request"
    told: ClassVar[Any] = JourneyRecords

    from_: int = field(name="from")
    to: int
    query: JourneyListQuery
