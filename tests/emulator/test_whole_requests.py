"""Nothing of a request is passed over: each documented member has a part in the answer or is refused."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from tests.emulator.asking import END, SCALAR, START, analytics, ask, post, stored, table
from tests.emulator.complete import COMPLETE, OFTEN, SEGMENT, USERS

Place = tuple[str | int, ...]
Outcome = tuple[int, Any]


def often(**more: Any) -> dict[str, Any]:
    """A query of occurrences."""
    search = {"query": "*", "occurrences": {"operator": ">=", "value": "2", **more}}
    return {"data_source": "product_analytics_occurrence", "search": search}


def events() -> list[tuple[int, dict[str, Any]]]:
    """Fifteen minutes of twelve people."""
    chance = random.Random(7)
    rows = []
    for number in range(400):
        person = chance.randrange(12)
        rows.append(
            (
                START + 2_000 * number + chance.randrange(2_000),
                {
                    "type": "server",
                    "event": {"name": chance.choice("aabc")},
                    "usr": {"id": f"u{person}", "plan": ("pro", "free", "free", "trial", None)[person % 5]},
                    "account": {"id": f"a{person % 3}", "plan": ("gold", "tin", None)[person % 3]},
                    "session": {"id": f"s{person}-{number // 30}"},
                    "total": chance.randrange(1, 100),
                    "weight": chance.randrange(1, 100),
                    "plan": chance.choice(["x", "y", "z"]),
                },
            )
        )
    return rows


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an emulator with these events, and one segment."""
    segments = tmp_path_factory.mktemp("segments") / "segments.json"
    segments.write_text(json.dumps({SEGMENT: {"user_ids": ["u7"]}}))
    emulator = Emulator(clock=lambda: END / 1000, segments=segments)
    with emulator.running() as url, httpx.Client(base_url=url, timeout=60) as client:
        stored(emulator, events())
        yield client
    emulator.close()


def outcome(http: httpx.Client, path: str, attributes: Any) -> Outcome:
    """Status and what was said."""
    answer = post(http, path, COMPLETE[path][0], attributes)
    document = answer.json()
    if answer.status_code != 200:
        return answer.status_code, document["errors"][0]
    return 200, (document["data"]["attributes"], document.get("meta"))


def members(holder: Any, place: Place = ()) -> Iterator[Place]:
    """Every member and element, however deep."""
    pairs = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
    for name, value in pairs:
        yield (*place, name)
        yield from members(value, (*place, name))


def holder_of(attributes: Any, place: Place) -> Any:
    for step in place[:-1]:
        attributes = attributes[step]
    return attributes


def changed(path: str, place: Place, value: Any) -> Any:
    """The complete request with another value at a place."""
    attributes = copy.deepcopy(COMPLETE[path][1])
    holder_of(attributes, place)[place[-1]] = value
    return attributes


def spelled(place: Place) -> str:
    """A place as errors say it."""
    return "data.attributes" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


@pytest.mark.parametrize("path", COMPLETE)
def test_unknown_members(http: httpx.Client, path: str) -> None:
    """In every object of a request, a member that no document names is refused by its path."""
    whole = COMPLETE[path][1]
    objects = [(), *(place for place in members(whole) if isinstance(holder_of(whole, (*place, "x")), dict))]
    expected = {
        place: (400, f"{spelled((*place, 'nonsense'))} has no meaning in this query: leave it out")
        for place in objects
        if place[-1:] != ("node_objects",)
    }

    assert outcome(http, path, whole)[0] == 200
    assert {place: outcome(http, path, changed(path, (*place, "nonsense"), 1)) for place in expected} == expected


@pytest.mark.parametrize("path", COMPLETE)
def test_wrong_types(http: httpx.Client, path: str) -> None:
    """A member of another type is refused by its path."""
    whole = COMPLETE[path][1]
    right = {}
    for place in members(whole):
        is_text = isinstance(holder_of(whole, (*place, "x")), str | int | float)
        status, reason = outcome(http, path, changed(path, place, {"x": {}} if is_text else 7.5))
        if status != 400 or not reason.startswith(spelled(place)):
            right[place] = status, reason

    assert right == {}


GROUPED = "product_analytics_audience_filters."


@pytest.mark.parametrize(
    ("path", "kind", "facet"),
    [
        pytest.param("analytics/scalar", "users", "user_plan", id="users"),
        pytest.param("analytics/scalar", "accounts", "@account.plan", id="accounts"),
        pytest.param("analytics/scalar", "users", "@usr.nothing", id="unknown-attribute"),
        pytest.param("analytics/timeseries", "users", "usr.plan", id="timeseries"),
    ],
)
def test_groups_of_people(http: httpx.Client, path: str, kind: str, facet: str) -> None:
    """Events group by an attribute of the user or account behind them, N/A where there is none."""
    holder = "usr" if kind == "users" else "account"
    plans = [body[holder]["plan"] if facet != "@usr.nothing" else None for _, body in events()]
    asked = analytics(group_by=[{"facet": facet, "source": GROUPED + kind}], interval=86_400_000)
    answer = ask(http, path, SCALAR, asked)

    if path == "analytics/scalar":
        counts = dict(table(answer))
    else:
        counts = {
            series["group_tags"][0]: row[0] for series, row in zip(answer["series"], answer["values"], strict=True)
        }
    assert counts == dict(Counter("N/A" if plan is None else plan for plan in plans))


@pytest.mark.parametrize("path", ["journey/funnel", "journey/scalar", "retention/scalar"])
def test_people_of_journeys(http: httpx.Client, path: str) -> None:
    """Journeys and cohorts group by an attribute of their people, too."""
    plain = copy.deepcopy(COMPLETE[path][1])
    del plain["query"]["group_by"]
    if path.startswith("journey"):
        plain["query"]["search"] = {**plain["query"]["search"], "join_keys": {"primary": "@usr.id"}, "filters": {}}
        plain["query"].pop("compute") if path == "journey/funnel" else None
    grouped = copy.deepcopy(plain)
    target = {} if path.startswith("journey") else {"target": "cohort"}
    grouped["query"]["group_by"] = [{"facet": "user_plan", "source": USERS, **target}]
    (whole, _), (parts, _) = outcome(http, path, plain)[1], outcome(http, path, grouped)[1]

    if path == "journey/funnel":
        groups = {group["group_tags"][0]: group["value"] for group in parts["funnel_steps"][0]["groups"]}
        total = whole["initial_count"]
    else:
        groups, [(total,)] = dict(table(parts)), table(whole)
    assert set(groups) <= {"pro", "free", "trial", "N/A"}
    assert (len(groups) > 1, sum(groups.values())) == (True, total)


SORTED = {"facet": "@event.name", "limit": 1}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"group_by": [{**SORTED, "source": "nonsense"}]}, "query.group_by[0].source must be one of "),
        ({"group_by": [{**SORTED, "sort": {"metric": "@total"}}]}, "query.group_by[0].sort.metric has no meaning for "),
        ({"indexes": ["a", "b"]}, "query.indexes must be left out, or "),
        ({"indexes": ["a"]}, "query.indexes must be left out, or "),
        ({"compute": {"aggregation": "count", "metric": "@total"}}, "query.compute.metric has no meaning for count"),
        ({"query": {**OFTEN, "data_source": "product_analytics"}}, "query.query.search.occurrences has no meaning "),
        ({"query": {"data_source": "product_analytics"}}, "query.query.search is required"),
        ({"query": often(meta={"other": "x"})}, "query.query.search.occurrences.meta.other has no meaning "),
        ({"query": often(meta=[])}, "query.query.search.occurrences.meta must be an object"),
    ],
)
def test_what_was_passed_over(http: httpx.Client, more: dict[str, Any], reason: str) -> None:
    """What cannot be answered as it is asked is refused by its path."""
    status, said = outcome(http, "analytics/scalar", {**analytics(), "query": {**analytics()["query"], **more}})

    assert (status, said[: len(reason) + len("data.attributes.")]) == (400, f"data.attributes.{reason}")


def test_ways_of_working(http: httpx.Client) -> None:
    """How a query is worked out may be said in Datadog's words only."""
    known = outcome(http, "analytics/scalar", {**analytics(), "enforced_execution_type": "background"})
    other = outcome(http, "analytics/scalar", {**analytics(), "enforced_execution_type": "fast"})

    assert (known[0], other[0]) == (200, 400)
    assert other[1].startswith("data.attributes.enforced_execution_type must be one of simple, ")


def test_sort_by_metric_alone(http: httpx.Client) -> None:
    """Without an aggregation of its own a sort takes that of the compute."""
    sums: Counter[str] = Counter()
    for _, body in events():
        sums[body["event"]["name"]] += body["weight"]
    group = {**SORTED, "limit": 10, "sort": {"metric": "@weight", "order": "asc"}}
    rows = table(ask(http, "analytics/scalar", SCALAR, analytics("*", "sum", "@total", group_by=[group])))

    assert [row[0] for row in rows] == [name for name, _ in sorted(sums.items(), key=lambda item: item[1])]


@pytest.mark.parametrize("moment", [0, 253_370_764_800_000, 2**63])
@pytest.mark.parametrize("path", COMPLETE)
def test_extreme_dates(http: httpx.Client, path: str, moment: int) -> None:
    """Whatever dates are asked for, it is answered or refused."""
    for name in ("from", "to", "start", "end"):
        whole = COMPLETE[path][1]
        for place in members(whole):
            if place[-1] == name and isinstance(holder_of(whole, (*place, "x")), int):
                assert outcome(http, path, changed(path, place, moment))[0] in (200, 400)


@pytest.mark.parametrize("unit", ["minute", "hour", "day", "week", "month", "quarter", "year"])
def test_calendars_to_their_end(http: httpx.Client, unit: str) -> None:
    """The last intervals that a calendar has are answered or refused, too."""
    asked = copy.deepcopy(COMPLETE["retention/grid"][1])
    value = {"type": unit, "quantity": 1_000, "timezone": "America/New_York"}
    asked["query"]["search"]["cohort_criteria"]["time_interval"]["value"] = value
    outcomes = {
        outcome(http, "retention/grid", {**asked, "from": start, "to": 253_370_764_800_000})[0]
        for start in (0, 253_370_000_000_000, 253_370_764_799_999)
    }

    assert outcomes <= {200, 400}


def test_query_over_its_time() -> None:
    """A query that takes too long says so as its state, which the client knows, or refuses where there is no state."""
    emulator = Emulator(query_seconds=0.0)
    with emulator.running() as url, httpx.Client(base_url=url, timeout=60) as client:
        stored(emulator, events()[:1])
        path = "analytics/scalar"
        late = post(client, path, SCALAR, {**analytics(), "request_id": "r-1"})
        refused = outcome(client, "journey/funnel", COMPLETE["journey/funnel"][1])
    emulator.close()

    assert (late.status_code, late.json()["meta"]) == (200, {"request_id": "r-1", "status": "timeout"})
    assert refused == (400, "the query took longer than 0 s: ask for a shorter time range")
