"""analytics/scalar, analytics/timeseries and analytics/list."""

from __future__ import annotations

import json
from typing import Any

from dd_pa.emulator.query.aggregate import Compute
from dd_pa.emulator.query.grouping import Group, GroupedQuery, read_groups
from dd_pa.emulator.query.request import Request, Scope
from dd_pa.emulator.query.request_fields import Fields, facet_path, window_of
from dd_pa.emulator.search.facets import Facet
from dd_pa.emulator.warehouse.extent import Extent

MAX_BUCKETS = 10_000
MAX_ROWS = 1_000
_DEFAULT_ROWS = 100
_EXTRAS = ("timestamp", "date")


def scalar(request: Request) -> dict[str, Any]:
    """Return the columns of a scalar answer."""
    query = request.attributes.member("query")
    asked = query.member("compute")
    # As documented: an interval may be given, and is ignored.
    asked.integer("interval", 1, default=1)
    compute = Compute.read(asked)
    groups = read_groups(query, compute)
    _check_unfelt(request, query)
    grouped = GroupedQuery(request.statement, groups, compute, _condition(request, query))
    names = ", ".join(grouped.names)
    order = f" GROUP BY {names} ORDER BY {', '.join(f'any_value({rank})' for rank in grouped.ranks)}" if groups else ""
    chosen = [*grouped.names, grouped.value, "count(*)"]
    counted = f"{grouped.tables} SELECT {', '.join(chosen)} FROM {grouped.chosen}{order}"
    rows = request.statement.rows(counted, _extent(request))
    return {"columns": columns(groups, [row[:-1] for row in rows if row[-1]])}


_STRATEGIES = ("simple", "background", "trino-multistep", "materialized-view")


def _condition(request: Request, query: Fields) -> str:
    scope = Scope(request.statement, window_of(request.attributes), request.audience)
    return f"{scope.events(query.member('query'))} AND {scope.audience(query)}"


def _extent(request: Request) -> Extent:
    return Extent(times=window_of(request.attributes))


def columns(groups: list[Group], rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return rows of group values and a number as the columns of an answer; no rows give no values, not 0."""
    found: list[dict[str, Any]] = [
        {"name": group.dimension.facet, "type": "group", "values": [row[number] for row in rows]}
        for number, group in enumerate(groups)
    ]
    numbers = [None if row[-1] is None else float(row[-1]) for row in rows]
    return [*found, {"name": "query", "type": "number", "values": numbers, "meta": {"unit": None}}]


def _check_unfelt(request: Request, query: Fields) -> None:
    """Check what says how a query is worked out, not what it is about: with any of it the answer is the same."""
    request.attributes.choice("enforced_execution_type", _STRATEGIES, _STRATEGIES[0])
    if query.texts("indexes") not in ([], ["*"]):
        raise query.wrong("indexes", 'must be left out, or ["*"]: all events are in one index')


def timeseries(request: Request) -> dict[str, Any]:
    """Return series with only the buckets that hold something."""
    query = request.attributes.member("query")
    compute = Compute.read(query.member("compute"))
    interval = interval_of(query.member("compute"), window_of(request.attributes))
    groups = read_groups(query, compute)
    _check_unfelt(request, query)
    grouped = GroupedQuery(request.statement, groups, compute, _condition(request, query))
    bucket = f"ts - ts % {request.statement.bind(interval)}"
    ranks = [f"any_value({rank})" for rank in grouped.ranks]
    chosen = [f"{bucket} AS b", *grouped.names, grouped.value, *ranks]
    rows = request.statement.rows(
        f"{grouped.tables} SELECT {', '.join(chosen)} FROM {grouped.chosen} "
        f"GROUP BY {', '.join(['b', *grouped.names])} ORDER BY {', '.join([*ranks, 'b'])}",
        _extent(request),
    )
    points = [(row[1 : 1 + len(groups)], row[0], row[1 + len(groups)]) for row in rows]
    return series(points, interval, whole=compute.is_count)


def interval_of(fields: Fields, window: tuple[int, int], name: str = "interval") -> int:
    """Read the size of buckets, milliseconds."""
    interval = fields.integer(name, 1)
    if (window[1] - window[0]) // interval >= MAX_BUCKETS:
        raise fields.wrong(name, f"is too small: there would be more than {MAX_BUCKETS:,} buckets")
    return interval


def series(points: list[tuple[tuple[str, ...], int, Any]], interval: int, *, whole: bool) -> dict[str, Any]:
    """Return (group, bucket, value) as the series of an answer, in the order in which the groups come."""
    times = sorted({bucket for _, bucket, _ in points})
    position = {bucket: number for number, bucket in enumerate(times)}
    values: dict[tuple[str, ...], list[float | int | None]] = {}
    for group, bucket, value in points:
        row = values.setdefault(group, [None] * len(times))
        row[position[bucket]] = value if value is None or whole else float(value)
    intervals = [{"type": "fixed", "milliseconds": interval, "start_time": times[0], "times": times}] if times else []
    return {
        "series": [{"group_tags": list(group), "query_index": 0, "unit": None} for group in values],
        "times": times,
        "values": list(values.values()),
        "intervals": intervals,
    }


def events(request: Request) -> dict[str, Any]:
    """Return the rows of a list answer."""
    query = request.attributes.member("query")
    statement = request.statement
    condition = _condition(request, query)
    limit = query.integer("limit", 1, MAX_ROWS, _DEFAULT_ROWS)
    sort = query.optional("sort")
    order = "DESC" if sort.choice("order", ("asc", "desc"), "desc") == "desc" else "ASC"
    path = facet_path(sort.text("facet", "timestamp"))
    by = ["ts"] if path in _EXTRAS else [statement.number(path), statement.text(path)]
    keys = ", ".join(f"{key} {order} NULLS LAST" for key in [*by, "ts", "seq"])
    extent = _extent(request)
    [(total,)] = statement.rows(f"SELECT count(*) FROM events WHERE {condition}", extent)
    # The rows first: files have no bodies, each is put together.
    chosen = f"SELECT seq, ts FROM events WHERE {condition} ORDER BY {keys} LIMIT {limit:d}"
    rows = statement.rows(chosen, extent)
    bodies = statement.bodies([number for number, _ in rows])
    wanted = query.texts("columns")
    found = [_record(ts, json.loads(bodies[number]), wanted) for number, ts in rows if number in bodies]
    return {"records": found, "total_count": total}


def _record(ts: int, body: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    if not wanted:
        return {"timestamp": ts, **{f"@{path}": value for path, value in _flat(body)}}
    return {column: ts if facet_path(column) in _EXTRAS else value_at(body, column) for column in wanted}


def _flat(body: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in body.items():
        found += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
    return found


def value_at(body: dict[str, Any], column: str) -> Any:
    """Return the value of a facet: a list where there are several, None where there is none."""
    values = Facet(facet_path(column)).values(body)
    return values if len(values) > 1 else next(iter(values), None)
