"""Each operation's body, held against the models of Datadog's own client."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from datadog_api_client import Configuration
from datadog_api_client.model_utils import ModelNormal, data_to_dict, validate_and_convert_types

from dd_pa.query import Query, audience, events, funnel, retention, sankey, search
from dd_pa.query.schema.analytics import ListSort
from dd_pa.query.schema.audience import (
    AccountFacetRequest,
    AccountsRequest,
    AudienceSort,
    EventFilter,
    EventFilteredUsersRequest,
    FacetSearch,
    TermSearch,
    TimeFrame,
    UserFacetRequest,
    UsersRequest,
)
from dd_pa.query.schema.journey import (
    FunnelCompute,
    FunnelQuery,
    FunnelRequest,
    JourneyGroupBy,
    PathTarget,
)
from dd_pa.query.schema.retention import (
    AggregationTarget,
    CellScope,
    CohortCriteria,
    CohortScope,
    FixedInterval,
    IndexTarget,
    RetentionCompute,
    RetentionQuery,
    RetentionScalarRequest,
    RetentionSearch,
    ReturnPeriodScope,
)

NOW = 1_771_836_848_261
SEGMENT = "59c9c3c3-8f9c-4c3c-9c3c-3c3c3c3c3c3c"
AUDIENCE = audience(
    users={"paying": "user_plan:pro"},
    accounts={"big": "seats:>100"},
    segments={"beta": SEGMENT},
    formula="paying OR beta",
)
YEAR = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
ORDERS = events("order.placed")
CART = events("cart.viewed").count().last(days=7)
STEPS = funnel("checkout.started", "payment.failed", "checkout.completed").last(days=1)
FLOWS = sankey("@view.name")
RETENTION = retention("user.signed_up", search("@type:view")).last(weeks=4)
JOURNEY = funnel("a", "b").journey_search()
FOLLOWED = RetentionSearch(
    cohort_criteria=CohortCriteria(
        base_query=events("a").base_query(), time_interval=FixedInterval(value=1.5, unit="week")
    ),
    retention_entity="@account.id",
    return_condition="conversion_on",
)


def scoped(scope: Any) -> RetentionScalarRequest:
    """Return a request about a part of the grid."""
    compute = RetentionCompute(metric="__dd.retention", aggregation="avg")
    query = RetentionQuery(search=FOLLOWED, compute=compute, computation_scope=scope)
    return RetentionScalarRequest(from_=1, to=2, query=query)


ANALYTICS = "ProductAnalyticsAnalyticsRequest"
BODIES = [
    pytest.param(CART, ANALYTICS, id="count"),
    pytest.param(CART.every(hours=1), ANALYTICS, id="timeseries"),
    pytest.param(
        ORDERS.of(AUDIENCE)
        .sum("@order.total")
        .by("@plan", limit=5, order="asc", sort_by=("avg", "@order.total"))
        .by("@country", exclude_missing=True)
        .last(hours=2),
        ANALYTICS,
        id="everything",
    ),
    pytest.param(ORDERS.occurring(">=", 3).distinct("@usr.id").last(days=1), ANALYTICS, id="occurrence"),
    pytest.param(
        events("order.placed")
        .percentile("@order.total", 95)
        .between(datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC)),
        ANALYTICS,
        id="percentile",
    ),
    pytest.param(
        search("@type:view")
        .of(AUDIENCE)
        .last(days=1)
        .list("@view.name", "@usr.id", limit=100, sort="@view.name", order="asc"),
        "ProductAnalyticsAnalyticsListRequest",
        id="list",
    ),
    pytest.param(STEPS, "ProductAnalyticsJourneyFunnelRequest", id="funnel"),
    pytest.param(
        STEPS.by_user().within(hours=1).where("@env:prod").of(AUDIENCE).by("@plan", step=1, limit=3).identified(),
        "ProductAnalyticsJourneyFunnelRequest",
        id="funnel-everything",
    ),
    pytest.param(
        FunnelRequest(
            from_=1,
            to=2,
            query=FunnelQuery(
                search=JOURNEY,
                compute=FunnelCompute(aggregation="pc95", metric="@order.total"),
                group_by=[
                    JourneyGroupBy(
                        facet="@plan",
                        source="product_analytics_audience_filters.users",
                        target=PathTarget(start="A", end="B"),
                        value_filters=["pro"],
                        should_exclude_missing=True,
                    )
                ],
            ),
        ),
        "ProductAnalyticsJourneyFunnelRequest",
        id="funnel-typed",
    ),
    pytest.param(STEPS.scalar(), "ProductAnalyticsJourneyScalarRequest", id="journey-scalar"),
    pytest.param(
        STEPS.by_account().by("@plan").scalar("__dd.time_to_convert", "pc95"),
        "ProductAnalyticsJourneyScalarRequest",
        id="journey-scalar-grouped",
    ),
    pytest.param(STEPS.over_time(hours=1), "ProductAnalyticsFormulaJourneyRequest", id="journey-timeseries"),
    pytest.param(STEPS.entities("@usr.name", limit=50), "ProductAnalyticsJourneyListRequest", id="journey-list"),
    pytest.param(
        STEPS.by_user().entities(step=1, dropped=True, sort=ListSort(facet="timestamp", order="desc")),
        "ProductAnalyticsJourneyListRequest",
        id="journey-dropped",
    ),
    pytest.param(RETENTION, "ProductAnalyticsRetentionGridRequest", id="retention-grid"),
    pytest.param(
        RETENTION.by_account()
        .every("week", 1, alignment="monday", timezone="UTC")
        .or_later()
        .counted()
        .where("@env:prod")
        .of(AUDIENCE)
        .by("@plan", of="return_period", limit=3)
        .identified(),
        "ProductAnalyticsRetentionGridRequest",
        id="retention-everything",
    ),
    pytest.param(RETENTION.scalar(), "ProductAnalyticsFormulaRetentionRequest", id="retention-scalar"),
    pytest.param(RETENTION.over_time(), "ProductAnalyticsFormulaRetentionRequest", id="retention-timeseries"),
    pytest.param(
        scoped(CohortScope(target=AggregationTarget(value="weighted_avg"))),
        "ProductAnalyticsFormulaRetentionRequest",
        id="retention-cohort",
    ),
    pytest.param(
        scoped(ReturnPeriodScope(target=IndexTarget(value=2))),
        "ProductAnalyticsFormulaRetentionRequest",
        id="retention-period",
    ),
    pytest.param(
        scoped(CellScope(cohort_target=IndexTarget(value=0), return_period_target=IndexTarget(value=1))),
        "ProductAnalyticsFormulaRetentionRequest",
        id="retention-cell",
    ),
    pytest.param(
        RETENTION.entities("@usr.email", cohort=0, period=1, limit=100),
        "ProductAnalyticsRetentionListRequest",
        id="retention-list",
    ),
    pytest.param(
        sankey("@view.name")
        .size(steps=3, entries=10)
        .where("@type:view")
        .joined_by("@usr.id")
        .of(AUDIENCE)
        .last(days=7),
        "ProductAnalyticsSankeyRequest",
        id="sankey",
    ),
    pytest.param(
        UsersRequest(
            query="user_email:*@example.com",
            select_columns=["user_id"],
            sort=AudienceSort(field="first_seen", order="DESC"),
            limit=25,
            wildcard_search_term="john",
        ),
        "QueryUsersRequest",
        id="users",
    ),
    pytest.param(
        AccountsRequest(query="plan_type:pro", sort=AudienceSort(field="mrr", order="ASC"), limit=20),
        "QueryAccountRequest",
        id="accounts",
    ),
    pytest.param(
        EventFilteredUsersRequest(
            query="user_org_id:5001",
            event_query=EventFilter(query="@type:view", time_frame=TimeFrame(start=1_760_100_076, end=1_761_309_676)),
            include_row_count=True,
            limit=25,
        ),
        "QueryEventFilteredUsersRequest",
        id="event-filtered-users",
    ),
    pytest.param(
        UserFacetRequest(
            facet_id="first_browser_name",
            limit=10,
            search=FacetSearch(query="first_country_code:US"),
            term_search=TermSearch(value="Chrome"),
        ),
        "FacetInfoRequest",
        id="user-facets",
    ),
    pytest.param(AccountFacetRequest(facet_id="plan_type", limit=10), "FacetInfoRequest", id="account-facets"),
]


def official(model: str) -> Any:
    """Return a model of theirs; importing all of them takes half a minute."""
    module = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model).lower()
    return getattr(importlib.import_module(f"datadog_api_client.v2.model.{module}"), model)


def parts(value: Any) -> Iterator[ModelNormal]:
    """Yield all models in a model."""
    if isinstance(value, ModelNormal):
        yield value
        value = list(value._data_store.values())
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(item)


@pytest.mark.parametrize(("query", "model"), BODIES)
def test_datadogs_own_models_take_each_body_and_give_it_back(query: Query[Any], model: str) -> None:
    """Each name is one that they know, each choice one of theirs, and nothing is lost or added."""
    body = json.loads(query.request(NOW).encode())
    kind = official(model)

    taken = validate_and_convert_types(body, (kind,), ["body"], True, True, Configuration())

    assert isinstance(taken, kind)
    assert not [part for part in parts(taken) if part._unparsed or set(part._data_store) - set(part.openapi_types)]
    assert data_to_dict(taken) == body


def test_the_documented_example() -> None:
    """The whole body, once."""
    query = search("@type:view").count().last(days=7)

    assert json.loads(query.request(NOW).encode()) == {
        "data": {
            "type": "formula_analytics_extended_request",
            "attributes": {
                "from": NOW + 1 - 7 * 86_400_000,
                "to": NOW + 1,
                "query": {
                    "query": {"data_source": "product_analytics", "search": {"query": "@type:view"}},
                    "compute": {"aggregation": "count"},
                },
            },
        }
    }


def test_a_funnel_with_everything() -> None:
    """The whole body of the most nested one."""
    query = funnel("a.b", search("@type:view")).by_user().within(hours=1).by("@plan").last(hours=1)

    assert json.loads(query.request(NOW).encode())["data"]["attributes"]["query"] == {
        "search": {
            "expression": "A -> B",
            "node_objects": {
                "A": {"data_source": "product_analytics", "search": {"query": "@type:server @event.name:a.b"}},
                "B": {"data_source": "product_analytics", "search": {"query": "@type:view"}},
            },
            "join_keys": {"primary": "@usr.id"},
            "filters": {
                "graph_filters": [
                    {
                        "name": "__dd.time_to_convert",
                        "operator": "<=",
                        "value": 3_600_000,
                        "target": {"type": "path", "start": "A", "end": "B"},
                    }
                ]
            },
        },
        "group_by": [{"facet": "@plan", "target": {"type": "node", "value": "A"}}],
    }


def test_a_query_looks_back_from_each_time_anew() -> None:
    """It holds no moment, unless one was given."""
    between = CART.between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))

    assert [CART.request(NOW + later).to - NOW for later in (0, 5_000)] == [1, 5_001]
    assert {between.request(NOW + later).from_ for later in (0, 5_000)} == {1_767_225_600_000}


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(lambda: events("a").count().request(NOW), "say which time to look at", id="no-time"),
        pytest.param(CART.last, "a length of time must be more than 0", id="no-length"),
        pytest.param(lambda: CART.between(datetime(2026, 1, 1), datetime.now(UTC)), "with a time zone", id="naive"),
        pytest.param(CART.every, "more than 0", id="no-interval"),
        pytest.param(lambda: funnel("a"), "2 to 26 steps", id="one-step"),
        pytest.param(lambda: events("a").percentile("@x", 100), "between 1 and 99", id="percentile"),
        pytest.param(lambda: events("a").having("@plan"), "needs a value", id="no-value"),
    ],
)
def test_what_makes_no_query_says_so_at_once(make: Any, problem: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=problem):
        make()


def test_a_step_that_is_not_there() -> None:
    """As with a list."""
    with pytest.raises(IndexError):
        STEPS.by("@plan", step=3)
