"""journey/funnel: how many took each step, and how long it took them."""

from __future__ import annotations

from typing import Any

from dd_pa.emulator.query.aggregate import Compute
from dd_pa.emulator.query.journey import Journey
from dd_pa.emulator.query.request import Request
from dd_pa.emulator.query.segments import Tags, best, read_segments, segmented

Row = tuple[Any, ...]


def funnel(request: Request) -> dict[str, Any]:
    """Return the steps of a funnel answer."""
    query = request.attributes.member("query")
    journey = Journey(request, query.member("search"))
    compute = Compute.read(query.optional("compute"), Compute("cardinality", journey.key), journey.key)
    segments = read_segments(query, journey)
    names = [f"g{number}" for number in range(1, len(segments) + 1)]
    whole = _measured(request, journey, compute, [], "parts AS (SELECT * FROM journeys)")[()]
    groups: list[tuple[Tags, Row]] = []
    if segments:
        found = _measured(request, journey, compute, names, segmented(request.statement, segments))
        groups = best(list(found.items()), segments, lambda row: row[0])
    steps = len(journey.aliases)
    return {
        "initial_count": whole[0],
        "end_to_end_conversion_rate": whole[steps - 1] / whole[0] if whole[0] else 0.0,
        "end_to_end_elapsed_time": _elapsed(whole, 2 * steps),
        "funnel_steps": [
            {
                "label": alias,
                "value": _value(whole, steps, number),
                "unit": "millisecond",
                "elapsed_time_to_next_step": _to_next(whole, steps, number),
                "groups": [_group(tags, row, steps, number) for tags, row in groups],
            }
            for number, alias in enumerate(journey.aliases)
        ],
    }


def _measured(request: Request, journey: Journey, compute: Compute, names: list[str], parts: str) -> dict[Tags, Row]:
    """Return by group: the counts of all steps, their values, then min, max and avg of each way (whole way first)."""
    steps = range(1, len(journey.aliases) + 1)
    ways = [(1, steps[-1]), *((step, step + 1) for step in steps[:-1])]
    counts = [f"count(t{step})" for step in steps]
    times = [f"{name}(t{end} - t{start})" for start, end in ways for name in ("min", "max", "avg")]
    # Counting entities is what a funnel does; anything else is asked of the event of each step.
    plain = compute.metric is None or (compute.aggregation == "cardinality" and compute.metric == journey.key)
    joins, values = "", counts
    if not plain:
        column = compute.column(request.statement)
        values = []
        for step in steps:
            joins += f" LEFT JOIN (SELECT seq, {column} AS m FROM events) m{step} ON m{step}.seq = parts.q{step}"
            values.append(compute.over(request.statement, f"m{step}.m"))
    grouping = f" GROUP BY {', '.join(names)}" if names else ""
    rows = request.statement.rows(
        f"{journey.tables}, {parts} SELECT {', '.join([*names, *counts, *values, *times])} FROM parts{joins}{grouping}"
    )
    return {row[: len(names)]: row[len(names) :] for row in rows}


def _value(row: Row, steps: int, number: int) -> float:
    return float(row[steps + number] or 0)


def _to_next(row: Row, steps: int, number: int) -> dict[str, int]:
    return _elapsed(row, 2 * steps + 3 * (number + 1)) if number + 1 < steps else {"min": 0, "max": 0, "avg": 0}


def _elapsed(row: Row, place: int) -> dict[str, int]:
    low, high, average = row[place : place + 3]
    return {"min": low or 0, "max": high or 0, "avg": round(average or 0)}


def _group(tags: Tags, row: Row, steps: int, number: int) -> dict[str, Any]:
    return {
        "group_tags": list(tags),
        "value": _value(row, steps, number),
        "conversion_count": row[number + 1] if number + 1 < steps else 0,
        "elapsed_time_to_next_step": _to_next(row, steps, number),
    }
