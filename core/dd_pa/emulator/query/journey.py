"""The steps of a journey, matched: one row for each session, user or account that took the first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dd_pa.emulator.query.event_order import EventOrder
from dd_pa.emulator.query.request import Request, Scope
from dd_pa.emulator.query.request_fields import Fields, facet_path, window_of
from dd_pa.emulator.warehouse.extent import Extent

MAX_STEPS = 20
WINDOW_MS = 24 * 3600 * 1000
"""How long a user or an account may take, from the first step to the last; a session is one anyway."""
ENTITIES = {"session.id": "session", "usr.id": "user", "account.id": "account"}

_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OPERATORS = {"=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}


@dataclass(frozen=True, slots=True)
class Target:
    """A step of the journey, or the way from one to another; numbers from 1."""

    start: int
    end: int
    is_node: bool


class Journey:
    """Each entity's first event of the first step, its first event of the second after that, and so on.

    Where the request has a window, any event of the first step begins an attempt, which must end within it; of an
    entity's attempts the one that got furthest counts, the earliest of several.

    `tables` ends with one named `journeys`: k (who), t1, q1 (time and row of step 1), t2, q2 and so on, null from the
    step that was not taken.
    """

    def __init__(self, request: Request, search: Fields) -> None:
        self._statement = request.statement
        self.aliases = _aliases(search)
        self.key_names = _keys(search)
        self.key = self.key_names[0]
        scope = Scope(request.statement, window_of(request.attributes), request.audience)
        self._order = EventOrder(request.statement, scope.window)
        self.extent = Extent(times=scope.window)
        """Where the events of all steps are."""
        filters = search.optional("filters")
        everywhere = " AND ".join(
            [
                scope.audience(filters),
                scope.identified(request.attributes),
                request.statement.search(filters.search("string_filter")),
            ]
        )
        nodes = search.member("node_objects")
        conditions = [scope.events(nodes.member(alias)) for alias in self.aliases]
        self._filters = filters
        hits = self._hits(conditions, everywhere)
        steps, chosen = self._first_ways() if request.window_ms is None else self._attempts(request.window_ms)
        self.tables = f"WITH {', '.join([hits, *steps, self._journeys(chosen)])}"

    def _hits(self, conditions: list[str], everywhere: str) -> str:
        """Return the table of all events of steps, read once: k, o (the place in the order), w1, w2 and so on."""
        keys = [self._statement.text(name) for name in self.key_names]
        key = keys[0] if len(keys) == 1 else f"[{', '.join(keys)}]"
        known = " AND ".join(f"{one} IS NOT NULL" for one in keys)
        flags = ", ".join(f"{condition} AS w{number}" for number, condition in enumerate(conditions, 1))
        return (
            f"hits AS MATERIALIZED (SELECT {key} AS k, {self._order.of_event} AS o, {flags} FROM events "
            f"WHERE ({' OR '.join(conditions)}) AND {everywhere} AND {known})"
        )

    def _first_ways(self) -> tuple[list[str], str]:
        """Return tables, and what to select from them: k and o1, o2 and so on, null from the step not taken."""
        tables = ["s1 AS MATERIALIZED (SELECT k, min(o) AS o FROM hits WHERE w1 GROUP BY k)"]
        for number in range(2, len(self.aliases) + 1):
            before = f"s{number - 1}"
            first, late = "", ""
            if self.key != "session.id":
                first = "" if before == "s1" else "JOIN s1 USING (k) "
                late = f" AND {self._order.is_within('e.o', 's1.o', WINDOW_MS)}"
            tables.append(
                f"s{number} AS MATERIALIZED (SELECT k, min(e.o) AS o FROM hits e JOIN {before} USING (k) {first}"
                f"WHERE e.w{number} AND e.o > {before}.o{late} GROUP BY k)"
            )
        numbers = range(1, len(self.aliases) + 1)
        joins = "".join(f" LEFT JOIN s{n} ON s{n}.k = s1.k" for n in numbers[1:])
        return tables, f"SELECT s1.k AS k, {', '.join(f's{n}.o AS o{n}' for n in numbers)} FROM s1{joins}"

    def _attempts(self, window_ms: int) -> tuple[list[str], str]:
        """Return the tables of all attempts, and the selection of the best one of each entity.

        The next event of a step that comes after the one before is the best for what follows, too: no other choice
        gets further within the window.
        """
        tables = ["a1 AS MATERIALIZED (SELECT k, o AS o1 FROM hits WHERE w1)"]
        numbers = range(1, len(self.aliases) + 1)
        for number in numbers[1:]:
            taken = f"CASE WHEN {self._order.is_within('e.o', 'o1', window_ms)} THEN e.o END AS o{number}"
            following = f"(SELECT k, o FROM hits WHERE w{number}) e ON a.k = e.k AND a.o{number - 1} < e.o"
            before = f"a{number - 1} a"
            tables.append(f"a{number} AS MATERIALIZED (SELECT a.*, {taken} FROM {before} ASOF LEFT JOIN {following})")
        missing = " + ".join(f"(o{number} IS NULL)::INT" for number in numbers)
        whole = ", ".join(f"'o{number}': o{number}" for number in numbers)
        best = f"arg_min({{{whole}}}, {{'missing': {missing}, 'first': o1}}) AS best"
        best = f"SELECT k, {best} FROM a{len(numbers)} GROUP BY k"
        return tables, f"SELECT k, {', '.join(f'best.o{number} AS o{number}' for number in numbers)} FROM ({best})"

    def _journeys(self, chosen: str) -> str:
        numbers = range(1, len(self.aliases) + 1)
        order = self._order
        columns = [f"{order.time(f'o{n}')} AS t{n}, {order.number(f'o{n}')} AS q{n}" for n in numbers]
        conditions = [self._graph_filter(one) for one in self._filters.members("graph_filters")]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        inner = f"SELECT k, {', '.join(columns)} FROM ({chosen})"
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
