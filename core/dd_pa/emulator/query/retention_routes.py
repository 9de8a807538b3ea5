"""retention/grid, retention/list, retention/scalar and retention/timeseries."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dd_pa.emulator.query.analytics import value_at
from dd_pa.emulator.query.request import Request
from dd_pa.emulator.query.request_fields import Fields, aggregation_of
from dd_pa.emulator.query.retention import Retention
from dd_pa.emulator.warehouse.extent import Extent

_METRICS = ("__dd.retention", "__dd.retention_rate")
WEIGHTED = "weighted_avg"


class Cell(NamedTuple):
    """One cohort in one period."""

    returned: int
    size: int

    @property
    def rate(self) -> float:
        """Return the share that returned."""
        return self.returned / self.size if self.size else 0.0


class Line(NamedTuple):
    """One cohort, or one group of a cohort."""

    cohort: int
    group: tuple[str, ...]
    size: int
    cells: list[Cell]


def lines_of(retention: Retention) -> list[Line]:
    """Return the rows of the grid; a cohort without members is one, too, unless groups are asked for."""
    sizes, returned = retention.counts()
    if not any(group for _, group in sizes):
        sizes = dict.fromkeys(((number, ()) for number in range(len(retention.cohorts))), 0) | sizes
    lines = []
    for (number, group), size in sorted(sizes.items()):
        counts = returned[number, group]
        cells = [Cell(counts[period], size) for period in range(len(retention.cohorts[number].periods))]
        lines.append(Line(number, group, size, cells))
    return lines


def weighted(lines: Sequence[Line]) -> list[Cell]:
    """Return all cohorts together: each period over those that have it."""
    width = max((len(line.cells) for line in lines), default=0)
    columns = [[line.cells[number] for line in lines if number < len(line.cells)] for number in range(width)]
    return [Cell(sum(cell.returned for cell in column), sum(cell.size for cell in column)) for column in columns]


def grid(request: Request) -> dict[str, Any]:
    """Return the attributes of a grid answer: one row per cohort, and the weighted average of all as the last."""
    query = request.attributes.member("query")
    metric = _metric(query)
    retention = Retention(request)
    lines = lines_of(retention)
    scope = _Scope(query)
    rows = [_row(retention, line, metric, scope) for line in lines if scope.has_cohort(line.cohort)]
    if scope.has_average() and lines:
        rows.append(_average(lines, metric, scope))
    width = max((len(line.cells) for line in lines), default=0)
    periods = [{"unit": retention.unit, "value": retention.length} for _ in range(width)]
    return {"retention_entity": retention.entity, "retention_periods": periods, "cohorts": rows}


def _metric(query: Fields) -> str:
    compute = query.member("compute")
    metric = compute.choice("metric", _METRICS)
    if aggregation_of(compute) not in ("count", "cardinality"):
        raise compute.wrong("aggregation", f"must be count or cardinality for {metric}, which is one number")
    return metric


class _Scope:
    """The part of the grid that is asked for."""

    def __init__(self, query: Fields) -> None:
        self._cohort: int | str | None = None
        self._period: int | None = None
        if "computation_scope" not in query:
            return
        scope = query.member("computation_scope")
        kind = scope.choice("type", ("cohort", "return_period", "cell"))
        if kind != "return_period":
            self._cohort = _cohort(scope.member("cohort_target" if kind == "cell" else "target"))
        if kind != "cohort":
            target = scope.member("return_period_target" if kind == "cell" else "target")
            target.choice("type", ("index",))
            self._period = target.integer("value", 0)

    def has_cohort(self, number: int) -> bool:
        """Say whether a cohort's row is wanted."""
        return self._cohort in (None, number)

    def has_average(self) -> bool:
        """Say whether the row of all is wanted."""
        return self._cohort in (None, WEIGHTED)

    def has_period(self, number: int) -> bool:
        """Say whether a column is wanted."""
        return self._period in (None, number)

    @property
    def is_average(self) -> bool:
        """Say whether only the row of all is wanted."""
        return self._cohort == WEIGHTED


def _cohort(target: Fields) -> int | str:
    if target.choice("type", ("index", "aggregation")) == "index":
        return target.integer("value", 0)
    return target.choice("value", (WEIGHTED,))


def _row(retention: Retention, line: Line, metric: str, scope: _Scope) -> dict[str, Any]:
    cohort = retention.cohorts[line.cohort]
    cells = []
    for number, (cell, period) in enumerate(zip(line.cells, cohort.periods, strict=True)):
        if scope.has_period(number):
            times = {"return_period_start_time": period[0], "return_period_end_time": period[1]}
            cells.append(
                {"return_period_index": number, **times, "cell_count": cell.returned, "type": "raw"}
                | {"is_partial_data": retention.is_partial(period)}
                | _values(cell, line.cells[0], metric)
            )
    return {
        "cohort_index": line.cohort,
        "cohort_start_time": cohort.start,
        "cohort_end_time": cohort.end,
        "cohort_size": line.size,
        "name": datetime.fromtimestamp(cohort.start / 1000, UTC).isoformat().replace("+00:00", "Z"),
        "type": "raw",
        "group_tags": list(line.group),
        "cells": cells,
    }


def _values(cell: Cell, first: Cell, metric: str) -> dict[str, Any]:
    change = cell.rate / first.rate - 1 if first.rate else None
    value = float(cell.returned) if metric == "__dd.retention" else None
    return {"cell_rate": cell.rate, "cell_value": value, "cell_relative_value_change": change}


def _average(lines: Sequence[Line], metric: str, scope: _Scope) -> dict[str, Any]:
    cells = weighted(lines)
    shown = [
        {"return_period_index": number, "type": "aggregated"} | _values(cell, cells[0], metric)
        for number, cell in enumerate(cells)
        if scope.has_period(number)
    ]
    size = sum(line.size for line in lines)
    return {"name": WEIGHTED, "type": "aggregated", "cohort_size": size, "group_tags": [], "cells": shown}


def listed(request: Request) -> dict[str, Any]:
    """Return the members behind one cell."""
    query = request.attributes.member("query")
    cell = query.member("computation_scope")
    cell.choice("type", ("cell",))
    scope, retention = _Scope(query), Retention(request)
    came = retention.who_came(cell.member("return_period_target").integer("value", 0))
    found = [identity for cohort, identity in came if scope.is_average or scope.has_cohort(cohort)]
    limit = query.integer("limit", 0, default=100)
    columns = [column.member("field").text("path") for column in query.members("columns")]
    shown = found[:limit] if limit else found
    bodies = _latest(request, retention, shown) if columns else {}
    records = [
        {retention.entity: identity} | {column: value_at(bodies.get(identity, {}), column) for column in columns}
        for identity in shown
    ]
    return {"retention_entity": retention.entity, "records": records}


def _latest(request: Request, retention: Retention, ids: list[str]) -> Mapping[str, dict[str, Any]]:
    statement = request.statement
    who = statement.text(retention.entity[1:])
    rows = statement.rows(
        f"SELECT {who} AS k, arg_max(body, (ts, seq)) FROM events "
        f"WHERE {statement.between(retention.window)} AND {who} IN (SELECT unnest({statement.bind.texts(ids)})) "
        "GROUP BY k",
        Extent(times=retention.window),
    )
    return {identity: json.loads(body) for identity, body in rows}


def scalar(request: Request) -> dict[str, Any]:
    """Return one number for what is asked for: a row, a column, a cell, or all cells together."""
    query = request.attributes.member("query")
    metric = _metric(query)
    retention, scope = Retention(request), _Scope(query)
    by_group: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for line in lines_of(retention):
        if line.size and (scope.is_average or scope.has_cohort(line.cohort)):
            by_group[line.group] += [cell for number, cell in enumerate(line.cells) if scope.has_period(number)]
    found = sorted(by_group.items())
    columns: list[dict[str, Any]] = [
        {"name": group.dimension.facet, "type": "group", "values": [tags[number] for tags, _ in found]}
        for number, group in enumerate(retention.groups)
    ]
    values = [_together(cells, metric) for _, cells in found]
    return {"columns": [*columns, {"name": "query", "type": "number", "values": values, "meta": {"unit": None}}]}


def _together(cells: Sequence[Cell], metric: str) -> float:
    count = sum(cell.returned for cell in cells)
    return float(count) if metric == "__dd.retention" else Cell(count, sum(cell.size for cell in cells)).rate


def timeseries(request: Request) -> dict[str, Any]:
    """Return one series per cohort (or for all together) over the times at which the return periods begin."""
    query = request.attributes.member("query")
    metric = _metric(query)
    retention, scope = Retention(request), _Scope(query)
    chosen = [line for line in lines_of(retention) if line.size and (scope.is_average or scope.has_cohort(line.cohort))]
    found: dict[tuple[str, ...], dict[int, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for line in chosen:
        cohort = retention.cohorts[line.cohort]
        name = WEIGHTED if scope.is_average else _name(cohort.start)
        for number, (cell, (start, _)) in enumerate(zip(line.cells, cohort.periods, strict=True)):
            if scope.has_period(number):
                found[name, *line.group][start].append(cell)
    times = sorted({start for points in found.values() for start in points})
    return {
        "series": [{"group_tags": list(tags), "query_index": 0, "unit": None} for tags in found],
        "times": times,
        "values": [
            [_together(points[start], metric) if start in points else None for start in times]
            for points in found.values()
        ],
    }


def _name(start: int) -> str:
    return datetime.fromtimestamp(start / 1000, UTC).isoformat().replace("+00:00", "Z")
