"""The read side: queries of Product Analytics, as Datadog documents them and as they read better.

with QueryClient(settings) as client:
    client.run(events("order.placed").count().by("@plan").last(days=7)).rows
"""

from __future__ import annotations

from dd_pa.errors import (
    BadQueryError,
    QueryError,
    QueryForbiddenError,
    QueryRateLimitError,
    QueryTimeoutError,
    QueryUnavailableError,
)
from dd_pa.query.client import AsyncQueryClient, QueryClient
from dd_pa.query.cohorts import RetentionBuilder, retention
from dd_pa.query.envelope import Query, Request
from dd_pa.query.funnels import FunnelBuilder, funnel
from dd_pa.query.measures import Events, Measure, audience, events, search
from dd_pa.query.numeric_answers import Scalar, Timeseries
from dd_pa.query.paths import SankeyBuilder, sankey
from dd_pa.query.rows import Rows
from dd_pa.query.schema.journey import Funnel

__all__ = [
    "AsyncQueryClient",
    "BadQueryError",
    "Events",
    "Funnel",
    "FunnelBuilder",
    "Measure",
    "Query",
    "QueryClient",
    "QueryError",
    "QueryForbiddenError",
    "QueryRateLimitError",
    "QueryTimeoutError",
    "QueryUnavailableError",
    "Request",
    "RetentionBuilder",
    "Rows",
    "SankeyBuilder",
    "Scalar",
    "Timeseries",
    "audience",
    "events",
    "funnel",
    "retention",
    "sankey",
    "search",
]
