"""Windows and times of journeys: what the emulator's page asks and Datadog's documented API has no place for."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa.emulator import Emulator
from tests.emulator.asking import KEYS, START, ask, post, stored
from tests.emulator.test_journeys import END, EVENTS, MINUTE, STEPS, Engine, event, search

HOUR = 60 * MINUTE
Taken = list[tuple[int, dict[str, Any]]]


def timed(engine: Engine, query: dict[str, Any], path: str = "funnel", **more: Any) -> dict[str, Any]:
    """The attributes of an answer of the emulator's own route."""
    kinds = {"funnel": "journey_request", "list": "journey_list_request"}
    body = {"data": {"type": kinds[path], "attributes": {"from": START, "to": END, "query": query, **more}}}
    response = engine[1].post(f"/api/emulator/journey/{path}", json=body, headers=KEYS)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()["data"]["attributes"]
    return answer


def test_a_later_attempt_counts(engine: Engine) -> None:
    """Who did not order within the hour, and did on another day, has ordered within an hour; the list says when."""
    visits = [("a", 0), ("b", 90), ("a", 600), ("b", 620), ("c", 650), ("c", 700)]
    rows = [(START + minute * MINUTE, event(name, "u1", None)) for name, minute in visits]
    stored(engine[0], [*rows, (START, event("a", "u2", None)), (START + 2 * HOUR, event("b", "u2", None))])
    query = {"search": search("A -> B -> C", "@usr.id")}

    answer = timed(engine, query, window=HOUR)
    listed = timed(
        engine, {**query, "computed_columns": [{"name": "first_conversion_timestamps"}]}, "list", window=HOUR
    )
    dropped = timed(engine, {**query, "conversion_type": "drop-off"}, "list", window=HOUR)

    assert [step["value"] for step in answer["funnel_steps"]] == [2, 1, 1]
    assert answer["times"][0]["median"] == 50 * MINUTE
    assert dict(zip([0, *answer["edges"]], answer["times"][0]["counts"], strict=True))[15 * MINUTE] == 1
    [record] = listed["records"]
    assert [record[f"{step}_timestamp"] - START for step in "ABC"] == [minute * MINUTE for minute in (600, 620, 650)]
    assert [record["@usr.id"] for record in dropped["records"]] == ["u2"]


def test_without_a_window_it_is_what_datadog_is_asked(engine: Engine) -> None:
    """The same numbers, with the times besides; and Datadog's own route knows no window."""
    rows = [(START + 10 * n * MINUTE, event("ab"[n % 2], "u1", f"s{n // 4}", plan="x")) for n in range(8)]
    stored(engine[0], rows)
    query = {"search": search("A -> B"), "group_by": [{"facet": "@plan"}]}
    attributes = {"from": START, "to": END, "query": query}

    answer = timed(engine, query)
    documented = ask(engine[1], "journey/funnel", "journey_request", attributes)
    refused = post(engine[1], "journey/funnel", "journey_request", {**attributes, "window": HOUR})

    assert {name: answer[name] for name in documented} == documented
    assert answer["group_times"][0] == {"group_tags": ["x"], **answer["times"][0]}
    assert (refused.status_code, refused.json()) == (
        400,
        {"errors": ["data.attributes.window has no meaning in this query: leave it out"]},
    )


def test_only_who_may_ask_is_answered(engine: Engine) -> None:
    """As on Datadog's routes."""
    body = {"data": {"type": "journey_request", "attributes": {}}}

    assert engine[1].post("/api/emulator/journey/funnel", json=body).status_code == 403


def attempt(rows: Taken, steps: list[str], window: int) -> Taken:
    """What is taken of the steps from the first row on, the plain way."""
    taken: Taken = []
    for at, one in rows:
        is_next = len(taken) < len(steps) and one["event"]["name"] == steps[len(taken)].lower()
        if is_next and at <= rows[0][0] + window:
            taken.append((at, one))
    return taken


def furthest(events: Taken, steps: list[str], holder: str, window: int) -> list[Taken]:
    """For each entity the attempt that got furthest, the earliest of several."""
    own: dict[str, Taken] = defaultdict(list)
    for at, one in sorted(events, key=lambda row: row[0]):
        if holder in one:
            own[one[holder]["id"]].append((at, one))
    first = steps[0].lower()
    begun = {
        who: [
            attempt(rows[place:], steps, window) for place, row in enumerate(rows) if row[1]["event"]["name"] == first
        ]
        for who, rows in own.items()
    }
    return [max(attempts, key=len) for attempts in begun.values() if attempts]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS, steps=STEPS, holder=st.sampled_from(["session", "usr"]), hours=st.integers(1, 20))
def test_same_as_plain_python(
    engine_server: tuple[Emulator, httpx.Client], events: Taken, steps: list[str], holder: str, hours: int
) -> None:
    """Random events, windows and steps."""
    engine_server[0].clear()
    stored(engine_server[0], events)
    found = furthest(events, steps, holder, hours * HOUR)

    answer = timed(engine_server, {"search": search(" -> ".join(steps), f"@{holder}.id")}, window=hours * HOUR)

    reached = [sum(len(taken) > number for taken in found) for number in range(len(steps))]
    assert [step["value"] for step in answer["funnel_steps"]] == reached
    ways = [(0, len(steps) - 1), *((number, number + 1) for number in range(len(steps) - 1))]
    for (start, end), times in zip(ways, answer["times"], strict=True):
        took = [taken[end][0] - taken[start][0] for taken in found if len(taken) > end]
        assert times["median"] == (median(took) if took else None)
        assert sum(times["counts"]) == len(took)
