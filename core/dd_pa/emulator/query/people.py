"""Users and accounts, as their events tell about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dd_pa.emulator.query.request_fields import LAST_MS
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.search.predicates import RowTest, row_test
from dd_pa.emulator.search.tree import Node

MAX_PEOPLE = 200_000
_FIRST_MS = -62_135_596_800_000
"""The year 1: no date can be said before it, whatever clock an event was told by."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user or an account. Searches look at it like at an event."""

    id: str
    body: dict[str, Any]
    raw: None = None
    reason: None = None


def people(statement: Statement, kind: str, condition: str = "true") -> list[Person]:
    """Return all users (`usr`) or accounts (`account`) of the events that match, the latest seen first.

    Only the newest MAX_PEOPLE are looked at.
    """
    own = _own_paths(statement, kind)
    identity = statement.text(f"{kind}.id")
    latest = [f"arg_max({statement.spelled(path)}, ts) FILTER ({statement.spelled(path)} IS NOT NULL)" for path in own]
    counted = [expression(statement) for _, expression in _COUNTS[kind]]
    columns = [f"{identity} AS k", "min(ts)", "max(ts) AS last", *counted, *latest]
    rows = statement.rows(
        f"SELECT {', '.join(columns)} FROM events WHERE {condition} AND {identity} IS NOT NULL "
        f"GROUP BY k ORDER BY last DESC, k LIMIT {MAX_PEOPLE}"
    )
    return [_person(kind, own, row) for row in rows]


def everybody(statement: Statement, kind: str) -> list[Person]:
    """Return all users or accounts; within one request they are looked up once."""
    return statement.once(f"people.{kind}", lambda: people(statement, kind))


def _own_paths(statement: Statement, kind: str) -> list[str]:
    paths = [path for path in statement.paths() if path.startswith(f"{kind}.")]
    return [path for path in paths if path not in (f"{kind}.id", "usr.anonymous_id")][:50]


def _count(condition: Callable[[Statement], str]) -> Callable[[Statement], str]:
    return lambda statement: f"count(*) FILTER ({condition(statement)})"


def _is(kind: str) -> Callable[[Statement], str]:
    return lambda statement: f"{statement.text('type')} = '{kind}'"


def _first(path: str) -> Callable[[Statement], str]:
    return lambda statement: f"arg_min({statement.text(path)}, ts) FILTER ({statement.spelled(path)} IS NOT NULL)"


_SHARED: list[tuple[str, Callable[[Statement], str]]] = [
    ("events_count", lambda statement: "count(*)"),
    ("session_count", lambda statement: f"count(DISTINCT {statement.spelled('session.id')})"),
    ("view_count", _count(_is("view"))),
    ("action_count", _count(_is("action"))),
    ("error_count", _count(_is("error"))),
]
_COUNTS = {
    "usr": [
        *_SHARED,
        ("first_browser_name", _first("browser.name")),
        ("first_device_type", _first("device.type")),
        ("first_country_code", _first("geo.country_iso_code")),
    ],
    "account": [*_SHARED, ("user_count", lambda statement: f"count(DISTINCT {statement.spelled('usr.id')})")],
}
_PREFIX = {"usr": "user", "account": "account"}


def _person(kind: str, own: list[str], row: tuple[Any, ...]) -> Person:
    identity, first, last = row[:3]
    counts = _COUNTS[kind]
    body: dict[str, Any] = {f"{_PREFIX[kind]}_id": identity, f"{kind}.id": identity}
    body["first_seen"], body["last_seen"] = _iso(first), _iso(last)
    body |= {name: value for (name, _), value in zip(counts, row[3:], strict=False) if value is not None}
    for path, spelled in zip(own, row[3 + len(counts) :], strict=True):
        if spelled is not None:
            value = _value(spelled)
            body[path] = value
            body.setdefault(f"{_PREFIX[kind]}_{path.partition('.')[2].replace('.', '_')}", value)
    return Person(identity, body)


def _value(spelled: str) -> object:
    kind, text = spelled[0], spelled[1:]
    if kind == "s":
        return text
    if kind == "b":
        return text == "true"
    return float(text) if any(symbol in text for symbol in ".eE") else int(text)


def _iso(moment: int) -> str:
    return (
        datetime.fromtimestamp(max(_FIRST_MS, min(moment, LAST_MS)) / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def attribute_names(kind: str) -> list[tuple[str, str]]:
    """Return (name, type) of what is known about every user or account."""
    prefix = _PREFIX[kind]
    own = [(f"{prefix}_{name}", "string") for name in ("id", "email", "name")]
    times = [("first_seen", "string"), ("last_seen", "string")]
    counts = [(name, "string" if name.startswith("first_") else "number") for name, _ in _COUNTS[kind]]
    return [*own, *times, *counts]


def matching(statement: Statement, found: list[Person], node: Node) -> list[Person]:
    """Return those that a search finds."""
    return passing(statement, found, row_test(node))


def passing(statement: Statement, found: list[Person], test: RowTest) -> list[Person]:
    """Return those that pass a test, within the time of the request."""
    kept = []
    for person in found:
        statement.deadline.check()
        if test(person):
            kept.append(person)
    return kept
