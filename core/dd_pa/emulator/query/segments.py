"""The groups that journeys fall into, by facets of one of their events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dd_pa.emulator.query.grouping import DEFAULT_LIMIT, MAX_FACETS, MAX_LIMIT, MISSING, Dimension
from dd_pa.emulator.query.journey import Journey
from dd_pa.emulator.query.request_fields import Fields
from dd_pa.emulator.query.statement import Statement

Tags: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """One facet to group journeys by."""

    dimension: Dimension
    limit: int
    exclude_missing: bool
    descending: bool
    step: int
    """Whose event the facet is read from, from 1."""
    values: tuple[str, ...]
    """The only values to keep; none keeps all."""


def read_segments(fields: Fields, journey: Journey) -> list[Segment]:
    """Read `group_by` of a journey."""
    wanted = fields.members("group_by")
    if len(wanted) > MAX_FACETS:
        raise fields.wrong("group_by", f"must have at most {MAX_FACETS} facets")
    return [_of_step(group, journey) for group in wanted]


def _of_step(group: Fields, journey: Journey) -> Segment:
    target = journey.target(group)
    return read_segment(group, target.end if target else 1, group.texts("value_filters"))


def read_segment(group: Fields, step: int = 1, values: Sequence[str] = ()) -> Segment:
    """Read one member of `group_by`."""
    return Segment(
        dimension=Dimension.read(group),
        limit=group.integer("limit", 1, MAX_LIMIT, DEFAULT_LIMIT),
        exclude_missing=group.flag("should_exclude_missing"),
        descending=group.optional("sort").choice("order", ("asc", "desc"), "desc") == "desc",
        step=step,
        values=tuple(values),
    )


def segmented(statement: Statement, segments: Sequence[Segment]) -> str:
    """Return a further table `parts`: the journeys with their groups g1, g2 …"""
    columns, joins, kept = ["journeys.*"], "", []
    for number, segment in enumerate(segments, 1):
        event = f"(SELECT seq, {segment.dimension.text(statement)} AS v FROM events)"
        joins += f" LEFT JOIN {event} x{number} ON x{number}.seq = journeys.q{segment.step}"
        columns.append(f"coalesce(x{number}.v, {statement.bind(MISSING)}) AS g{number}")
        if segment.exclude_missing:
            kept.append(f"x{number}.v IS NOT NULL")
        if segment.values:
            kept.append(f"g{number} IN (SELECT unnest({statement.bind.texts(list(segment.values))}))")
    where = f" WHERE {' AND '.join(kept)}" if kept else ""
    return f"parts AS (SELECT {', '.join(columns)} FROM journeys{joins}{where})"


def best(
    rows: Sequence[tuple[Tags, Any]], segments: Sequence[Segment], weight: Callable[[Any], float]
) -> list[tuple[Tags, Any]]:
    """Return the groups within the limits: the heaviest first, within each the heaviest of the next facet."""
    if not segments:
        return list(rows)
    segment, rest = segments[0], segments[1:]
    inner: dict[str, list[tuple[Tags, Any]]] = defaultdict(list)
    for tags, value in rows:
        inner[tags[0]].append((tags[1:], value))
    sign = -1 if segment.descending else 1
    order = sorted(inner, key=lambda tag: (sign * sum(weight(value) for _, value in inner[tag]), tag))
    return [((tag, *tags), value) for tag in order[: segment.limit] for tags, value in best(inner[tag], rest, weight)]
