"""The twenty questions of the documentation: each address has an answer in the sample's data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.sample.history import history
from tests.emulator.asking import SCALAR, ask, stored

CHAPTER = (Path(__file__).parents[2] / "docs/questions.md").read_text()
QUESTIONS = re.findall(r"^([0-9]+)\. \*\*(.+?)\*\*((?:.+\n)(?: +.+\n)*)", CHAPTER, re.MULTILINE)
ADDRESSES = {number: re.findall(r"\(http://127\.0\.0\.1:8994([^)]+)\)", text) for number, _, text in QUESTIONS}
END = 1_795_800_000_000
TIMES = {"from": END - 30 * 86_400_000, "to": END}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of an emulator with a part of the sample."""
    emulator = Emulator()
    stored(emulator, [(event.ts, event.body) for event in history(end=END, events=5_000)])
    with emulator.running() as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client
    emulator.close()


def test_there_are_twenty() -> None:
    assert [number for number, _, _ in QUESTIONS] == [str(number) for number in range(1, 21)]
    assert all(ADDRESSES.values())


def found(search: str) -> dict[str, object]:
    return {"data_source": "product_analytics", "search": {"query": search}}


def searches(address: str) -> list[str]:
    """What the events behind an address must match, at least."""
    query = parse_qs(urlsplit(address).query)
    wanted = [*query.get("q", []), *query.get("first", []), *query.get("back", [])]
    facets = [*query.get("by", []), *(of.partition(":")[2] or of for of in query.get("of", []))]
    narrowed = [f"{' '.join(query.get('q', []))} {facet}:*" for facet in facets if facet.startswith("@")]
    kinds = {"event": "@event.name", "page": "@type:view @view.name"}
    steps = [step.partition(":") for step in query.get("step", [])]
    return [*wanted, *narrowed, *(f"{kinds[kind]}:{text}" for kind, _, text in steps)]


@pytest.mark.parametrize("number", ADDRESSES)
def test_a_question_has_its_answer(http: httpx.Client, number: str) -> None:
    """Each search, facet and step of its address is in the data."""
    for address in ADDRESSES[number]:
        for search in searches(address):
            attributes = {**TIMES, "query": {"query": found(search), "compute": {"aggregation": "count"}}}
            [column] = ask(http, "analytics/scalar", SCALAR, attributes)["columns"]
            assert sum(column["values"]) > 0, search


@pytest.mark.parametrize("number", ["11", "12"])
def test_a_funnel_compares_groups(http: httpx.Client, number: str) -> None:
    """Each of the values has a number of its own."""
    query = parse_qs(urlsplit(ADDRESSES[number][0]).query)
    steps = [step.partition(":") for step in query["step"]]
    kinds = {"event": "@event.name", "page": "@type:view @view.name"}
    nodes = {name: found(f"{kinds[kind]}:{text}") for name, (kind, _, text) in zip("AB", steps, strict=True)}
    asked = {"search": {"expression": "A -> B", "node_objects": nodes}, "group_by": [{"facet": query["facet"][0]}]}
    answer = ask(http, "journey/funnel", "journey_request", {**TIMES, "query": asked})
    reached = {group["group_tags"][0]: group["value"] for group in answer["funnel_steps"][1]["groups"]}

    assert len(reached) == 2
    assert all(value > 5 for value in reached.values())
