"""What the emulator's own page asks of journeys, and Datadog's documented API has no place for: windows, and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from dd_pa.emulator.query.conversion import entities
from dd_pa.emulator.query.funnel import Funnel, Row, ways
from dd_pa.emulator.query.journey import Journey
from dd_pa.emulator.query.request import Request

_SECOND, _HOUR = 1_000, 3_600_000
EDGES = (
    *(seconds * _SECOND for seconds in (1, 10, 60, 300, 900)),
    *(hours * _HOUR for hours in (1, 6, 24, 72, 168)),
)
"""Milliseconds at which the bars of a distribution of times begin, besides 0."""


def timed_funnel(request: Request) -> dict[str, Any]:
    """Return a funnel answer with `edges`, and `times` of the whole way and of that from each step to the next.

    Of each: median, pc90 (null where nobody took it), and in `counts` how many took it within the bars of the edges.
    With groups, `group_times` has the same of the whole way for each.
    """
    found = Funnel(_windowed(request), _measures)
    size = 2 + len(EDGES) + 1
    whole = found.besides(found.whole)
    times = [_times(whole[place : place + size]) for place in range(0, len(whole), size)]
    groups = [{"group_tags": list(tags), **_times(found.besides(row)[:size])} for tags, row in found.groups]
    return {**found.answer(), "edges": list(EDGES), "times": times, "group_times": groups}


def timed_entities(request: Request) -> dict[str, Any]:
    """Return the rows of a list answer."""
    return entities(_windowed(request))


def _windowed(request: Request) -> Request:
    attributes = request.attributes
    return replace(request, window_ms=attributes.integer("window", 1) if "window" in attributes else None)


def _measures(journey: Journey) -> list[str]:
    found = []
    for start, end in ways(journey):
        took = f"(t{end} - t{start})"
        found += [f"quantile_cont({took}, 0.5)", f"quantile_cont({took}, 0.9)"]
        bars = [f"{took} < {EDGES[0]}", *(f"{took} >= {low} AND {took} < {high}" for low, high in pairwise(EDGES))]
        found += [f"count(*) FILTER ({bar})" for bar in [*bars, f"{took} >= {EDGES[-1]}"]]
    return found


def _times(row: Row | Sequence[Any]) -> dict[str, Any]:
    median, slow, *counts = row
    return {"median": median, "pc90": slow, "counts": counts}
