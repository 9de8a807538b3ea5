"""The steps of a journey, matched: one row for each session, user or account that took the first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dd_pa.emulator.query.fields import Fields, facet_path, window_of
from dd_pa.emulator.query.request import Request, Scope

MAX_STEPS = 20
WINDOW_MS = 24 * 3600 * 1000
"""How long a user or an account may take, from the first step to the last; a session is one anyway."""
ENTITIES = {"session.id": "session", "usr.id": "user", "account.id": "account"}

_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SHIFT = 1 << 40
ORDER = f"ts::HUGEINT * {_SHIFT} + seq"
"""What events are ordered by: their time, and the number where that is the same."""
_OPERATORS = {"=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}


@dataclass(frozen=True, slots=True)
class Target:
    """A step of the journey, or the way from one to another; numbers from 1."""

    start: int
    end: int
    is_node: bool


class Journey:
    """Each entity's first event of the first step, its first event of the second after that, and so on.

    `tables` ends with one named `journeys`: k (who), t1, q1 (time and row of step 1), t2, q2 and so on, null from the
    step that was not taken.
    """

    def __init__(self, request: Request, search: Fields) -> None:
        self._statement = request.statement
        self.aliases = _aliases(search)
        self.key_names = _keys(search)
        self.key = self.key_names[0]
        scope = Scope(request.statement, window_of(request.attributes), request.audience)
        filters = search.optional("filters")
        everywhere = " AND ".join(
            [
                scope.audience(filters),
                scope.identified(request.attributes),
                request.statement.search(filters.search("string_filter")),
            ]
        )
        nodes = search.member("node_objects")
        conditions = [f"{scope.events(nodes.member(alias))} AND {everywhere}" for alias in self.aliases]
        self._filters = filters
        self.tables = f"WITH {', '.join([*self._steps(conditions), self._journeys()])}"

    def _steps(self, conditions: list[str]) -> list[str]:
        keys = [self._statement.text(name) for name in self.key_names]
        key = keys[0] if len(keys) == 1 else f"[{', '.join(keys)}]"
        known = " AND ".join(f"{one} IS NOT NULL" for one in keys)
        late = "" if self.key == "session.id" else f" AND e.o < (s1.o // {_SHIFT} + {WINDOW_MS + 1}) * {_SHIFT}"
        tables = []
        for number, condition in enumerate(conditions, 1):
            events = f"SELECT {key} AS k, {ORDER} AS o FROM events WHERE {condition} AND {known}"
            if number == 1:
                tables.append(f"s1 AS MATERIALIZED (SELECT k, min(o) AS o FROM ({events}) GROUP BY k)")
                continue
            before = f"s{number - 1}"
            first = "" if before == "s1" else "JOIN s1 USING (k) "
            tables.append(
                f"s{number} AS MATERIALIZED (SELECT k, min(e.o) AS o FROM ({events}) e JOIN {before} USING (k) {first}"
                f"WHERE e.o > {before}.o{late} GROUP BY k)"
            )
        return tables

    def _journeys(self) -> str:
        numbers = range(1, len(self.aliases) + 1)
        columns = [f"(s{n}.o // {_SHIFT})::BIGINT AS t{n}, (s{n}.o % {_SHIFT})::BIGINT AS q{n}" for n in numbers]
        joins = "".join(f" LEFT JOIN s{n} ON s{n}.k = s1.k" for n in numbers[1:])
        conditions = [self._graph_filter(one) for one in self._filters.members("graph_filters")]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        inner = f"SELECT s1.k AS k, {', '.join(columns)} FROM s1{joins}"
        return f"journeys AS MATERIALIZED (SELECT * FROM ({inner}){where})"

    def _graph_filter(self, fields: Fields) -> str:
        if fields.text("name") != "__dd.time_to_convert":
            raise fields.wrong("name", "must be __dd.time_to_convert: nothing is known about the others")
        target = self.target(fields) or Target(1, len(self.aliases), is_node=False)
        operator = _OPERATORS[fields.choice("operator", _OPERATORS)]
        value = self._statement.bind(fields.integer("value", 0))
        return f"coalesce(t{target.end} - t{target.start} {operator} {value}, false)"

    def target(self, fields: Fields) -> Target | None:
        """Read `target`, None where it is not given."""
        if "target" not in fields:
            return None
        target = fields.member("target")
        if target.choice("type", ("node", "path")) == "node":
            return Target(1, self._number(target, "value"), is_node=True)
        start, end = self._number(target, "start"), self._number(target, "end")
        if start >= end:
            raise target.wrong("end", "must come after start")
        return Target(start, end, is_node=False)

    def _number(self, fields: Fields, name: str) -> int:
        return self.aliases.index(fields.choice(name, self.aliases)) + 1

    def event(self, step: int) -> str:
        """Return the join that brings in the event of a step, as `events`."""
        return f"LEFT JOIN events ON events.seq = journeys.q{step}"


def _aliases(search: Fields) -> list[str]:
    aliases = [part.strip() for part in search.text("expression").split("->")]
    if not 1 <= len(aliases) <= MAX_STEPS or not all(_ALIAS.fullmatch(alias) for alias in aliases):
        raise search.wrong("expression", f"must be 1 to {MAX_STEPS} names joined by ->, as A -> B -> C")
    return aliases


def _keys(search: Fields) -> list[str]:
    keys = search.optional("join_keys")
    names = [keys.facet("primary", "@session.id"), *(facet_path(name) for name in keys.texts("secondary"))]
    return list(dict.fromkeys(names))
