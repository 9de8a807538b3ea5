"""What the query API answers, worked out from a list of events in plain Python: slow, and easy to believe.

It follows what `docs/query-api.md` says, and shares nothing with the engine.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from tests.emulator.plain_events import PlainEvent, Test, text

DAY = 24 * 3600 * 1000
Way: TypeAlias = list[PlainEvent]
Number: TypeAlias = float | None


class Measure(NamedTuple):
    """An aggregation of a facet; of None, events are counted."""

    aggregation: str
    metric: str | None

    def of(self, events: Sequence[PlainEvent]) -> Number:
        """Its value."""
        if self.metric is None:
            return float(len(events))
        if self.aggregation == "cardinality":
            return float(len({text(value) for event in events for value in event.values(self.metric)}))
        numbers = sorted(n for event in events if (n := event.number_of(self.metric)) is not None)
        if not numbers:
            return None
        plain: Mapping[str, Callable[[list[float]], float]] = {
            "sum": sum,
            "min": min,
            "max": max,
            "avg": lambda them: sum(them) / len(them),
            "median": lambda them: _quantile(them, 0.5),
        }
        if self.aggregation in plain:
            return plain[self.aggregation](numbers)
        return _quantile(numbers, int(self.aggregation[2:]) / 100)


def _quantile(numbers: list[float], share: float) -> float:
    place = (len(numbers) - 1) * share
    low = math.floor(place)
    return numbers[low] + (numbers[math.ceil(place)] - numbers[low]) * (place - low)


class Grouping(NamedTuple):
    """A facet to group by."""

    facet: str
    limit: int
    ascending: bool
    exclude_missing: bool

    def values(self, event: PlainEvent) -> list[str]:
        """The groups that an event is in."""
        known = list(dict.fromkeys(text(value) for value in event.values(self.facet)))
        return known or ([] if self.exclude_missing else ["N/A"])


Rows: TypeAlias = list[tuple[tuple[str, ...], list[PlainEvent]]]


def grouped(events: Iterable[PlainEvent], groupings: Sequence[Grouping], measure: Measure) -> Rows:
    """The groups within the limits, in their order, with their events; one without a name where nothing groups."""
    there = list(events)
    if not groupings:
        return [((), there)]
    if any(not grouping.values(event) for grouping in groupings for event in there):
        there = [event for event in there if all(grouping.values(event) for grouping in groupings)]
    inner: dict[str, list[PlainEvent]] = defaultdict(list)
    # An event of several groups of the next facet counts in each, and so it does for the order of these.
    for event in there:
        for value in groupings[0].values(event):
            inner[value].append(event)

    def weight(value: str) -> tuple[bool, float, str]:
        number = measure.of(inner[value])
        sign = 1 if groupings[0].ascending else -1
        return (number is None, sign * (number or 0.0), value)

    chosen = sorted(inner, key=weight)[: groupings[0].limit]
    return [((v, *tags), those) for v in chosen for tags, those in grouped(inner[v], groupings[1:], measure)]


def _spread(events: Iterable[PlainEvent], groupings: Sequence[Grouping]) -> list[PlainEvent]:
    return [event for event in events for _ in range(math.prod(len(one.values(event)) for one in groupings))]


def table(rows: Rows, measure: Measure) -> list[tuple[Any, ...]]:
    """The rows of a scalar answer."""
    return [(*tags, measure.of(events)) for tags, events in rows if events]


def lines(rows: Rows, measure: Measure, interval: int) -> dict[tuple[str, ...], dict[int, Number]]:
    """The points of a timeseries answer."""
    found: dict[tuple[str, ...], dict[int, Number]] = {}
    for tags, events in rows:
        buckets: dict[int, list[PlainEvent]] = defaultdict(list)
        for event in events:
            buckets[event.ts // interval * interval].append(event)
        if buckets:
            found[tags] = {start: measure.of(those) for start, those in buckets.items()}
    return found


def often(events: Sequence[PlainEvent], entity: str, test: Callable[[int], bool]) -> list[PlainEvent]:
    """The events of those who did it so many times."""
    times = Counter(event.first(entity) for event in events)
    return [event for event in events if event.first(entity) is not None and test(times[event.first(entity)])]


def by_entity(events: Iterable[PlainEvent], key: str) -> dict[str, list[PlainEvent]]:
    """The events of each, as they happened."""
    found: dict[str, list[PlainEvent]] = defaultdict(list)
    for event in sorted(events, key=lambda event: (event.ts, event.number)):
        name = event.first(key)
        if name is not None:
            found[name].append(event)
    return found


def ways(events: Iterable[PlainEvent], key: str, steps: Sequence[Test], window: int | None) -> dict[str, Way]:
    """The event of each step that somebody took; with a window the best of all attempts."""
    found: dict[str, Way] = {}
    for name, own in by_entity(events, key).items():
        starts = [number for number, event in enumerate(own) if steps[0](event)]
        limit = window if window is not None else None if key == "session.id" else DAY
        attempts = [_way(own[start:], steps, limit) for start in (starts if window is not None else starts[:1])]
        if attempts:
            found[name] = max(attempts, key=len)
    return found


def _way(own: list[PlainEvent], steps: Sequence[Test], limit: int | None) -> Way:
    way = [own[0]]
    for event in own[1:]:
        if len(way) == len(steps) or (limit is not None and event.ts > own[0].ts + limit):
            break
        if steps[len(way)](event):
            way.append(event)
    return way


def funnel(found: Mapping[str, Way], steps: int) -> dict[str, Any]:
    """How many took each step, and how long they took (min, max, avg) to the next one and to the end."""
    counts = [sum(len(way) > step for way in found.values()) for step in range(steps)]
    to_next = [_took([way[n + 1].ts - way[n].ts for way in found.values() if len(way) > n + 1]) for n in range(steps)]
    whole = _took([way[-1].ts - way[0].ts for way in found.values() if len(way) == steps])
    return {"counts": counts, "to_next": to_next, "whole": whole}


def _took(times: list[int]) -> dict[str, int]:
    if not times:
        return {"min": 0, "max": 0, "avg": 0}
    return {"min": min(times), "max": max(times), "avg": round(sum(times) / len(times))}


def flow(events: Iterable[PlainEvent], key: str, facet: str, columns: int, entries: int) -> dict[str, Any]:
    """The values of nodes, and of links, of the first few values of each."""
    found = [[str(event.first(facet)) for event in own][:columns] for own in by_entity(events, key).values()]
    width = max(map(len, found), default=0)
    named: list[dict[str, str]] = []
    for column in range(width):
        counts = Counter(way[column] for way in found if len(way) > column)
        top = sorted(counts, key=lambda value: (-counts[value], value))[:entries]
        named.append({value: f"regular:{value}" if value in top else "other" for value in counts})
    nodes: Counter[str] = Counter()
    links: Counter[tuple[str, str]] = Counter()
    for way in found:
        ids = [f"{column}:{named[column][value]}" for column, value in enumerate(way)]
        if len(ids) < width:
            ids.append(f"{len(ids)}:dropoff")
        nodes.update(ids)
        links.update(pairwise(ids))
    return {"nodes": dict(nodes), "links": dict(links)}


def cohorts(
    span: tuple[int, int], zone: str, weekly: bool, first: dict[str, int], back: Mapping[str, list[int]], later: bool
) -> list[tuple[int, list[int]]]:
    """How large each cohort is, and how many of it came back in each period; an empty one for each that is possible."""

    def day(moment: int) -> datetime:
        local = datetime.fromtimestamp(moment / 1000, ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        return local.replace(tzinfo=None) - timedelta(days=local.weekday() if weekly else 0)

    def place(moment: int) -> int:
        return (day(moment) - day(span[0])).days // (7 if weekly else 1)

    count = place(span[1]) + 1
    sizes = [0] * count
    returned = [[0] * (count - number) for number in range(count)]
    for who, began in first.items():
        cohort = place(began)
        sizes[cohort] += 1
        periods = {place(moment) - cohort for moment in back.get(who, ()) if moment >= began}
        if later and periods:
            periods = set(range(max(periods) + 1))
        for period in periods:
            returned[cohort][period] += 1
    return list(zip(sizes, returned, strict=True))


def firsts(events: Iterable[PlainEvent], key: str, test: Test) -> dict[str, int]:
    """When each did it first."""
    return {
        name: min(event.ts for event in own)
        for name, own in by_entity((event for event in events if test(event)), key).items()
    }


def times(events: Iterable[PlainEvent], key: str, test: Test) -> dict[str, list[int]]:
    """When each did it."""
    hits = by_entity((event for event in events if test(event)), key)
    return {name: [event.ts for event in own] for name, own in hits.items()}
