"""sankey: which way sessions went, from value to value of a facet."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from dd_pa.emulator.query.event_order import EventOrder
from dd_pa.emulator.query.request import Request, Scope
from dd_pa.emulator.query.request_fields import facet_path, window_of
from dd_pa.emulator.warehouse.extent import Extent
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline

DEFAULT = 5
OTHER = "other"
DROPOFF = "dropoff"
MAX_PATHS = 200_000

Path: TypeAlias = tuple[str, ...]


class Anchor(NamedTuple):
    """A value of the source facet that ways begin at, or end at and are followed backwards from."""

    value: str
    is_end: bool


def sankey(request: Request) -> dict[str, Any]:
    """Return nodes and links."""
    return _answer(request, None)


def anchored_sankey(request: Request) -> dict[str, Any]:
    """Return nodes and links of the ways that `begin` at a value, or those that `end` at one, backwards."""
    begin, end = (request.attributes.text(name, "") for name in ("begin", "end"))
    if begin and end:
        raise request.attributes.wrong("end", "makes no sense beside begin: ask for one of them")
    return _answer(request, Anchor(end or begin, bool(end)) if begin or end else None)


def _answer(request: Request, anchor: Anchor | None) -> dict[str, Any]:
    definition = request.attributes.member("definition")
    steps = definition.integer("number_of_steps", 0, 10, 0) or DEFAULT
    entries = definition.integer("entries_per_step", 0, 10, 0) or DEFAULT
    paths = _paths(request, steps + 2, anchor)
    return diagram(paths, entries, request.statement.deadline)


def _paths(request: Request, columns: int, anchor: Anchor | None) -> Counter[Path]:
    """Return how many sessions went each way: the first values of the source facet, the target's in the last column."""
    statement = request.statement
    window = window_of(request.attributes.member("time"))
    # The first few of each, by a heap: sorting all of them takes four times as long.
    nearest = "max_by" if anchor and anchor.is_end else "min_by"
    taken = f"{nearest}({{'a': a, 'z': z}}, o, {columns:d})"
    way = f"list_transform({taken}, lambda x, i: CASE WHEN i = {columns:d} THEN x.z ELSE x.a END)"
    if _is_one_facet(request):
        way = f"{nearest}(a, o, {columns:d})"
    tables = _steps(request, window)
    ways = f"SELECT {way} AS way FROM steps GROUP BY k"
    if anchor is not None:
        # Its first event, or its last one: what lies beyond is no part of the way.
        edge, sign = ("max", "<=") if anchor.is_end else ("min", ">=")
        begun = f"a = (SELECT n FROM names WHERE name = {statement.bind(anchor.value)})"
        found = f"SELECT k, {edge}(o) AS edge FROM steps WHERE {begun} GROUP BY k"
        ways = f"SELECT {way} AS way FROM steps JOIN ({found}) USING (k) WHERE o {sign} edge GROUP BY k"
    counted = f"SELECT way, count(*) AS n FROM ({ways}) GROUP BY way ORDER BY n DESC, way LIMIT {MAX_PATHS:d}"
    rows = statement.rows(
        f"WITH {tables}, counted AS MATERIALIZED ({counted}) SELECT way, n, NULL FROM counted "
        "UNION ALL SELECT NULL, n, name FROM names WHERE n IN (SELECT unnest(way) FROM counted)",
        Extent(times=window),
    )
    names = {number: name for way, number, name in rows if way is None}
    return Counter({tuple(names[n] for n in way if n is not None): count for way, count, _ in rows if way is not None})


def _is_one_facet(request: Request) -> bool:
    definition = request.attributes.member("definition")
    return definition.facet("source") == definition.facet("target")


def _steps(request: Request, window: tuple[int, int]) -> str:
    """Return the tables `names` (name, number n) and `steps`: who (k), when (o), and the numbers of the values (a, z).

    A number stands for each value: the texts of the first events of millions of sessions need gigabytes.
    """
    definition, search = request.attributes.member("definition"), request.attributes.member("search")
    source, target = definition.facet("source"), definition.facet("target")
    statement = request.statement
    scope = Scope(statement, window, request.audience)
    keys = search.optional("join_keys")
    who = [keys.facet("primary", "@session.id"), *(facet_path(name) for name in keys.texts("secondary"))]
    condition = (
        f"{statement.between(window)} AND {statement.search(search.search('query'))} AND {scope.audience(search)}"
    )
    known = " AND ".join(f"{statement.spelled(name)} IS NOT NULL" for name in (*who, source))
    texts = [statement.text(name) for name in who]
    columns = [
        f"{statement.text(source)} AS a, {statement.text(target)} AS z",
        f"{EventOrder(statement, window).of_event} AS o",
        f"{texts[0] if len(texts) == 1 else '[' + ', '.join(texts) + ']'} AS k",
    ]
    values = "SELECT a FROM inside" if source == target else "SELECT a FROM inside UNION SELECT z FROM inside"
    other = "" if source == target else " LEFT JOIN names y ON y.name = z"
    tables = [
        f"inside AS (SELECT {', '.join(columns)} FROM events WHERE {condition} AND {known})",
        "names AS MATERIALIZED (SELECT a AS name, (row_number() OVER (ORDER BY a))::INTEGER AS n "
        f"FROM (SELECT DISTINCT a FROM ({values})))",
        f"steps AS (SELECT x.n AS a, {'x' if source == target else 'y'}.n AS z, o, k "
        f"FROM inside JOIN names x ON x.name = a{other})",
    ]
    return ", ".join(tables)


def diagram(paths: Counter[Path], entries: int, deadline: QueryDeadline) -> dict[str, Any]:
    """Build the diagram of all ways; what is beyond `entries` in a column becomes one node.

    Raises QueryTimeoutError when the deadline comes.
    """
    width = max((len(path) for path in paths), default=0)
    flow = _Flow([_top(paths, column, entries) for column in range(width)])
    for path, count in paths.items():
        deadline.check()
        flow.add(path, count)
    nodes = []
    for column in range(width):
        deadline.check()
        nodes += flow.nodes(column)
    return {"nodes": nodes, "links": flow.links()}


class _Flow:
    """What passes through each node, ends at it, and goes on from it."""

    def __init__(self, tops: list[list[str]]) -> None:
        self._tops = tops
        self._passing: Counter[tuple[int, str]] = Counter()
        self._ending: Counter[tuple[int, str]] = Counter()
        self._links: Counter[tuple[int, str, str]] = Counter()
        self._rolled: dict[int, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))

    def add(self, path: Path, count: int) -> None:
        """Let so many sessions go this way."""
        names = [self._identity(column, value) for column, value in enumerate(path)]
        for column, (name, value) in enumerate(zip(names, path, strict=True)):
            self._passing[column, name] += count
            if value not in self._tops[column]:
                entry = self._rolled[column][value]
                entry["value"] += count
                entry["incoming_value"] += count if column else 0
                entry["outgoing_value"] += count if column + 1 < len(path) else 0
        for column, (start, end) in enumerate(pairwise(names)):
            self._links[column, start, end] += count
        if path and len(path) < len(self._tops):
            self._ending[len(path) - 1, names[-1]] += count

    def _identity(self, column: int, value: str) -> str:
        return f"{column}:regular:{value}" if value in self._tops[column] else f"{column}:{OTHER}"

    def nodes(self, column: int) -> list[dict[str, Any]]:
        """Return the nodes of a column, and behind it the sessions that ended there."""
        nodes = [self._node(column, value) for value in self._tops[column]]
        if self._passing[column, f"{column}:{OTHER}"]:
            nodes.append(self._node(column, None))
        lost = sum(count for (place, _), count in self._ending.items() if place == column)
        return [*nodes, _dropoff(column + 1, lost)] if lost else nodes

    def _node(self, column: int, value: str | None) -> dict[str, Any]:
        identity = f"{column}:{OTHER}" if value is None else f"{column}:regular:{value}"
        count, ended = self._passing[column, identity], self._ending[column, identity]
        return {
            "id": identity,
            "name": OTHER if value is None else value,
            "column": column,
            "type": OTHER if value is None else "regular",
            "value": count,
            "incoming_value": count if column else 0,
            "outgoing_value": count - ended if column + 1 < len(self._tops) else 0,
            "dropoff_value": ended,
            "aggregated_nodes": self._aggregated(column) if value is None else [],
        }

    def _aggregated(self, column: int) -> list[dict[str, Any]]:
        values = sorted(self._rolled[column].items(), key=lambda item: (-item[1]["value"], item[0]))
        return [
            {"id": f"{column}:aggregated:{name}", "name": name, "type": "aggregated"}
            | {key: counts[key] for key in ("value", "incoming_value", "outgoing_value")}
            for name, counts in values
        ]

    def links(self) -> list[dict[str, Any]]:
        """Return the links, the widest of each column first."""
        found = [(column, start, end, value) for (column, start, end), value in self._links.items()]
        found += [(column, start, f"{column + 1}:{DROPOFF}", value) for (column, start), value in self._ending.items()]
        found.sort(key=lambda link: (link[0], -link[3], link[1], link[2]))
        return [
            {"id": f"{start}->{end}", "source": start, "target": end, "column": column, "value": value}
            for column, start, end, value in found
        ]


def _dropoff(column: int, lost: int) -> dict[str, Any]:
    return {
        "id": f"{column}:{DROPOFF}",
        "name": DROPOFF,
        "column": column,
        "type": DROPOFF,
        "value": lost,
        "incoming_value": lost,
        "outgoing_value": 0,
        "dropoff_value": 0,
        "aggregated_nodes": [],
    }


def _top(paths: Counter[Path], column: int, entries: int) -> list[str]:
    counts: Counter[str] = Counter()
    for path, count in paths.items():
        if column < len(path):
            counts[path[column]] += count
    return [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:entries]]
