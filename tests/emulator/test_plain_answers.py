"""Random questions about random events: the answers are those of plain Python.

`DD_PA_ANSWERS=2000` asks more of each kind, `DD_PA_SEED=7` others; a failure names the seed that repeats it alone.
"""

from __future__ import annotations

import operator
import os
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import httpx
import pytest

from dd_pa.emulator import Emulator
from tests.emulator import plain_answers, plain_events
from tests.emulator.asking import SCALAR, ask, post, stored, table
from tests.emulator.plain_answers import Grouping, Measure
from tests.emulator.plain_events import NAMES, PLANS, SPAN, START, Asked, PlainEvent, Test

ASKED = int(os.environ.get("DD_PA_ANSWERS", "12"))
"""Questions of each kind."""
SEED = int(os.environ.get("DD_PA_SEED", "1"))
EVENTS = 400
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland", "America/Sao_Paulo")
METRICS = ("order.total", "usr.since", "plan")
FACETS = ("plan", "event.name", "tags", "usr.id", "paid", "nowhere")
SIGNS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge, "<": operator.lt, "=": operator.eq, ">": operator.gt, "<=": operator.le
}  # fmt: skip

Question: TypeAlias = Callable[[random.Random, list[PlainEvent], httpx.Client], None]


def base(query: str) -> dict[str, Any]:
    return {"data_source": "product_analytics", "search": {"query": query}}


def span(rng: random.Random) -> tuple[int, int]:
    """Some of the time; its ends may be those of an event, which belongs to it."""
    hour = 3_600_000
    start, end = sorted(rng.sample(range(SPAN // hour), 2))
    first = START - START % hour
    return first + start * hour, first + end * hour


def within(events: list[PlainEvent], between: tuple[int, int], test: Test) -> list[PlainEvent]:
    return [event for event in events if between[0] <= event.ts <= between[1] and test(event)]


def audience(rng: random.Random, events: list[PlainEvent]) -> tuple[dict[str, Any], Test]:
    """Some of the people as a request names them, and whether an event is one of theirs."""
    least, tier = rng.randrange(20, 50), rng.choice(PLANS)
    own = plain_answers.by_entity(events, "usr.id")
    busy = {name for name, those in own.items() if len(those) > least}
    tiered = {name for name, those in own.items() if those[0].first("usr.tier") == tier}
    accounts = {f"a{rng.randrange(4)}"}
    users = [
        {"name": "busy", "query": f"events_count:>{least}"},
        {"name": "tiered", "query": f"@usr.tier:{tier}"},
    ]
    filters: dict[str, Any] = {
        "users": users, "accounts": [{"name": "some", "query": f"account_id:{min(accounts)}"}]
    }  # fmt: skip

    def is_in(event: PlainEvent, names: set[str], path: str) -> bool:
        return event.first(path) in names

    formula, test = rng.choice(
        (
            (
                "busy AND NOT tiered AND (some OR NOT some)",
                lambda e: is_in(e, busy, "usr.id") and not is_in(e, tiered, "usr.id"),
            ),
            (
                "(busy OR tiered) AND NOT some",
                lambda e: is_in(e, busy | tiered, "usr.id") and not is_in(e, accounts, "account.id"),
            ),
            (
                "some OR busy AND tiered",
                lambda e: is_in(e, accounts, "account.id") or is_in(e, busy & tiered, "usr.id"),
            ),
        )
    )
    return {**filters, "formula": formula}, test


def whose(rng: random.Random, events: list[PlainEvent]) -> tuple[dict[str, Any], Test]:
    """Audience filters, or none."""
    if rng.random() < 0.6:
        return {}, lambda event: True
    filters, test = audience(rng, events)
    return {"audience_filters": filters}, test


def measure(rng: random.Random) -> Measure:
    name = rng.choice(("count", "cardinality", "sum", "min", "max", "avg", "median", "pc90", "pc5"))
    if name == "count":
        return Measure(name, None)
    return Measure(name, rng.choice((*METRICS, "usr.id", "tags")) if name == "cardinality" else rng.choice(METRICS))


def groupings(rng: random.Random) -> list[Grouping]:
    facets = rng.sample(FACETS, rng.choice((0, 1, 1, 2, 3)))
    return [Grouping(facet, rng.randint(1, 6), rng.random() < 0.3, rng.random() < 0.3) for facet in facets]


def group_by(groups: list[Grouping]) -> list[dict[str, Any]]:
    return [
        {
            "facet": f"@{one.facet}",
            "limit": one.limit,
            "sort": {"order": "asc" if one.ascending else "desc"},
            "should_exclude_missing": one.exclude_missing,
        }
        for one in groups
    ]


def compute(wanted: Measure) -> dict[str, Any]:
    return {"aggregation": wanted.aggregation, **({"metric": f"@{wanted.metric}"} if wanted.metric else {})}


def near(found: Any, expected: Any) -> bool:
    """Whether they are equal, but for the last digits of numbers."""
    if isinstance(expected, float):
        return found is not None and found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(near, found, expected))
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(near(found[name], expected[name]) for name in expected)
    return bool(found == expected)


def scalar_and_timeseries(rng: random.Random, events: list[PlainEvent], http: httpx.Client) -> None:
    """Groups, their order and limits; buckets; audiences."""
    asked, wanted, groups, between = plain_events.search(rng), measure(rng), groupings(rng), span(rng)
    people, is_theirs = whose(rng, events)
    interval = rng.choice((3_600_000, 24 * 3_600_000, 7 * 3_600_000, 999_983))
    query = {"query": base(asked.written), "compute": compute(wanted), "group_by": group_by(groups), **people}
    attributes = {"from": between[0], "to": between[1], "query": query}
    there = [event for event in within(events, between, asked.means) if is_theirs(event)]
    rows = plain_answers.grouped(there, groups, wanted)

    found = table(ask(http, "analytics/scalar", SCALAR, attributes))
    assert near(found, plain_answers.table(rows, wanted)), attributes

    query["compute"]["interval"] = interval
    answer = ask(http, "analytics/timeseries", SCALAR, attributes)
    points = {
        tuple(series["group_tags"]): {
            at: value
            for at, value in zip(answer["times"], values, strict=True)
            if value is not None or at in lines.get(tuple(series["group_tags"]), ())
        }
        for series, values in zip(answer["series"], answer["values"], strict=True)
        for lines in [plain_answers.lines(rows, wanted, interval)]
    }
    assert near(points, plain_answers.lines(rows, wanted, interval)), attributes


def occurrences(rng: random.Random, events: list[PlainEvent], http: httpx.Client) -> None:
    """Only those who did it so many times."""
    asked, between, entity = plain_events.search(rng, 1), span(rng), rng.choice(("usr.id", "session.id", "account.id"))
    sign, times = rng.choice(tuple(SIGNS)), rng.randrange(1, 8)
    often = {"operator": sign, "value": str(times), "meta": {"entity": f"@{entity}"}}
    query = {"data_source": "product_analytics_occurrence", "search": {"query": asked.written, "occurrences": often}}
    attributes = {"from": between[0], "to": between[1], "query": {"query": query, "compute": {"aggregation": "count"}}}
    there = plain_answers.often(within(events, between, asked.means), entity, lambda n: SIGNS[sign](n, times))

    found = table(ask(http, "analytics/scalar", SCALAR, attributes))
    assert found == ([(float(len(there)),)] if there else []), attributes


def journey(rng: random.Random, events: list[PlainEvent], http: httpx.Client) -> None:
    """A funnel and its groups, with and without a window; who left, as a list."""
    steps = [plain_events.search(rng, 1) for _ in range(rng.randint(1, 4))]
    key, between = rng.choice(("session.id", "usr.id", "account.id")), span(rng)
    everywhere, (people, is_theirs) = plain_events.search(rng, 0), whose(rng, events)
    window = rng.choice((None, None, 3_600_000, 40 * 3_600_000))
    names = "ABCD"[: len(steps)]
    search = {
        "expression": " -> ".join(names),
        "node_objects": {name: base(step.written) for name, step in zip(names, steps, strict=True)},
        "join_keys": {"primary": f"@{key}"},
        "filters": {"string_filter": everywhere.written, **people},
    }
    attributes: dict[str, Any] = {"from": between[0], "to": between[1], "query": {"search": search}}
    there = [event for event in within(events, between, everywhere.means) if is_theirs(event)]
    taken = plain_answers.ways(there, key, [step.means for step in steps], window)
    expected = plain_answers.funnel(taken, len(steps))

    answer = journeys(http, "funnel", "journey_request", attributes, window)
    told = answer["funnel_steps"]
    assert [step["value"] for step in told] == expected["counts"], attributes
    assert [step["elapsed_time_to_next_step"] for step in told] == expected["to_next"], attributes
    assert answer["end_to_end_elapsed_time"] == expected["whole"], attributes

    attributes["query"]["group_by"] = [{"facet": "@plan", "limit": 10}]
    told = journeys(http, "funnel", "journey_request", attributes, window)["funnel_steps"]
    by_plan = {way[0].first("plan") or "N/A" for way in taken.values()}
    for plan in by_plan:
        those = {name: way for name, way in taken.items() if (way[0].first("plan") or "N/A") == plan}
        values = [group["value"] for step in told for group in step["groups"] if group["group_tags"] == [plan]]
        assert values == plain_answers.funnel(those, len(steps))["counts"], (attributes, plan)

    attributes["query"] = {"search": search, "conversion_type": "drop-off", "limit": 100}
    answer = journeys(http, "list", "journey_list_request", attributes, window)
    left = {name for name, way in taken.items() if len(way) < len(steps)}
    assert {record[f"@{key}"] for record in answer["records"]} == left, attributes
    assert answer["total_count"] == len(left), attributes


def journeys(http: httpx.Client, path: str, kind: str, attributes: dict[str, Any], window: int | None) -> Any:
    """Ask Datadog's route, or the emulator's own for a window."""
    if window is None:
        return ask(http, f"journey/{path}", kind, attributes)
    response = post(http, f"../../emulator/journey/{path}", kind, {**attributes, "window": window})
    assert response.status_code == 200, response.text
    return response.json()["data"]["attributes"]


def retention(rng: random.Random, events: list[PlainEvent], http: httpx.Client) -> None:
    """Days and weeks of time zones, from the first event on."""
    first, back, between = plain_events.search(rng, 1), plain_events.search(rng, 1), span(rng)
    key, zone, weekly = rng.choice(("usr.id", "account.id")), rng.choice(ZONES), rng.random() < 0.5
    later, (people, is_theirs) = rng.random() < 0.4, whose(rng, events)
    interval = {
        "type": "calendar",
        "value": {
            "type": "week" if weekly else "day", "quantity": 1, "timezone": zone,
            **({"alignment": "monday"} if weekly else {}),
        },
    }  # fmt: skip
    search = {
        "cohort_criteria": {"base_query": base(first.written), "time_interval": interval},
        "return_criteria": {"base_query": base(back.written)},
        "retention_entity": f"@{key}",
        "return_condition": "conversion_on_or_after" if later else "conversion_on",
        "filters": people,
    }
    attributes = {
        "from": between[0],
        "to": between[1],
        "query": {"search": search, "compute": {"metric": "__dd.retention", "aggregation": "count"}},
    }
    there = [event for event in within(events, between, lambda event: True) if is_theirs(event)]
    expected = plain_answers.cohorts(
        between,
        zone,
        weekly,
        plain_answers.firsts(there, key, first.means),
        plain_answers.times(there, key, back.means),
        later,
    )

    rows = ask(http, "retention/grid", "retention_grid_request", attributes)["cohorts"]
    found = [(row["cohort_size"], [cell["cell_count"] for cell in row["cells"]]) for row in rows[:-1]]
    assert found == expected, attributes


def sankey(rng: random.Random, events: list[PlainEvent], http: httpx.Client) -> None:
    """The first few values of each session, user or account."""
    asked, between, (people, is_theirs) = plain_events.search(rng, 1), span(rng), whose(rng, events)
    facet, key = rng.choice(("event.name", "plan", "tags")), rng.choice(("session.id", "usr.id", "account.id"))
    steps, entries = rng.randint(1, 5), rng.randint(1, 5)
    attributes = {
        "time": {"from": between[0], "to": between[1]},
        "search": {"query": asked.written, "join_keys": {"primary": f"@{key}"}, **people},
        "definition": {
            "source": f"@{facet}", "target": f"@{facet}", "number_of_steps": steps, "entries_per_step": entries
        },
    }  # fmt: skip
    there = [event for event in within(events, between, asked.means) if is_theirs(event) and event.values(facet)]
    expected = plain_answers.flow(there, key, facet, steps + 2, entries)

    answer = ask(http, "sankey", "sankey_request", attributes)
    assert {node["id"]: node["value"] for node in answer["nodes"]} == expected["nodes"], attributes
    links = {(link["source"], link["target"]): link["value"] for link in answer["links"]}
    assert links == expected["links"], attributes


def lists(rng: random.Random, events: list[PlainEvent], http: httpx.Client) -> None:
    """Which events a search finds: for the API, and for the page."""
    asked, between = plain_events.search(rng, 3), span(rng)
    there = within(events, between, asked.means)
    query = {"query": base(asked.written), "limit": 1_000, "columns": ["@event.name"]}
    answer = ask(
        http,
        "analytics/list",
        "formula_analytics_extended_list_request",
        {"from": between[0], "to": between[1], "query": query},
    )
    names = [event.first("event.name") for event in sorted(there, key=lambda e: (e.ts, e.number), reverse=True)]
    assert [record["@event.name"] for record in answer["records"]] == names, asked.written
    assert answer["total_count"] == len(there), asked.written

    page: dict[str, str | int] = {"q": asked.written, "from": between[0], "to": between[1] + 1, "source": "all"}
    shown = http.get("/api/emulator/older", params={**page, "limit": 5_000}).json()["events"]
    assert [row[2] for row in shown] == [
        event.first("event.name") for event in sorted(there, key=lambda e: e.number, reverse=True)
    ], asked.written


QUESTIONS: list[Question] = [scalar_and_timeseries, occurrences, journey, retention, sankey, lists]


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[Emulator, httpx.Client]]:
    """An emulator that is not out of time on a busy machine, and a client."""
    emulator = Emulator(query_seconds=120)
    with emulator.running() as url, httpx.Client(base_url=url, timeout=150) as http:
        yield emulator, http
    emulator.close()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_answers_are_those_of_plain_python(asked: tuple[Emulator, httpx.Client], question: Question) -> None:
    """Of each kind so many; the events are others for each ten."""
    emulator, http = asked
    events: list[PlainEvent] = []
    for number in range(ASKED):
        seed = f"{SEED}-{question.__name__}-{number}"
        if number % 10 == 0:
            emulator.clear()
            events = plain_events.events(random.Random(seed), EVENTS)
            stored(emulator, [(event.ts, event.body) for event in events])
        try:
            question(random.Random(seed), events, http)
        except AssertionError as error:
            raise AssertionError(f"question {number} of DD_PA_SEED={SEED}: {error}") from error


def test_the_oracle_knows_what_a_search_means() -> None:
    """Random searches find some events and leave some out: one that found all or none would prove nothing."""
    events = plain_events.events(random.Random(SEED), EVENTS)
    asked: list[Asked] = [plain_events.search(random.Random(number)) for number in range(200)]
    shares = [sum(map(one.means, events)) / EVENTS for one in asked]

    assert sum(0.02 < share < 0.98 for share in shares) > 100
    assert {name for event in events for name in event.values("event.name")} == set(NAMES)
