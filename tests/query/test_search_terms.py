"""Names and values in a search mean what they are, whatever is in them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dd_pa.emulator.search.search import compile_search
from dd_pa.query import events, search
from dd_pa.query.search_terms import equals, grouped, missing, readable


class Row:
    """An event, as the emulator's search looks at it."""

    raw = None
    reason = None

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body


def finds(query: str, body: dict[str, Any]) -> bool:
    """Say whether the emulator, which has a parser of its own, finds an event."""
    test = compile_search(query).test
    return test is None or test(Row(body))


odd = st.text(' "\\*?():[]{}<>=!~^-+&|/ORAND', max_size=12)
letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | odd
names = letters.filter(lambda text: "." not in text and text and text != "@" and not text.startswith("@"))


@given(letters, letters)
def test_a_value_is_found_and_no_other_one(value: str, other: str) -> None:
    """Wildcards, operators, quotes and blanks are letters."""
    query = equals("@plan", value)

    assert finds(query, {"plan": value})
    assert finds(query, {"plan": other}) == (value == other)


@given(st.lists(letters, min_size=1, max_size=4), letters)
def test_one_of_several_values(values: list[str], other: str) -> None:
    """And no other one."""
    query = events().having("@plan", *values).query

    assert all(finds(query, {"type": "server", "plan": value}) for value in values)
    assert finds(query, {"type": "server", "plan": other}) == (other in values)
    assert not finds(query, {"type": "view", "plan": values[0]})


@given(names, names)
def test_the_name_of_a_facet_is_a_name(name: str, other: str) -> None:
    """A dot in it is what separates the parts of a path; nothing else has a meaning."""
    query = equals(f"@{name}", 1)

    assert finds(query, {name: 1})
    assert finds(query, {other: 1}) == (name == other)
    assert finds(missing(f"@{name}"), {other: 1}) == (name != other)


@given(letters.filter(bool), letters.filter(bool))
def test_the_name_of_an_event(name: str, other: str) -> None:
    """It is not looked for among other things that have names."""
    query = events(name).query

    assert finds(query, {"type": "server", "event": {"name": name}})
    assert finds(query, {"type": "server", "event": {"name": other}}) == (name == other)
    assert not finds(query, {"type": "action", "event": {"name": name}})


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param(5, 5, id="int"),
        pytest.param(-2.5, -2.5, id="float"),
        pytest.param(Decimal("89.50"), "89.50", id="decimal"),
        pytest.param(True, True, id="bool"),
        pytest.param("TO", "TO", id="operator"),
        pytest.param("", "", id="empty"),
    ],
)
def test_other_values(value: Any, stored: Any) -> None:
    """Numbers and booleans as JSON has them."""
    assert finds(equals("@x", value), {"x": stored})


@pytest.mark.parametrize(
    ("made", "text"),
    [
        pytest.param(events("checkout.completed").query, "@type:server @event.name:checkout.completed", id="one"),
        pytest.param(events("a", "b").query, "@type:server @event.name:(a OR b)", id="two"),
        pytest.param(events().query, "@type:server", id="any"),
        pytest.param(search("").query, "*", id="everything"),
        pytest.param(search("").where("@a:1").query, "@a:1", id="not-everything"),
        pytest.param(events("a").where("@b:1 OR @c:2").query, "@type:server @event.name:a (@b:1 OR @c:2)", id="kept"),
        pytest.param(events("a").where("-@b:x*").query, "@type:server @event.name:a -@b:x*", id="plain"),
        pytest.param(events("a").having("@b c", "x y").query, '@type:server @event.name:a @b\\ c:"x y"', id="quoted"),
        pytest.param(grouped("  @a:1 "), "@a:1", id="blanks"),
    ],
)
def test_what_is_sent(made: str, text: str) -> None:
    """As one would type it, and no more brackets than needed."""
    assert made == text
    compile_search(made)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@type:server @event.name:a.b", "a.b"),
        ("@type:server @event.name:a (@b:1)", "@type:server @event.name:a (@b:1)"),
        ("@type:view", "@type:view"),
        ("a.b", "a.b"),
        ("", ""),
    ],
)
def test_how_a_step_is_called(text: str, name: str) -> None:
    """By its event's name where that is all."""
    assert readable(text) == name
