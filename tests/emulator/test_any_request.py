"""Whatever is asked, however wrong, is answered or refused with a reason: never a failure of the emulator's own."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dd_pa.emulator import Emulator
from tests.emulator.asking import END, KEYS, QUERIES, START, stored
from tests.emulator.complete import COMPLETE, USERS
from tests.emulator.test_whole_requests import Place, events, holder_of, members

WORDS = (
    "",
    "*",
    "@",
    "@usr.id",
    "usr.id",
    "account.id",
    "user_plan",
    "@total",
    "total:>",
    "A",
    "B",
    "A -> B",
    "A -> A",
)
MORE_WORDS = ("@" + "a." * 70, "a b", "\ud800", "\0", "é" * 300, "count", "cardinality", "pc99", "pc00", "median")
TIMES = (
    "day",
    "week",
    "month",
    "minute",
    "31st",
    "12pm",
    "monday",
    "Asia/Kathmandu",
    "../../etc/passwd",
    "weighted_avg",
)
NUMBERS = (-1, 0, 1, 2, 10, 100, 10_000, START, END, 2**31, 2**53, 2**63, 10**400, 0.001, -0.5, 1e300, True, None)
SCALARS = st.sampled_from([*WORDS, *MORE_WORDS, *TIMES, USERS, *NUMBERS]) | st.text(max_size=10) | st.integers()
PARTS = st.sampled_from(
    [part for _, whole in COMPLETE.values() for part in [holder_of(whole, (*p, 0)) for p in members(whole)]]
)
VALUES = (
    SCALARS
    | PARTS
    | st.lists(SCALARS | PARTS, max_size=3)
    | st.dictionaries(st.sampled_from(WORDS[1:]), SCALARS, max_size=2)
)
CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(["set", "remove", "double"]), VALUES), max_size=4)


def altered(whole: Any, changes: list[tuple[int, str, Any]]) -> Any:
    """The request with other values, or none, at some places."""
    whole = copy.deepcopy(whole)
    for number, way, value in changes:
        places: list[Place] = list(members(whole))
        if not places:
            return whole
        place = places[number % len(places)]
        holder, name = holder_of(whole, place), place[-1]
        if way == "remove":
            del holder[name]
        elif way == "double" and isinstance(holder, list):
            holder.extend(copy.deepcopy(holder))
        else:
            holder[name] = copy.deepcopy(value)
    return whole


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of an emulator with events; a query over its time is answered, too."""
    emulator = Emulator(clock=lambda: END / 1000, query_seconds=20)
    with emulator.running() as url, httpx.Client(base_url=url, timeout=120) as client:
        stored(emulator, events())
        yield client
    emulator.close()


def post(http: httpx.Client, path: str, document: Any) -> tuple[int, Any]:
    """Status and answer."""
    headers = {**KEYS, "content-type": "application/json"}
    answer = http.post(f"{QUERIES}/{path}", content=json.dumps(document).encode(), headers=headers)
    return answer.status_code, answer.json()


def is_said(status: int, answer: Any) -> bool:
    """Say whether it is an answer or a refusal as the documents have them."""
    if status == 200:
        return (
            isinstance(answer["data"]["attributes"], dict) and json.loads(json.dumps(answer, allow_nan=False)) == answer
        )
    return status == 400 and isinstance(answer["errors"][0], str) and len(answer["errors"]) == 1


@pytest.mark.parametrize("path", COMPLETE)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES)
@example(changes=[])
def test_altered_requests(http: httpx.Client, path: str, changes: list[tuple[int, str, Any]]) -> None:
    """Each query with members gone, doubled, or replaced by what other queries have, or by nonsense."""
    kind, whole = COMPLETE[path]
    document = {"data": {"type": kind, "attributes": altered(whole, changes)}}

    assert is_said(*post(http, path, document)), document


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(sorted(COMPLETE)),
    document=st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["data", "type", "attributes", "query"]), inner)
        ),
    ),
)
def test_any_document(http: httpx.Client, path: str, document: Any) -> None:
    """Any JSON at all is refused with a reason."""
    assert is_said(*post(http, path, document))
