"""journey/scalar, journey/timeseries and journey/list."""

from __future__ import annotations

import json
from typing import Any

from dd_pa.emulator.query.aggregate import Compute
from dd_pa.emulator.query.analytics import interval_of, series, value_at
from dd_pa.emulator.query.grouping import ordered
from dd_pa.emulator.query.journey import ENTITIES, Journey, Target
from dd_pa.emulator.query.request import Request
from dd_pa.emulator.query.request_fields import Fields, aggregation_of, facet_path, window_of
from dd_pa.emulator.query.segments import Segment, best, read_segments, segmented

MAX_ROWS = 10_000
_DEFAULT_ROWS = 100
_METRICS = ("__dd.conversion", "__dd.conversion_rate", "__dd.time_to_convert", "__dd.dropoff_rate")


class _Metric:
    """What is computed of journeys: an aggregate over `parts`, and the join it needs."""

    def __init__(self, request: Request, journey: Journey, compute: Fields) -> None:
        self._last = len(journey.aliases)
        self._target = journey.target(compute)
        name = compute.text("metric", "__dd.conversion")
        self.join = ""
        self.is_whole = False
        if name in _METRICS:
            self.value = self._own(name, compute)
        else:
            self.value = self._facet(request, Compute.read(compute))

    def _own(self, name: str, compute: Fields) -> str:
        aggregation = aggregation_of(compute)
        target = self._target or Target(1, self._last, is_node=False)
        reached = f"count(t{target.end})"
        is_counting = aggregation in ("count", "cardinality")
        self.is_whole = is_counting and name in ("__dd.conversion", "__dd.time_to_convert")
        if name == "__dd.time_to_convert":
            took = f"(t{target.end} - t{target.start})"
            return f"count({took})" if is_counting else _over(aggregation, took)
        if not is_counting:
            raise compute.wrong("aggregation", f"must be count or cardinality for {name}, which is one number")
        if name == "__dd.conversion":
            return reached
        if name == "__dd.conversion_rate":
            return f"{reached} / nullif(count(t{target.start}), 0)"
        if target.is_node:
            onward = f"count(t{target.end + 1})" if target.end < self._last else reached
            return f"1 - {onward} / nullif({reached}, 0)"
        return f"1 - {reached} / nullif(count(t{target.start}), 0)"

    def _facet(self, request: Request, compute: Compute) -> str:
        step = self._target.end if self._target else self._last
        self.is_whole = compute.is_count
        if compute.metric is None:
            return f"count(t{step})"
        column = compute.column(request.statement)
        self.join = f" LEFT JOIN (SELECT seq, {column} AS m FROM events) m ON m.seq = parts.q{step}"
        return compute.over(request.statement, "m.m")


def _over(aggregation: str, column: str) -> str:
    if aggregation in ("avg", "min", "max", "sum"):
        return f"{aggregation}({column})"
    return f"quantile_cont({column}, {0.5 if aggregation == 'median' else int(aggregation[2:]) / 100})"


def scalar(request: Request) -> dict[str, Any]:
    """Return the columns of a scalar answer."""
    query = request.attributes.member("query")
    journey = Journey(request, query.member("search"))
    metric = _Metric(request, journey, query.member("compute"))
    segments = read_segments(query, journey)
    rows = best(_rows(request, journey, metric, segments, []), segments, _weight)
    found: list[dict[str, Any]] = [
        {"name": segment.dimension.facet, "type": "group", "values": [tags[number] for tags, _ in rows]}
        for number, segment in enumerate(segments)
    ]
    numbers = [None if value is None else float(value) for _, (value,) in rows]
    name = query.text("query_id", "query") or "query"
    return {"columns": [*found, {"name": name, "type": "number", "values": numbers, "meta": {"unit": None}}]}


def _weight(value: tuple[Any, ...]) -> float:
    return float(value[0] or 0)


def _rows(
    request: Request, journey: Journey, metric: _Metric, segments: list[Segment], buckets: list[str]
) -> list[tuple[tuple[str, ...], tuple[Any, ...]]]:
    names = [f"g{number}" for number in range(1, len(segments) + 1)]
    by = [*names, *buckets]
    grouping = f" GROUP BY {', '.join(by)} ORDER BY {', '.join(by)}" if by else " HAVING count(*) > 0"
    rows = request.statement.rows(
        f"{journey.tables}, {segmented(request.statement, segments)} "
        f"SELECT {', '.join([*by, metric.value])} FROM parts{metric.join}{grouping}",
        journey.extent,
    )
    return [(row[: len(names)], row[len(names) :]) for row in rows]


def timeseries(request: Request) -> dict[str, Any]:
    """Return series of journeys by the time of their first step."""
    query = request.attributes.member("query")
    compute = query.member("compute")
    holder = compute if "interval" in compute else request.attributes
    interval = interval_of(holder, window_of(request.attributes))
    journey = Journey(request, query.member("search"))
    metric = _Metric(request, journey, compute)
    segments = read_segments(query, journey)
    order = [tags for tags, _ in best(_rows(request, journey, metric, segments, []), segments, _weight)]
    rows = _rows(request, journey, metric, segments, [f"(t1 - t1 % {request.statement.bind(interval)})"])
    place = {tags: number for number, tags in enumerate(order)}
    points = [(tags, bucket, value) for tags, (bucket, value) in rows if tags in place]
    points.sort(key=lambda point: (place[point[0]], point[1]))
    return series(points, interval, whole=metric.is_whole)


def entities(request: Request) -> dict[str, Any]:
    """Return the rows of a list answer: who got to a step, or no further."""
    query = request.attributes.member("query")
    search = query.member("search")
    journey = Journey(request, search)
    if journey.key not in ENTITIES or len(journey.key_names) > 1:
        raise search.wrong("join_keys", f"must name one of {', '.join(f'@{name}' for name in ENTITIES)}")
    step, wanted = _wanted(journey, query)
    segments = read_segments(query, journey)
    columns, has_times = _columns(query)
    filtered = request.statement.search(query.search("entity_filters"))
    times = ", ".join(f"t{number}" for number in range(1, len(journey.aliases) + 1))
    tables = f"{journey.tables}, {segmented(request.statement, segments)}"
    source = f"FROM parts JOIN events ON events.seq = parts.q{step} WHERE {wanted} AND {filtered}"
    within = _within(request, journey, tables, source, segments)
    rows = request.statement.rows(
        f"{tables} SELECT count(*) OVER (), k, t{step}, body, {times} {source}{within} "
        f"ORDER BY t{step} DESC, k LIMIT {MAX_ROWS}",
        journey.extent,
    )
    moments = journey.aliases if has_times else []
    records = [_record(journey.key, columns, moments, row[1:]) for row in rows]
    records = _sorted(records, query.optional("sort"))
    limit = query.integer("limit", 1, MAX_ROWS, _DEFAULT_ROWS)
    return {"entity": ENTITIES[journey.key], "total_count": rows[0][0] if rows else 0, "records": records[:limit]}


def _wanted(journey: Journey, query: Fields) -> tuple[int, str]:
    """Return the step whose event describes a row, and the condition of rows."""
    target, last = journey.target(query), len(journey.aliases)
    if query.choice("conversion_type", ("conversion", "drop-off"), "conversion") == "conversion":
        step = target.end if target else last
        return step, f"t{step} IS NOT NULL"
    if target is None:
        return 1, f"t{last} IS NULL"
    if not target.is_node:
        return target.start, f"t{target.start} IS NOT NULL AND t{target.end} IS NULL"
    onward = f" AND t{target.end + 1} IS NULL" if target.end < last else " AND false"
    return target.end, f"t{target.end} IS NOT NULL{onward}"


def _columns(query: Fields) -> tuple[list[str], bool]:
    """Read which facets a row has, and whether the time of each step."""
    computed = [column.choice("name", ("first_conversion_timestamps",)) for column in query.members("computed_columns")]
    return query.texts("entity_columns"), bool(computed)


def _within(request: Request, journey: Journey, tables: str, source: str, segments: list[Segment]) -> str:
    """Return the condition that a row is of a group within the limits, the groups with the most rows first."""
    if not segments:
        return ""
    names = ", ".join(f"g{number}" for number in range(1, len(segments) + 1))
    counted = request.statement.rows(f"{tables} SELECT {names}, count(*) {source} GROUP BY {names}", journey.extent)
    kept = best([(row[:-1], row[-1:]) for row in counted], segments, _weight)
    rows = [f"({', '.join(request.statement.bind(tag) for tag in tags)})" for tags, _ in kept]
    return f" AND ({names}) IN ({', '.join(rows)})" if rows else " AND false"


def _record(key: str, columns: list[str], moments: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    body = json.loads(row[2])
    record = {f"@{key}": row[0], "timestamp": row[1]}
    record |= {column: value_at(body, column) for column in columns}
    return record | {f"{alias}_timestamp": moment for alias, moment in zip(moments, row[3:], strict=False)}


def _sorted(records: list[dict[str, Any]], sort: Fields) -> list[dict[str, Any]]:
    """Sort by a column that is there; another one is ignored, as Datadog says."""
    descending = sort.choice("order", ("asc", "desc"), "desc") == "desc"
    wanted = facet_path(sort.text("facet", ""))
    column = next((name for name in (records[0] if records else {}) if facet_path(name) == wanted), None)
    if column is None:
        return records
    return ordered(records, lambda record: record[column], descending=descending)
