"""journey/funnel: how many took each step, and how long it took them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from dd_pa.emulator.query.aggregate import Compute
from dd_pa.emulator.query.journey import Journey
from dd_pa.emulator.query.request import Request
from dd_pa.emulator.query.segments import Segment, Tags, best, read_segments, segmented

Row = tuple[Any, ...]


Further: TypeAlias = Callable[[Journey], list[str]]
"""Aggregates over `parts` that are wanted besides."""


def funnel(request: Request) -> dict[str, Any]:
    """Return the steps of a funnel answer."""
    return Funnel(request).answer()


class Funnel:
    """What is known of a funnel's steps, of all and by group."""

    def __init__(self, request: Request, further: Further = lambda _: []) -> None:
        query = request.attributes.member("query")
        self.journey = Journey(request, query.member("search"))
        self._further = further(self.journey)
        compute = Compute.read(query.optional("compute"), Compute("cardinality", self.journey.key), self.journey.key)
        segments = read_segments(query, self.journey)
        found = self._measured(request, compute, segments)
        self.whole = found.pop(None)
        """Counts of all steps, their values, min, max, avg of each way (the whole way first), then what is besides."""
        groups = [(tags, row) for tags, row in found.items() if tags is not None]
        self.groups = best(groups, segments, lambda row: row[0])
        """The same, by group."""

    def besides(self, row: Row) -> Row:
        """Return what was wanted besides."""
        return row[len(row) - len(self._further) :]

    def answer(self) -> dict[str, Any]:
        """Return it as documented."""
        whole, steps = self.whole, len(self.journey.aliases)
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
                    "groups": [_group(tags, row, steps, number) for tags, row in self.groups],
                }
                for number, alias in enumerate(self.journey.aliases)
            ],
        }

    def _measured(self, request: Request, compute: Compute, segments: list[Segment]) -> dict[Tags | None, Row]:
        """Return what is known of each group, and of all under None: asked at once, as the journeys are the same."""
        steps = range(1, len(self.journey.aliases) + 1)
        counts = [f"count(t{step})" for step in steps]
        times = [f"{name}(t{end} - t{start})" for start, end in ways(self.journey) for name in ("min", "max", "avg")]
        # Counting entities is what a funnel does; anything else is asked of the event of each step.
        plain = compute.metric is None or (compute.aggregation == "cardinality" and compute.metric == self.journey.key)
        joins, values = "", counts
        if not plain:
            column = compute.column(request.statement)
            values = []
            for step in steps:
                joins += f" LEFT JOIN (SELECT seq, {column} AS m FROM events) m{step} ON m{step}.seq = parts.q{step}"
                values.append(compute.over(request.statement, f"m{step}.m"))
        chosen = ", ".join([*counts, *values, *times, *self._further])
        if not segments:
            measured = f"{self.journey.tables} SELECT {chosen} FROM journeys AS parts{joins}"
            [whole] = request.statement.rows(measured, self.journey.extent)
            return {None: whole}
        names = [f"g{number}" for number in range(1, len(segments) + 1)]
        nothing = ", ".join("NULL" for _ in names)
        rows = request.statement.rows(
            f"{self.journey.tables}, {segmented(request.statement, segments)} "
            f"SELECT true, {nothing}, {chosen} FROM journeys AS parts{joins} "
            f"UNION ALL SELECT false, {', '.join(names)}, {chosen} FROM parts{joins} GROUP BY {', '.join(names)}",
            self.journey.extent,
        )
        return {None if row[0] else row[1 : len(names) + 1]: row[len(names) + 1 :] for row in rows}


def ways(journey: Journey) -> list[tuple[int, int]]:
    """Return the whole way, then that from each step to the next, as numbers of steps."""
    last = len(journey.aliases)
    return [(1, last), *((step, step + 1) for step in range(1, last))]


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
