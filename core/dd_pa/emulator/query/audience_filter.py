"""Audience filters: named sets of users, accounts and saved segments, combined by a formula."""

from __future__ import annotations

from collections.abc import Mapping

from dd_pa.emulator.query.kept_segments import KeptSegments, Members
from dd_pa.emulator.query.people import everybody, matching
from dd_pa.emulator.query.request_fields import BadRequest, Fields
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.search import tree


class Audience:
    """The segments this emulator knows, and how a filter becomes a condition."""

    def __init__(self, segments: KeptSegments) -> None:
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
        found = self._segments.get(query.text("segment_id"))
        if found is None:
            raise query.wrong("segment_id", "is no segment of --segments, and none that the page keeps")
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
