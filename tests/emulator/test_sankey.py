from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa.emulator import Emulator
from tests.emulator.asking import END, KEYS, START, ask, stored

Engine = tuple[Emulator, httpx.Client]


def step(page: str | None, session: str) -> dict[str, Any]:
    """A server event on a page."""
    return {"type": "server", "event": {"name": "seen"}, "session": {"id": session}, "page": page}


def flow(engine: Engine, steps: int = 1, entries: int = 2, **more: Any) -> dict[str, Any]:
    """The diagram of pages."""
    definition = {"source": "@page", "target": "@page", "number_of_steps": steps, "entries_per_step": entries}
    attributes = {
        "time": {"from": START, "to": END},
        "search": {"query": "@event.name:seen"},
        "definition": definition | more,
    }
    return ask(engine[1], "sankey", "sankey_request", attributes)


def visits(*ways: str) -> list[tuple[int, dict[str, Any]]]:
    """One session for each way, a letter for each page."""
    return [(START + n, step(page, f"s{number}")) for number, way in enumerate(ways) for n, page in enumerate(way)]


def test_diagram(engine: Engine) -> None:
    """Columns hold the most frequent pages, one node for the rest, and one for the sessions that ended before."""
    stored(engine[0], visits("ab", "abc", "ac", "b", "cab", "dab"))
    answer = flow(engine)

    nodes = {node["id"]: (node["value"], node["dropoff_value"], node["outgoing_value"]) for node in answer["nodes"]}
    assert nodes == {
        "0:regular:a": (3, 0, 3),
        "0:regular:b": (1, 1, 0),
        "0:other": (2, 0, 2),
        "1:dropoff": (1, 0, 0),
        "1:regular:a": (2, 0, 2),
        "1:regular:b": (2, 1, 1),
        "1:other": (1, 1, 0),
        "2:dropoff": (2, 0, 0),
        "2:regular:b": (2, 0, 0),
        "2:regular:c": (1, 0, 0),
    }
    other = next(node for node in answer["nodes"] if node["id"] == "0:other")
    assert (other["type"], [(one["name"], one["value"]) for one in other["aggregated_nodes"]]) == (
        "other",
        [("c", 1), ("d", 1)],
    )
    links = {(link["source"], link["target"]): link["value"] for link in answer["links"]}
    assert links["0:regular:a", "1:regular:b"] == 2
    assert links["0:regular:b", "1:dropoff"] == 1
    assert links["0:other", "1:regular:a"] == 2


def test_nothing(engine: Engine) -> None:
    """Without events the diagram is empty."""
    assert flow(engine) == {"nodes": [], "links": []}


def test_target_of_its_own(engine: Engine) -> None:
    """The last column shows the target's facet."""
    stored(engine[0], [(START + n, step(page, "s") | {"size": page * 2}) for n, page in enumerate("abc")])

    names = [node["name"] for node in flow(engine, target="@size")["nodes"]]
    assert names == ["a", "b", "cc"]


STEPS = st.builds(step, st.sampled_from(["a", "b", "c", None]), st.sampled_from("xyz"))
EVENTS = st.lists(st.tuples(st.integers(START, START + 50), STEPS), max_size=30)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS, steps=st.integers(1, 3), entries=st.integers(1, 3))
def test_same_as_plain_python(
    engine_server: Engine, events: list[tuple[int, dict[str, Any]]], steps: int, entries: int
) -> None:
    """Diagrams of random events are what plain Python works out."""
    engine_server[0].clear()
    stored(engine_server[0], events)
    answer = flow(engine_server, steps, entries)

    ways: dict[str, list[str]] = defaultdict(list)
    for _, one in sorted(events, key=lambda row: row[0]):
        if one["page"] is not None and len(ways[one["session"]["id"]]) < steps + 2:
            ways[one["session"]["id"]].append(one["page"])
    paths = [way for way in ways.values() if way]
    width = max(map(len, paths), default=0)
    values: Counter[tuple[int, str]] = Counter()
    links: Counter[tuple[str, str]] = Counter()
    tops = []
    for column in range(width):
        counts = Counter(way[column] for way in paths if len(way) > column)
        tops.append([name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:entries]])
    for way in paths:
        names = [f"{n}:regular:{name}" if name in tops[n] else f"{n}:other" for n, name in enumerate(way)]
        names += [f"{len(way)}:dropoff"] if len(way) < width else []
        values.update((int(name.split(":")[0]), name) for name in names)
        links.update(pairwise(names))
    assert {(node["column"], node["id"]): node["value"] for node in answer["nodes"]} == dict(values)
    assert {(link["source"], link["target"]): link["value"] for link in answer["links"]} == dict(links)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS, steps=st.integers(1, 3), is_end=st.booleans())
def test_ways_from_and_to_an_event(
    engine_server: Engine, events: list[tuple[int, dict[str, Any]]], steps: int, is_end: bool
) -> None:
    """From the first "a" of a session on; or to its last one, told backwards from it."""
    engine_server[0].clear()
    stored(engine_server[0], events)
    definition = {"source": "@page", "target": "@page", "number_of_steps": steps, "entries_per_step": 10}
    asked = {
        "time": {"from": START, "to": END},
        "search": {},
        "definition": definition,
        "end" if is_end else "begin": "a",
    }
    body = {"data": {"type": "sankey_request", "attributes": asked}}
    answer = engine_server[1].post("/api/emulator/sankey", json=body, headers=KEYS).json()["data"]["attributes"]

    own: dict[str, list[str]] = defaultdict(list)
    for _, one in sorted(events, key=lambda row: row[0]):
        if one["page"] is not None:
            own[one["session"]["id"]].append(one["page"])
    ways = [way[::-1] if is_end else way for way in own.values() if "a" in way]
    paths = [way[way.index("a") :][: steps + 2] for way in ways]
    values = Counter((n, f"{n}:regular:{name}") for way in paths for n, name in enumerate(way))
    width = max(map(len, paths), default=0)
    values.update((len(way), f"{len(way)}:dropoff") for way in paths if len(way) < width)
    assert {(node["column"], node["id"]): node["value"] for node in answer["nodes"]} == dict(values)


def test_one_end_only(engine_server: Engine) -> None:
    """Ways that begin and end somewhere are not known."""
    definition = {"source": "@page", "target": "@page"}
    asked = {"time": {"from": 0, "to": 1}, "search": {}, "definition": definition, "end": "a", "begin": "b"}
    body = {"data": {"type": "sankey_request", "attributes": asked}}
    answer = engine_server[1].post("/api/emulator/sankey", json=body, headers=KEYS)

    assert (answer.status_code, "ask for one of them" in answer.text) == (400, True)
