"""What is made of each documented answer, and of what the documentation leaves open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from dd_pa.query import Query, QueryClient, QueryError, events, funnel, retention, sankey, search
from dd_pa.query.schema.audience import UserFacetRequest, UsersRequest
from tests.query.api import Api, done, reading

COUNT = events("order.placed").count().last(days=7)
STEPS = funnel("cart.viewed", search("@type:view"), events("odd name")).last(days=7)
ELAPSED = {"min": 1200, "max": 86400, "avg": 9400.5}


def ask(query: Query[Any], reply: httpx.Response) -> Any:
    """Run one query against one answer."""
    with QueryClient(reading(), transport=Api(reply)) as client:
        return client.run(query)


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param(["pro", "team", None], id="flat"),
        pytest.param([["pro"], ["team"], [None]], id="nested"),
    ],
)
def test_both_shapes_of_groups(groups: list[Any]) -> None:
    """Product Analytics documents the flat one; its sibling endpoints answer the nested one."""
    columns = [
        {"name": "@plan", "type": "group", "values": groups},
        {"name": "query", "type": "number", "values": [41.0, 17, 2], "meta": {"unit": None}},
    ]
    found = ask(COUNT.by("@plan"), done("scalar_response", {"columns": columns}))

    assert found.rows == [
        {"@plan": "pro", "value": 41.0},
        {"@plan": "team", "value": 17},
        {"@plan": None, "value": 2},
    ]


@pytest.mark.parametrize(
    ("columns", "rows", "value"),
    [
        pytest.param([{"name": "query", "type": "number", "values": [983.0]}], [{"value": 983.0}], 983.0, id="one"),
        pytest.param([{"name": "query", "type": "number", "values": []}], [], None, id="nothing-matched"),
        pytest.param([], [], None, id="no-column"),
        pytest.param(
            [{"name": "@tags", "type": "group", "values": [["a", "b"], []]}, {"name": "query", "values": [1, 2]}],
            [{"@tags": "a, b", "value": 1}, {"@tags": "", "value": 2}],
            1,
            id="several-in-a-cell",
        ),
        pytest.param(
            [{"name": "a", "type": "number", "values": [1]}, {"name": "b", "type": "number", "values": []}],
            [{"a": 1, "b": None}],
            None,
            id="two-numbers-one-short",
        ),
    ],
)
def test_scalar(columns: list[Any], rows: list[Any], value: float | None) -> None:
    """Rows of plain values, by facet."""
    found = ask(COUNT, done("scalar_response", {"columns": columns}))

    assert (found.rows, found.value) == (rows, value)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"data": {"id": "0", "type": "scalar_response"}}, id="no-attributes"),
        pytest.param({}, id="nothing"),
        pytest.param({"data": {"attributes": {"columns": [], "new": 1}, "links": {}}, "meta": {"new": 2}}, id="news"),
    ],
)
def test_what_may_be_missing_or_new(body: Any) -> None:
    """All members of a scalar answer are optional, and later versions may have more."""
    assert ask(COUNT, httpx.Response(200, json=body)).rows == []


def test_timeseries() -> None:
    """Buckets without an event are left out or null; both are no rows."""
    times = [1_776_291_235_000, 1_776_291_240_000]
    matrix = {
        "series": [
            {"group_tags": ["pro", "DE"], "query_index": 0, "unit": None},
            {"group_tags": [["team"], "FR"], "query_index": 0, "unit": [{"name": "second", "id": 1}, None]},
        ],
        "times": times,
        "values": [[1, 3.5], [None, 2]],
        "intervals": [{"type": "fixed", "milliseconds": 5000, "start_time": 1, "times": [1_776_291_235_000]}],
    }
    found = ask(COUNT.by("@plan", "@country").every(minutes=1), done("timeseries_response", matrix))

    first, second = (datetime.fromtimestamp(time / 1000, UTC) for time in times)
    assert found.rows == [
        {"time": first, "@plan": "pro", "@country": "DE", "value": 1},
        {"time": second, "@plan": "pro", "@country": "DE", "value": 3.5},
        {"time": second, "@plan": "team", "@country": "FR", "value": 2},
    ]


@pytest.mark.parametrize("matrix", [{"series": [], "times": []}, {"series": [], "times": [], "values": []}, {}])
def test_an_empty_timeseries(matrix: Any) -> None:
    """As the documentation has it, and as it was recorded."""
    assert ask(COUNT.every(hours=1), done("timeseries_response", matrix)).rows == []


def test_funnel() -> None:
    """Steps are called as they were asked for, not A, B and C."""
    steps: list[Any] = [
        {"label": label, "value": value, "unit": "millisecond", "elapsed_time_to_next_step": ELAPSED, "groups": []}
        for label, value in (("A", 10), ("B", 5), ("C", 2.0))
    ]
    found = ask(
        STEPS,
        done(
            "funnel_response",
            {
                "initial_count": 10,
                "end_to_end_conversion_rate": 0.2,
                "end_to_end_elapsed_time": ELAPSED,
                "funnel_steps": steps,
            },
            status=None,
        ),
    )

    assert found.reached == [10, 5, 2.0]
    assert found.rows == [
        {"step": "cart.viewed", "value": 10, "rate": 1.0, "elapsed": 9400.5},
        {"step": "@type:view", "value": 5, "rate": 0.5, "elapsed": 9400.5},
        {"step": '@type:server @event.name:"odd name"', "value": 2.0, "rate": 0.2, "elapsed": 9400.5},
    ]


def test_lists() -> None:
    """Of events, sessions and users."""
    sessions = {"entity": "session", "records": [{"@session.id": "s", "timestamp": 1}], "total_count": 231}
    users = {"retention_entity": "@usr.id", "records": [{"@usr.id": "u"}]}

    events_found = ask(
        events("a").last(days=1).list("@plan"), done("list_response", {"records": [{"@plan": 1}], "total_count": 7})
    )
    sessions_found = ask(STEPS.entities(), done("journey_list_response", sessions, status=None))
    users_found = ask(
        retention("a").last(days=1).entities(cohort=0, period=1), done("retention_list_response", users, status=None)
    )

    assert (events_found.rows, events_found.total_count) == ([{"@plan": 1}], 7)
    assert (sessions_found.rows, sessions_found.entity, sessions_found.total_count) == (
        sessions["records"],
        "session",
        231,
    )
    assert users_found.rows == [{"@usr.id": "u"}]


def test_retention_grid() -> None:
    """One row a cell."""
    cell = {"return_period_index": 1, "cell_count": 5, "cell_rate": 0.5, "cell_value": None, "is_partial_data": True}
    cohort = {"name": "Jan 5", "cohort_index": 0, "cohort_size": 10, "group_tags": ["pro"], "cells": [cell]}
    grid = {"retention_entity": "@usr.id", "retention_periods": [{"unit": "week", "value": 1}], "cohorts": [cohort]}

    found = ask(retention("a").last(weeks=4), done("retention_grid_response", grid, status=None))

    assert found.rows == [
        {"cohort": "Jan 5", "group": ("pro",), "size": 10, "period": 1, "count": 5, "rate": 0.5, "partial": True}
    ]


def test_sankey() -> None:
    """Links by the names of their nodes."""
    graph = {
        "nodes": [
            {"id": "n1", "name": "/cart", "column": 0, "type": "regular", "value": 3},
            {"id": "n2", "name": "", "column": 1, "type": "other", "aggregated_nodes": [{"id": "n3", "name": "/help"}]},
        ],
        "links": [{"id": "l", "source": "n1", "target": "n2", "column": 0, "value": 3}],
    }
    found = ask(sankey("@view.name").last(days=1), done("sankey_response", graph, status=None))

    assert found.rows == [{"column": 0, "source": "/cart", "target": "", "value": 3}]
    assert found.nodes[1].aggregated_nodes[0].name == "/help"


def test_audience() -> None:
    """Users as they are, and the values of an attribute."""
    users = ask(UsersRequest(limit=1), done("query_response", {"hits": [{"user_id": "1"}], "total": 4}, status=None))
    values = {"result": {"values": [{"value": "Chrome", "count": 4892}]}}
    facet = UserFacetRequest(facet_id="first_browser_name", limit=10)

    assert (users.rows, users.total) == ([{"user_id": "1"}], 4)
    assert ask(facet, done("users_facet_info", values)).rows == [{"value": "Chrome", "count": 4892}]
    assert ask(facet, done("users_facet_info", {"result": {"range": {"min": 1, "max": 2.5}}})).result.range.max == 2.5


@pytest.mark.parametrize(
    ("content", "query"),
    [
        pytest.param(b"<html>", COUNT, id="html"),
        pytest.param(b"", COUNT, id="empty"),
        pytest.param(b'{"data": {"attributes": {"columns": "none"}}}', COUNT, id="wrong-type"),
        pytest.param(b"\xff", COUNT, id="no-utf-8"),
        pytest.param(b"[" * 100_000, COUNT, id="nested"),
        pytest.param(b"{}", STEPS, id="funnel-without-steps"),
    ],
)
def test_an_answer_that_is_none(content: bytes, query: Query[Any]) -> None:
    """Says which endpoint it came from; it is not asked again."""
    with pytest.raises(QueryError, match=r"^the answer of /api/v2/product-analytics/\w+/\w+ is not as documented"):
        ask(query, httpx.Response(200, content=content))


def test_frames() -> None:
    """Both libraries take the rows, a column that is a number after many None included."""
    columns = [
        {"name": "@plan", "type": "group", "values": [None] * 200 + ["pro", 3]},
        {"name": "query", "type": "number", "values": [None] * 200 + [1, 2.5]},
    ]
    rows = ask(COUNT.by("@plan"), done("scalar_response", {"columns": columns})).rows

    assert rows.to_pandas().shape == rows.to_polars().shape == (202, 2)
    assert rows.to_pandas()["value"].sum() == rows.to_polars()["value"].sum() == 3.5
    assert list(rows.to_polars().columns) == ["@plan", "value"]
