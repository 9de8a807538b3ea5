from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.search.grammar import SearchError, parse_search
from dd_pa.emulator.search.predicates import row_test
from dd_pa.emulator.warehouse.catalogue import DOCUMENTED, MAX_COLUMNS
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import Warehouse
from tests.emulator.test_search import CASES, EVENT, Row


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    """One database for all tests of this file."""
    warehouse = Warehouse(None, time.time)
    yield warehouse
    warehouse.close()


def found(warehouse: Warehouse, *texts: str) -> list[tuple[int, ...]]:
    """For each event, in order, which of the searches find it."""
    statement = Statement(warehouse, QueryDeadline(60))
    conditions = ", ".join(f"({statement.search(parse_search(text))})::INTEGER" for text in texts)
    return statement.rows(f"SELECT {conditions} FROM events ORDER BY seq")  # noqa: S608 - made by the engine


def put(warehouse: Warehouse, *bodies: dict[str, Any]) -> None:
    """Only these events."""
    warehouse.clear()
    warehouse.put([Event(ts=n, body=body) for n, body in enumerate(bodies)])


def test_the_table_of_the_syntax(warehouse: Warehouse) -> None:
    """The engine finds what the live list finds: the same table of cases."""
    put(warehouse, EVENT)
    texts = [str(case[0]) for case in CASES]
    wrong = [
        (text, bool(hit), expected)
        for (text, expected), hit in zip(CASES, found(warehouse, *texts)[0], strict=True)
        if bool(hit) is not expected
    ]

    assert wrong == []


def test_facets_without_a_column(warehouse: Warehouse) -> None:
    """When all columns are given away, what is new shares one, and is found as before."""
    many = {f"k{n}": n for n in range(MAX_COLUMNS - len(DOCUMENTED))}
    put(warehouse, {"type": "server", **many}, EVENT)
    texts = [str(case[0]) for case in CASES]

    assert [bool(hit) for hit in found(warehouse, *texts)[1]] == [case[1] for case in CASES]
    assert found(warehouse, "@k7:7") == [(1,), (0,)]


TEXTS = (
    "x",
    "X",
    "xy",
    "x y",
    "",
    "1",
    "1.0",
    "01",
    "true",
    "null",
    "é",
    "s",
    "a.b",
    "1s",
    "*",
    "ǅ",
    "\u0301a",
    "a\0b",
)
NUMBERS = (-3, 0, 1, 3, 0.5, 1.0, -2.5, 1e22, 10**20, 1e-7)
VALUES = st.sampled_from([*TEXTS, "Σ", *NUMBERS, True, False, None])
KEYS = st.sampled_from(["a", "b", "a.b", "c"])
NESTED = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=5,
)
TAGS = st.sampled_from([{}, {"ddtags": "t:1,a:x,t:x y"}, {"ddtags": ",:x,a.b: y,c,b:1.0"}, {"ddtags": 7}])
BODIES = st.builds(lambda body, tags: {"type": "server"} | body | tags, st.dictionaries(KEYS, NESTED, max_size=3), TAGS)
PATHS = st.sampled_from(["@a:", "@b:", "@a.b:", "c:", "@a.a.b:", "@zz:", "t:", "a:"])
WORDS = ("x", "X", "1", "1.0", "true", "null", "é", '"x y"', '""', "1s", "a.b", "-1", "1e22", "01")
WILDCARDS = ("x*", "*y", "?", "*", "x?", "é*", "σ*", '"*"', "\\*", "1?", "?.?", "*.5", "\u0301*")
TERMS = st.sampled_from([*WORDS, *WILDCARDS])
RANGES = ("[0 TO 1]", "{0 TO 1}", "[a TO y]", "[* TO 1]", "[* TO *]", '["0" TO "2"]', '{* TO "x"}', "[1 TO é]")
COMPARED = st.sampled_from([">0", "<=1", ">x", "<x", ">=1s", '<"2"', ">=X", *RANGES])
RUNS = ("x\\ y", "x\\ ?", "*\\ *", "*x\\ y", "\\ x*", "a?b")
FREE = TERMS.filter(lambda text: not text.startswith("-") and text != "*") | st.sampled_from(["y", "x*y", "**", *RUNS])
PRESENCE = st.tuples(
    st.sampled_from(["_exists_:", "_missing_:"]), st.sampled_from(["@a", "a.b", '"b"', "(a OR @c)", "t"])
)
ANY = st.tuples(st.sampled_from(["", "*:", "- "]), COMPARED)
LEAVES = st.one_of(st.tuples(PATHS, TERMS | COMPARED).map("".join), FREE, PRESENCE.map("".join), ANY.map("".join))
SEARCHES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" ", " AND ", " OR "]), inner).map("".join),
        inner.map("NOT ({})".format),
        st.tuples(PATHS, TERMS, TERMS).map(lambda parts: f"{parts[0]}({parts[1]} OR NOT {parts[2]})"),
    ),
    max_leaves=5,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies=st.lists(BODIES, min_size=3, max_size=15), texts=st.lists(SEARCHES, min_size=3, max_size=15))
@example(bodies=[{"type": "server", "a": [{"b": "x"}, [1, [2]]], "a.b": "y"}], texts=["@a.b:y -@a:3", "x*"])
def test_both_compilers_agree(warehouse: Warehouse, bodies: list[dict[str, Any]], texts: list[str]) -> None:
    """Whatever is asked of whatever events, the engine and the live list find the same."""
    understood = []
    for text in texts:
        try:
            understood.append((text, row_test(parse_search(text))))
        except SearchError:
            continue
    put(warehouse, *bodies)
    if not understood:
        return
    rows = found(warehouse, *(text for text, _ in understood))

    wrong = [
        (text, body, bool(hit))
        for body, hits in zip(bodies, rows, strict=True)
        for (text, test), hit in zip(understood, hits, strict=True)
        if bool(hit) is not test(Row(body))
    ]
    assert wrong == []
