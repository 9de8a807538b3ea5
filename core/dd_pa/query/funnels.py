from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from string import ascii_uppercase
from typing import Self

from dd_pa.query.measures import Events, events
from dd_pa.query.schema.analytics import AudienceFilters, ListSort
from dd_pa.query.schema.journey import (
    FunnelQuery,
    FunnelRequest,
    GraphFilter,
    JoinKeys,
    JourneyCompute,
    JourneyFilters,
    JourneyGroupBy,
    JourneyListQuery,
    JourneyListRequest,
    JourneyScalarCompute,
    JourneyScalarQuery,
    JourneyScalarRequest,
    JourneySearch,
    JourneyTimeseriesQuery,
    JourneyTimeseriesRequest,
    NodeTarget,
    PathTarget,
)
from dd_pa.query.window import WindowedQuery, milliseconds

RATE = "__dd.conversion_rate"
"""What a number about a funnel is, unless another metric is asked for."""


def as_events(step: str | Events) -> Events:
    """Return a step: a text is the name of an event."""
    return events(step) if isinstance(step, str) else step


def funnel(*steps: str | Events) -> FunnelBuilder:
    """Ask who did one thing after another; each step is an event's name, or `events(…)` or `search(…)`."""
    if not 2 <= len(steps) <= len(ascii_uppercase):
        raise ValueError(f"a funnel has 2 to {len(ascii_uppercase)} steps")
    return FunnelBuilder(steps=tuple(map(as_events, steps)))


@dataclass(frozen=True, kw_only=True)
class FunnelBuilder(WindowedQuery):
    """A funnel; run it for the counts of its steps, or go on with `scalar()`, `over_time()` or `entities()`."""

    steps: tuple[Events, ...]
    key: str | None = None
    limit: int | None = None
    """Milliseconds."""
    filter: str | None = None
    audience: AudienceFilters | None = None
    groups: tuple[JourneyGroupBy, ...] = ()
    identified_only: bool = False

    def by_user(self) -> Self:
        """Follow users, over all their sessions."""
        return self.joined_by("@usr.id")

    def by_account(self) -> Self:
        """Follow accounts."""
        return self.joined_by("@account.id")

    def by_session(self) -> Self:
        """Follow browser sessions; so does Datadog when nothing is said."""
        return self.joined_by("@session.id")

    def joined_by(self, facet: str) -> Self:
        """Follow whatever has the same value of a facet."""
        return replace(self, key=facet)

    def within(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> Self:
        """Only those who took no longer from the first step to the last."""
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return replace(self, limit=milliseconds(length))

    def where(self, query: str) -> Self:
        """Only events that a search finds."""
        return replace(self, filter=query)

    def of(self, audience: AudienceFilters) -> Self:
        """Only an audience."""
        return replace(self, audience=audience)

    def identified(self) -> Self:
        """Leave out sessions without a user. For the counts of the steps only."""
        return replace(self, identified_only=True)

    def by(self, facet: str, *, step: int = 0, limit: int | None = None) -> Self:
        """Make groups by a facet of one of the steps, counted from 0."""
        target = NodeTarget(value=ascii_uppercase[range(len(self.steps))[step]])
        return replace(self, groups=(*self.groups, JourneyGroupBy(facet=facet, limit=limit, target=target)))

    def journey_search(self) -> JourneySearch:
        """Return the part of a request that says which steps."""
        aliases = ascii_uppercase[: len(self.steps)]
        filters = JourneyFilters(
            audience_filters=self.audience, string_filter=self.filter, graph_filters=self._graph_filters(aliases)
        )
        return JourneySearch(
            expression=" -> ".join(aliases),
            node_objects={alias: step.base_query() for alias, step in zip(aliases, self.steps, strict=True)},
            join_keys=JoinKeys(primary=self.key) if self.key else None,
            filters=None if filters == JourneyFilters() else filters,
        )

    def _graph_filters(self, aliases: str) -> list[GraphFilter] | None:
        if self.limit is None:
            return None
        whole = PathTarget(start=aliases[0], end=aliases[-1])
        return [GraphFilter(name="__dd.time_to_convert", operator="<=", value=self.limit, target=whole)]

    def request(self, now_ms: int) -> FunnelRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.span(now_ms)
        query = FunnelQuery(search=self.journey_search(), group_by=[*self.groups] or None)
        return FunnelRequest(from_=start, to=end, query=query, exclude_anonymous_traffic=self.identified_only)

    def scalar(self, metric: str = RATE, aggregation: str = "count") -> JourneyNumber:
        """Return one number about the whole funnel: the conversion rate, or another of Datadog's metrics."""
        return JourneyNumber(funnel=self, compute=JourneyScalarCompute(aggregation=aggregation, metric=metric))

    def over_time(
        self, metric: str = RATE, aggregation: str = "count", *, days: float = 0, hours: float = 0
    ) -> JourneySeries:
        """Return such a number for each time of this length."""
        interval = milliseconds(timedelta(days=days, hours=hours))
        compute = JourneyCompute(aggregation=aggregation, metric=metric, interval=interval)
        return JourneySeries(funnel=self, compute=compute)

    def entities(
        self,
        *columns: str,
        step: int = -1,
        dropped: bool = False,
        limit: int | None = None,
        sort: ListSort | None = None,
    ) -> JourneyEntities:
        """List those who reached a step (the last one by default), or `dropped` off at it, with these facets."""
        query = JourneyListQuery(
            search=self.journey_search(),
            target=NodeTarget(value=ascii_uppercase[range(len(self.steps))[step]]),
            conversion_type="drop-off" if dropped else "conversion",
            entity_columns=[*columns] or None,
            limit=limit,
            sort=sort,
        )
        return JourneyEntities(query=query, window=self.window)


@dataclass(frozen=True, kw_only=True)
class JourneyNumber:
    """One number about a funnel."""

    funnel: FunnelBuilder
    compute: JourneyScalarCompute

    def request(self, now_ms: int) -> JourneyScalarRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.funnel.span(now_ms)
        query = JourneyScalarQuery(
            search=self.funnel.journey_search(), compute=self.compute, group_by=[*self.funnel.groups] or None
        )
        return JourneyScalarRequest(from_=start, to=end, query=query)


@dataclass(frozen=True, kw_only=True)
class JourneySeries:
    """A number about a funnel, over time."""

    funnel: FunnelBuilder
    compute: JourneyCompute

    def request(self, now_ms: int) -> JourneyTimeseriesRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.funnel.span(now_ms)
        query = JourneyTimeseriesQuery(
            search=self.funnel.journey_search(), compute=self.compute, group_by=[*self.funnel.groups] or None
        )
        return JourneyTimeseriesRequest(from_=start, to=end, query=query, interval=self.compute.interval)


@dataclass(frozen=True, kw_only=True)
class JourneyEntities(WindowedQuery):
    """Who reached a step, or dropped off at it."""

    query: JourneyListQuery

    def request(self, now_ms: int) -> JourneyListRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.span(now_ms)
        return JourneyListRequest(from_=start, to=end, query=self.query)
