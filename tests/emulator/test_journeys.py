from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa.emulator import Emulator
from tests.emulator.asking import START, ask, post, stored

Engine = tuple[Emulator, httpx.Client]
MINUTE, DAY = 60_000, 86_400_000
END = START + 10 * DAY


def event(name: str, usr: str | None, session: str | None, **members: Any) -> dict[str, Any]:
    """A server event."""
    ids = {"usr": {"id": usr} if usr else None, "session": {"id": session} if session else None}
    return {"type": "server", "event": {"name": name}, **{key: one for key, one in ids.items() if one}, **members}


def search(expression: str, key: str = "@session.id", **more: Any) -> dict[str, Any]:
    """A journey over the names of events."""
    aliases = [part.strip() for part in expression.split("->")]
    nodes = {
        alias: {"data_source": "product_analytics", "search": {"query": f"@event.name:{alias.lower()}"}}
        for alias in aliases
    }
    return {"expression": expression, "node_objects": nodes, "join_keys": {"primary": key}, **more}


def journey(engine: Engine, path: str, query: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The attributes of an answer."""
    kinds = {"funnel": "journey_request", "list": "journey_list_request"}
    attributes = {"from": START, "to": END, "query": query, **more}
    return ask(engine[1], f"journey/{path}", kinds.get(path, "formula_journey_request"), attributes)


@pytest.fixture
def checkout(engine: Engine) -> Engine:
    """Four visits: two that went all the way, one that went back to front, one that stopped half way."""
    visits = [
        ("s1", "u1", "pro", [("a", 0), ("b", 1), ("c", 3)]),
        ("s2", "u2", "free", [("c", 0), ("a", 1), ("b", 2)]),
        ("s3", "u2", "pro", [("a", 0), ("a", 1), ("b", 5), ("c", 6)]),
        ("s4", None, None, [("a", 0), ("c", 1)]),
    ]
    rows = [
        (START + minute * MINUTE, event(name, usr, session, plan=plan, price=minute))
        for session, usr, plan, events in visits
        for name, minute in events
    ]
    stored(engine[0], rows)
    return engine


def elapsed(low: int, high: int, average: int) -> dict[str, int]:
    """Times in minutes, as the answer has them."""
    return {"min": low * MINUTE, "max": high * MINUTE, "avg": average * MINUTE}


def test_funnel(checkout: Engine) -> None:
    """Each step counts those whose first event of it comes after that of the step before."""
    answer = journey(checkout, "funnel", {"search": search("A -> B -> C")})

    assert answer["initial_count"] == 4
    assert answer["end_to_end_conversion_rate"] == 0.5
    assert answer["end_to_end_elapsed_time"] == {"min": 3 * MINUTE, "max": 6 * MINUTE, "avg": 270_000}
    assert [(step["label"], step["value"]) for step in answer["funnel_steps"]] == [("A", 4.0), ("B", 3.0), ("C", 2.0)]
    assert [step["elapsed_time_to_next_step"] for step in answer["funnel_steps"]] == [
        {"min": MINUTE, "max": 5 * MINUTE, "avg": round(7 / 3 * MINUTE)},
        {"min": MINUTE, "max": 2 * MINUTE, "avg": 90_000},
        elapsed(0, 0, 0),
    ]


def test_funnel_by_a_facet(checkout: Engine) -> None:
    """Groups are told by the first event, those that most took it first."""
    answer = journey(checkout, "funnel", {"search": search("A -> B"), "group_by": [{"facet": "@plan"}]})

    first, second = answer["funnel_steps"]
    assert [(group["group_tags"], group["value"], group["conversion_count"]) for group in first["groups"]] == [
        (["pro"], 2.0, 2),
        (["N/A"], 1.0, 0),
        (["free"], 1.0, 1),
    ]
    assert [(group["group_tags"], group["value"]) for group in second["groups"]] == [
        (["pro"], 2.0),
        (["N/A"], 0.0),
        (["free"], 1.0),
    ]


def test_empty_funnel(engine: Engine) -> None:
    """Where nobody took the first step, all is 0."""
    answer = journey(engine, "funnel", {"search": search("A -> B")})

    assert (answer["initial_count"], answer["end_to_end_conversion_rate"]) == (0, 0.0)
    assert [step["value"] for step in answer["funnel_steps"]] == [0.0, 0.0]


def test_users_have_a_day(engine: Engine) -> None:
    """A user may convert across sessions, but within 24 hours of the first step."""
    for n, later in enumerate((DAY, DAY + 1)):
        stored(engine[0], [(START, event("a", f"u{n}", "s")), (START + later, event("b", f"u{n}", "t"))])

    by_user = journey(engine, "funnel", {"search": search("A -> B", "@usr.id")})
    by_session = journey(engine, "funnel", {"search": search("A -> B")})

    assert [step["value"] for step in by_user["funnel_steps"]] == [2.0, 1.0]
    assert [step["value"] for step in by_session["funnel_steps"]] == [1.0, 0.0]


def test_anonymous_traffic(checkout: Engine) -> None:
    """Visits of nobody we know can be left out."""
    answer = journey(checkout, "funnel", {"search": search("A -> B")}, exclude_anonymous_traffic=True)

    assert answer["initial_count"] == 3


def test_filters(checkout: Engine) -> None:
    """Journeys can be filtered by their events, by who took them, and by how long they took."""

    def count(**filters: Any) -> int:
        answer = journey(checkout, "funnel", {"search": search("A -> B -> C", filters=filters)})
        return int(answer["initial_count"])

    slow = {"name": "__dd.time_to_convert", "operator": ">", "value": 3 * MINUTE}

    assert count(string_filter="@plan:pro") == 2
    assert count(audience_filters={"users": [{"name": "u", "query": "user_id:u2"}]}) == 2
    assert count(graph_filters=[slow]) == 1
    assert count(graph_filters=[{**slow, "target": {"type": "path", "start": "A", "end": "B"}}]) == 1
    assert count(graph_filters=[{**slow, "operator": "<=", "target": {"type": "node", "value": "B"}}]) == 2


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        ({"aggregation": "count"}, 2.0),
        ({"aggregation": "count", "metric": "__dd.conversion", "target": {"type": "node", "value": "B"}}, 3.0),
        ({"aggregation": "count", "metric": "__dd.conversion_rate"}, 0.5),
        (
            {"aggregation": "count", "metric": "__dd.conversion_rate"}
            | {"target": {"type": "path", "start": "B", "end": "C"}},
            2 / 3,
        ),
        ({"aggregation": "count", "metric": "__dd.dropoff_rate"}, 0.5),
        ({"aggregation": "count", "metric": "__dd.dropoff_rate", "target": {"type": "node", "value": "A"}}, 0.25),
        ({"aggregation": "avg", "metric": "__dd.time_to_convert"}, 4.5 * MINUTE),
        ({"aggregation": "max", "metric": "__dd.time_to_convert"}, 6.0 * MINUTE),
        ({"aggregation": "pc50", "metric": "__dd.time_to_convert"}, 4.5 * MINUTE),
        ({"aggregation": "sum", "metric": "@price"}, 9.0),
        ({"aggregation": "cardinality", "metric": "@plan", "target": {"type": "node", "value": "B"}}, 2.0),
    ],
)
def test_scalar(checkout: Engine, compute: dict[str, Any], expected: float) -> None:
    """One number for a journey: conversions, their share, their time, or a facet of the events of a step."""
    answer = journey(checkout, "scalar", {"search": search("A -> B -> C"), "compute": compute})

    [column] = answer["columns"]
    assert column["values"] == [pytest.approx(expected)]


def test_scalar_by_a_facet(checkout: Engine) -> None:
    """Groups come in columns of their own; no journeys give no values."""
    query = {"search": search("A -> B"), "compute": {"aggregation": "count"}, "group_by": [{"facet": "@plan"}]}
    found = journey(checkout, "scalar", query)
    nothing = journey(checkout, "scalar", {**query, "search": search("X -> Y")})

    assert [column["values"] for column in found["columns"]] == [["pro", "free", "N/A"], [2.0, 1.0, 0.0]]
    assert [column["values"] for column in nothing["columns"]] == [[], []]


def test_timeseries(checkout: Engine) -> None:
    """Journeys over time stand where they began."""
    stored(checkout[0], [(START + DAY, event("a", "u9", "s9")), (START + DAY + 1, event("b", "u9", "s9"))])
    answer = journey(
        checkout, "timeseries", {"search": search("A -> B"), "compute": {"aggregation": "count"}}, interval=DAY
    )

    midnight = START - START % DAY
    assert (answer["times"], answer["values"]) == ([midnight, midnight + DAY], [[3, 1]])


@pytest.mark.parametrize(
    ("query", "sessions"),
    [
        ({}, ["s3", "s1"]),
        ({"target": {"type": "node", "value": "B"}}, ["s3", "s2", "s1"]),
        ({"conversion_type": "drop-off"}, ["s2", "s4"]),
        ({"conversion_type": "drop-off", "target": {"type": "node", "value": "A"}}, ["s4"]),
        ({"conversion_type": "drop-off", "target": {"type": "path", "start": "B", "end": "C"}}, ["s2"]),
        ({"entity_filters": "@usr.id:u1"}, ["s1"]),
        ({"limit": 1}, ["s3"]),
    ],
)
def test_list(checkout: Engine, query: dict[str, Any], sessions: list[str]) -> None:
    """Who converted, or did not, the latest first."""
    answer = journey(checkout, "list", {"search": search("A -> B -> C"), **query})

    assert [record["@session.id"] for record in answer["records"]] == sessions


def test_columns_of_a_list(checkout: Engine) -> None:
    """Rows hold what was asked for, and the time of each step."""
    query = {
        "entity_columns": ["@plan", "@no"],
        "computed_columns": [{"name": "first_conversion_timestamps"}],
        "sort": {"facet": "@session.id", "order": "asc"},
    }
    answer = journey(checkout, "list", {"search": search("A -> B -> C"), **query})

    assert (answer["entity"], answer["total_count"]) == ("session", 2)
    assert answer["records"][0] == {
        "@session.id": "s1",
        "timestamp": START + 3 * MINUTE,
        "@plan": "pro",
        "@no": None,
        "A_timestamp": START,
        "B_timestamp": START + MINUTE,
        "C_timestamp": START + 3 * MINUTE,
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"expression": "A, B"},
            "data.attributes.query.search.expression must be 1 to 20 names joined by ->, as A -> B -> C",
            id="expression",
        ),
        pytest.param({"expression": "A -> Z"}, "data.attributes.query.search.node_objects.Z is required", id="node"),
        pytest.param(
            {"filters": {"graph_filters": [{"name": "__dd.session", "operator": "=", "value": 1}]}},
            "data.attributes.query.search.filters.graph_filters[0].name must be __dd.time_to_convert: nothing is known "
            "about the others",
            id="graph-filter",
        ),
    ],
)
def test_what_is_not_understood(engine: Engine, changes: dict[str, Any], reason: str) -> None:
    """A wrong journey is answered with the place and the reason."""
    query = {"search": search("A -> B") | changes}
    response = post(engine[1], "journey/funnel", "journey_request", {"from": START, "to": END, "query": query})

    assert (response.status_code, response.json()) == (400, {"errors": [reason]})


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda hours: START + hours * 3_600_000),
        st.builds(
            event,
            st.sampled_from("abc"),
            st.sampled_from(["u1", "u2", None]),
            st.sampled_from(["s1", "s2", "s3", None]),
            plan=st.sampled_from(["pro", "free"]),
        ),
    ),
    max_size=40,
)
STEPS = st.lists(st.sampled_from("ABC"), min_size=1, max_size=4)


def matched(events: list[tuple[int, dict[str, Any]]], steps: list[str], holder: str) -> list[list[tuple[int, Any]]]:
    """For each entity that took the first step, (time, event) of the steps it took, the plain way."""
    own: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for at, one in sorted(events, key=lambda row: row[0]):
        if holder in one:
            own[one[holder]["id"]].append((at, one))
    found = []
    for rows in own.values():
        taken: list[tuple[int, Any]] = []
        for at, one in rows:
            late = holder != "session" and taken and at > taken[0][0] + DAY
            if len(taken) < len(steps) and not late and one["event"]["name"] == steps[len(taken)].lower():
                taken.append((at, one))
        if taken:
            found.append(taken)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS, steps=STEPS, holder=st.sampled_from(["session", "usr"]))
def test_same_as_plain_python(
    engine_server: Engine, events: list[tuple[int, dict[str, Any]]], steps: list[str], holder: str
) -> None:
    """Funnels over random events are what plain Python works out."""
    engine_server[0].clear()
    stored(engine_server[0], events)
    found = matched(events, steps, holder)
    query = {"search": search(" -> ".join(steps), f"@{holder}.id"), "group_by": [{"facet": "@plan"}]}

    answer = journey(engine_server, "funnel", query)

    whole = [taken for taken in found if len(taken) == len(steps)]
    assert answer["initial_count"] == len(found)
    assert answer["end_to_end_conversion_rate"] == pytest.approx(len(whole) / len(found) if found else 0)
    for number, step in enumerate(answer["funnel_steps"]):
        there = [taken for taken in found if len(taken) > number]
        times = [taken[number + 1][0] - taken[number][0] for taken in found if len(taken) > number + 1]
        assert step["value"] == len(there)
        assert step["elapsed_time_to_next_step"] == {
            "min": min(times, default=0),
            "max": max(times, default=0),
            "avg": pytest.approx(fmean(times) if times else 0, abs=1),
        }
        plans = [taken[0][1]["plan"] for taken in there]
        groups = {group["group_tags"][0]: group["value"] for group in step["groups"]}
        assert groups == {plan: plans.count(plan) for plan in {taken[0][1]["plan"] for taken in found}}
