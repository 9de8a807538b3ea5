from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dd_pa.emulator.search.search import SearchError, compile_search


@dataclass(frozen=True)
class Row:
    """What a search looks at."""

    body: Any
    raw: str | None = None
    reason: str | None = None


EVENT = {
    "event": {"name": "checkout.completed"},
    "type": "server",
    "usr": {"id": "user-1", "name": "Ada Lovelace", "email": "ada@example.com"},
    "service": "shop",
    "status": "ok",
    "order": {"total": 42.5, "count": 3, "paid": True, "id": "o-11", "note": None, "year": "2026", "half": -0.5},
    "items": [{"sku": "S1", "size": 7}, {"sku": "S2", "size": 9}],
    "tags": ["red", "green", 7],
    "matrix": [[1, 2], [3]],
    "dotted.key": "d",
    "a": {"b.c": "deep", "b": {"c": "deeper"}},
    "user": {"first name": "Ada"},
    "url": "https://example.com/a?b=1",
    "path": "/products/SHOE-44",
    "quote": 'say "hi"',
    "star": "a*b?c",
    "time": {"spent": 2_000_000_000},
    "date": "2026-11-23",
    "empty": "",
}


CASES = [
    # everything and nothing
    ("", True),
    (" \t\n", True),
    ("*", True),
    ("NOT *", False),
    ("-*", False),
    # facets
    ("@event.name:checkout.completed", True),
    ("@event.name:checkout", False),
    ("@event.name:Checkout.completed", False),
    ("@event.name: checkout.completed", True),
    ("@usr.id:user-1", True),
    ("@usr:user-1", False),
    ("service:shop", True),
    ("status:ok", True),
    ("status:202", False),
    ("service:sho?", True),
    ("@service:shop", True),
    ("type:server", True),
    ("@dotted.key:d", True),
    ("@a.b.c:deep", True),
    ("@a.b.c:deeper", True),
    ("@user.first\\ name:Ada", True),
    ("@event.name.more:x", False),
    # presence
    ("@usr.id:*", True),
    ("@missing:*", False),
    ("-@missing:*", True),
    ("NOT @missing:*", True),
    ("@order.note:*", False),
    ("@empty:*", True),
    ("@order:*", False),
    ("@tags:*", True),
    ("-@missing:x", True),
    # wildcards
    ("@event.name:checkout.*", True),
    ("@event.name:*completed", True),
    ("@event.name:*out.com*", True),
    ("@event.name:c*.c*d", True),
    ("@event.name:checkout.complete?", True),
    ("@event.name:checkout.completed?", False),
    ("@event.name:?heckout*", True),
    ("@event.name:*checkout.completed*", True),
    ("@event.name:checkout.completed*completed", False),
    ("@order.total:42*", True),
    ("@order.paid:tr*", True),
    ('@event.name:"checkout.*"', False),
    ('@star:"a*b?c"', True),
    ("@star:a\\*b\\?c", True),
    ("@star:a\\*b?c", True),
    ("@event.name:checkout\\*", False),
    # values in quotes and escapes
    ('@usr.name:"Ada Lovelace"', True),
    ("@usr.name:Ada\\ Lovelace", True),
    ('@usr.name:"Ada"', False),
    ('@quote:"say \\"hi\\""', True),
    ('@url:"https://example.com/a?b=1"', True),
    ("@url:https\\://example.com/a\\?b=1", True),
    ("@path:/products/*", True),
    ("@path:\\/products\\/SHOE-44", True),
    ('@empty:""', True),
    # numbers and booleans
    ("@order.count:3", True),
    ('@order.count:"3"', True),
    ("@order.count:3.0", True),
    ("@order.total:42.5", True),
    ("@order.total:42.50", True),
    ("@order.total:42", False),
    ("@order.half:-0.5", True),
    ("@order.year:2026", True),
    ("@order.paid:true", True),
    ("@order.paid:1", False),
    ("@order.paid:True", False),
    ("@order.note:null", False),
    # comparisons
    ("@order.total:>42", True),
    ("@order.total:>=42.5", True),
    ("@order.total:>42.5", False),
    ("@order.total:<43", True),
    ("@order.total:<=42.4", False),
    ("@order.total:> 42", True),
    ("@order.half:<-0.4", True),
    ("@order.half:>-1", True),
    ("@order.year:>2025", True),
    ("@order.paid:>0", False),
    ("@event.name:>1", False),
    ("@missing:>1", False),
    ("-@missing:>1", True),
    ("@date:>2026-11", True),
    ("@date:<2026-11", False),
    ("@items.size:>8", True),
    ("@time.spent:>1s", True),
    ("@time.spent:<1500ms", False),
    ("@time.spent:[1s TO 3s]", True),
    # ranges
    ("@order.total:[42 TO 43]", True),
    ("@order.total:[42.5 TO 42.5]", True),
    ("@order.total:{42.5 TO 43}", False),
    ("@order.total:{42 TO 42.5}", False),
    ("@order.total:{42 TO 43}", True),
    ("@order.total:[ 42   TO  43 ]", True),
    ("@order.total:[* TO 42]", False),
    ("@order.total:[42 TO *]", True),
    ("@order.total:[* TO *]", True),
    ("@order.note:[* TO *]", False),
    ("@order.half:[-1 TO 0]", True),
    ("@date:[2026-11-01 TO 2026-12-01]", True),
    ('@usr.name:["Ada" TO "Ada M"]', True),
    # lists
    ("@event.name:(checkout.completed OR payment.failed)", True),
    ("@event.name:(payment.* OR checkout.*)", True),
    ("@event.name:(a OR b)", False),
    ('@usr.name:("Ada Lovelace" OR x)', True),
    ("@tags:(red AND green)", True),
    ("@tags:(red green)", True),
    ("@tags:(red AND blue)", False),
    ("@tags:(red -blue)", True),
    ("@tags:(red NOT green)", False),
    ("@tags:(blue OR (red AND green))", True),
    ("@order.total:(<1 OR >42)", True),
    ("@order.count:([1 TO 2] OR 3)", True),
    ("-@tags:(red OR blue)", False),
    # arrays: one element is enough
    ("@tags:green", True),
    ("@tags:7", True),
    ("@tags:blue", False),
    ("@items.sku:S2", True),
    ("@items.sku:S*", True),
    ("@matrix:3", True),
    # free text
    ("checkout", True),
    ("CHECKOUT", True),
    ("check", False),
    ("check*", True),
    ("checkout.completed", True),
    ("checkout.comp*", True),
    ("*.completed", True),
    ("complete?", True),
    ("Lovelace", True),
    ("ada lovelace", True),
    ('"ada lovelace"', True),
    ('"lovelace ada"', False),
    ("lovelace ada", True),
    ("o-11", True),
    ("11", True),
    ("42.5", True),
    ("ada@example.com", True),
    ("nothing", False),
    ("-nothing", True),
    ("event", False),
    # operators
    ("@usr.id:user-1 @service:shop", True),
    ("@usr.id:user-1 AND @service:shop", True),
    ("@usr.id:user-1 && @service:x", False),
    ("@usr.id:x OR @service:shop", True),
    ("@usr.id:x || @service:shop", True),
    ("@usr.id:x OR @service:x", False),
    ("+@service:shop", True),
    ("@service:shop -@usr.id:user-1", False),
    ("@service:shop NOT @usr.id:user-1", False),
    ("@service:shop AND NOT @usr.id:x", True),
    ("NOT NOT @service:shop", True),
    ("--@service:shop", True),
    ("and", False),
    ("or OR checkout", True),
    ("ANDROID OR NOTHING", False),
    # precedence: NOT, then AND, then OR
    ("shop OR x AND x", True),
    ("x AND x OR shop", True),
    ("(shop OR x) AND x", False),
    ("x x OR shop", True),
    ("NOT x OR x", True),
    ("NOT (shop OR x)", False),
    ("-(shop OR x)", False),
    ("NOT x AND shop", True),
    ("NOT shop AND x", False),
    ("((shop))", True),
    ("(@service:(shop))", True),
]


@pytest.mark.parametrize(("text", "found"), CASES)
def test_search(text: str, found: bool) -> None:
    """The table of the syntax: what each search finds in one event."""
    test = compile_search(text).test

    assert (test is None or test(Row(EVENT))) is found


@pytest.mark.parametrize(
    ("row", "text"),
    [
        pytest.param(Row(None, raw='{"broken'), "broken", id="raw"),
        pytest.param(Row(None, reason="event.name is missing"), "missing", id="reason"),
        pytest.param(Row([1, "x"]), "x", id="array"),
        pytest.param(Row({"event.name": "x"}), "@event.name:x", id="dotted-only"),
        pytest.param(Row({"a": {"b": {"c": 1}}, "a.b": {"c": 2}}), "@a.b.c:2", id="both-spellings"),
        pytest.param(Row(None), "-@x:*", id="no-body"),
    ],
)
def test_odd_rows(row: Row, text: str) -> None:
    """Rejected requests are found by their reason and their text."""
    test = compile_search(text).test

    assert test is not None
    assert test(row)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("@usr.id:", 8, "something is missing at the end"),
        ("a AND", 5, "something is missing at the end"),
        ("(a", 2, "something is missing at the end"),
        ("@a:(b OR", 8, "something is missing at the end"),
        ("@a:[1 TO", 8, "something is missing at the end"),
        ("@a:[1 5]", 6, "5 is not expected here; quotes make it ordinary text"),
        ("@a:[1 TO 5}", 10, "a range is [a TO b] with its ends or {a TO b} without"),
        ("a)", 1, ") is not expected here; quotes make it ordinary text"),
        ("AND a", 0, "AND is not expected here; quotes make it ordinary text"),
        ("a OR OR b", 5, "OR is not expected here; quotes make it ordinary text"),
        ("NOT", 3, "something is missing at the end"),
        ("a:b:c", 3, ": is not expected here; quotes make it ordinary text"),
        (">", 1, "something is missing at the end"),
        ("_exists_:*", 0, "_exists_: needs the name of a facet, as _exists_:@usr.id"),
        ("a _missing_:@b*", 2, "_missing_: needs the name of a facet, as _missing_:@usr.id"),
        ("a _exists_:[1 TO 2]", 11, "[ is not expected here; quotes make it ordinary text"),
        ("a (_exists_:(b OR >2))", 3, "_exists_: needs the name of a facet, as _exists_:@usr.id"),
        ("()", 1, ") is not expected here; quotes make it ordinary text"),
        ('a "b', 2, "this quote is not closed"),
        ('@a:"b', 3, "this quote is not closed"),
        ("a \\", 2, "a backslash needs a character after it"),
        ("@a:(@b:c)", 6, ": is not expected here; quotes make it ordinary text"),
        ("a -", 3, "something is missing at the end"),
        ("[1 TO 2", 7, "something is missing at the end"),
        ("@a*:b", 3, ": is not expected here; quotes make it ordinary text"),
        ("@" + "a." * 64 + "b:c", 0, "the path of this facet has more than 64 parts"),
        ("(" * 65 + "a" + ")" * 65, 0, "the search is nested deeper than 64 levels"),
        ("(" * 8_000 + "a" + ")" * 8_000, 0, "the search is nested deeper than 64 levels"),
        ("-" * 10_000 + "a", 0, "the search is nested deeper than 64 levels"),
        (" OR ".join(["a"] * 1_001), 0, "the search has more than 1,000 terms"),
        (" ".join(["a"] * 1_001), 0, "the search has more than 1,000 terms"),
        ("a" * 16_385, 0, "the search is longer than 16 KiB"),
        ("é" * 8_193, 0, "the search is longer than 16 KiB"),
    ],
)
def test_errors(text: str, column: int, reason: str) -> None:
    """A search that is not understood says why and where."""
    with pytest.raises(SearchError) as caught:
        compile_search(text)

    assert (caught.value.column, caught.value.reason) == (column, reason)


@pytest.mark.parametrize("text", ["(" * 64 + "a" + ")" * 64, " OR ".join(["a"] * 1_000), "a" * 16_384])
def test_at_the_limits(text: str) -> None:
    """The limits themselves are allowed."""
    test = compile_search(text).test

    assert test is not None
    assert test(Row({"x": "a"})) is (len(text) < 16_000)


def test_wildcards_do_not_backtrack() -> None:
    """A pattern made to explode is answered at once: each piece is looked for once, from left to right."""
    test = compile_search("@x:" + "*a" * 200 + "b").test

    assert test is not None
    assert not test(Row({"x": "a" * 25_000}))


SIGNS = [*'@:()[]{}"\\*?<>=-+!^~.,& |\na1', "AND", "OR", "NOT", "TO", "1s", "@a.b:", ">="]
SYNTAX = st.sampled_from([*SIGNS, "_exists_:", "_missing_:", "*:", "[1 TO ", "env:"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b"]), inner, max_size=3),
    max_leaves=8,
)


@given(text=st.lists(SYNTAX, max_size=25).map("".join) | st.text(), body=VALUES)
@example(text="\ud800", body={"a": "\ud800"})
@example(text="@a:[\0 TO \0]", body={"a": "\0"})
def test_any_text(text: str, body: Any) -> None:
    """Whatever is typed is understood, and can be asked of any event, or is refused with a place in it."""
    try:
        test = compile_search(text).test
    except SearchError as error:
        column, answer = error.column, True
    else:
        column, answer = 0, test is None or test(Row(body))

    assert 0 <= column <= len(text)
    assert answer in (True, False)


@given(body=st.dictionaries(st.sampled_from("ab"), st.sampled_from("xyz") | st.integers(0, 3), min_size=1))
def test_a_facet_finds_itself(body: dict[str, Any]) -> None:
    """What the page shows as `@path value` can be searched, and excluded."""
    for path, value in body.items():
        found, excluded = compile_search(f'@{path}:"{value}"').test, compile_search(f'-@{path}:"{value}"').test
        assert found is not None
        assert excluded is not None
        assert (found(Row(body)), excluded(Row(body))) == (True, False)
