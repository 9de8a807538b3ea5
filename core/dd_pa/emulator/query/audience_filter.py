"""Audience filters: named sets of users, accounts and saved segments, combined by a formula."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dd_pa.emulator.query.fields import BadRequest, Fields
from dd_pa.emulator.query.people import everybody, matching
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.search import tree
from dd_pa.emulator.search.grammar import SearchError, parse_search

MAX_FILE = 5_000_000
_WAYS = ("users", "accounts", "user_ids", "account_ids")


class SegmentsError(ValueError):
    """The file of segments cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Members:
    """A set of users or accounts: found by a search, or listed."""

    kind: str
    """usr or account."""
    search: tree.Node | None = None
    ids: tuple[str, ...] = ()


class Audience:
    """The segments this emulator knows, and how a filter becomes a condition."""

    def __init__(self, segments: Mapping[str, Members]) -> None:
        self._segments = segments

    def condition(self, fields: Fields, statement: Statement) -> str:
        """Return the condition that an event's user or account belongs to the audience."""
        named: dict[str, Members] = {}
        for kind, holder in (("usr", "users"), ("account", "accounts")):
            for query in fields.members(holder):
                _name(named, query, Members(kind, query.search("query")))
        for query in fields.members("segments"):
            _name(named, query, self._segment(query))
        node = _formula(fields, named)
        return _condition(node, {name: _belongs(members, statement) for name, members in named.items()})

    def _segment(self, query: Fields) -> Members:
        found = self._segments.get(query.text("segment_id").lower())
        if found is None:
            raise query.wrong("segment_id", "is none of the segments that the emulator was started with (--segments)")
        return found


def _name(named: dict[str, Members], query: Fields, members: Members) -> None:
    name = query.text("name")
    if name in named:
        raise query.wrong("name", "is used twice")
    named[name] = members


def _belongs(members: Members, statement: Statement) -> str:
    ids = list(members.ids)
    if members.search is not None:
        ids = [person.id for person in matching(statement, everybody(statement, members.kind), members.search)]
    identity = statement.text(f"{members.kind}.id")
    return f"coalesce({identity} IN (SELECT unnest({statement.bind.texts(ids)})), false)"


def _formula(fields: Fields, named: Mapping[str, Members]) -> tree.Node:
    text = fields.text("formula", "").strip()
    if not text:
        return tree.AllOf(tuple(tree.Phrase(name) for name in named)) if named else tree.Everything()
    return fields.search("formula")


def _condition(node: tree.Node, known: Mapping[str, str]) -> str:
    """Turn a formula into a condition: its grammar is that of searches, its words are names."""
    match node:
        case tree.AllOf(parts):
            return f"({' AND '.join(_condition(part, known) for part in parts)})"
        case tree.AnyOf(parts):
            return f"({' OR '.join(_condition(part, known) for part in parts)})"
        case tree.NoneOf(part):
            return f"(NOT {_condition(part, known)})"
        case tree.Everything():
            return "true"
        case tree.Word(name) | tree.Phrase(name) if name in known:
            return known[name]
    raise BadRequest(
        f"audience_filters.formula must combine the names {', '.join(known) or '(none)'} with AND, OR and NOT"
    )


def load_segments(path: Path) -> dict[str, Members]:
    """Read a file of segments: {id: {"users" or "accounts": search} or {"user_ids" or "account_ids": [id…]}}.

    Raises SegmentsError.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        document = json.loads(content) if len(content) <= MAX_FILE else None
    except OSError as error:
        raise SegmentsError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise SegmentsError(f"{path} is not JSON") from None
    if not isinstance(document, dict):
        raise SegmentsError(f"{path} must hold a JSON object of at most {MAX_FILE:,} bytes")
    return {name.lower(): _members(name, segment) for name, segment in document.items()}


def _members(name: str, segment: object) -> Members:
    ways = [way for way in _WAYS if isinstance(segment, dict) and way in segment]
    if not isinstance(segment, dict) or len(ways) != 1:
        raise SegmentsError(f"segment {name[:100]!r} must have exactly one of {', '.join(_WAYS)}")
    way, value = ways[0], segment[ways[0]]
    kind = "usr" if way.startswith("user") else "account"
    if way in ("users", "accounts"):
        if not isinstance(value, str):
            raise SegmentsError(f"{way} of segment {name[:100]!r} must be a search")
        try:
            return Members(kind, parse_search(value))
        except SearchError as error:
            raise SegmentsError(f"{way} of segment {name[:100]!r}, column {error.column + 1}: {error.reason}") from None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise SegmentsError(f"{way} of segment {name[:100]!r} must be an array of strings")
    return Members(kind, ids=tuple(value))
