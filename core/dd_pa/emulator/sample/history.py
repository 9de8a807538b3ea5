"""Day after day of the sample, in the order in which it happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from random import Random

from dd_pa.emulator.sample import shop
from dd_pa.emulator.sample.people import Person, accounts, arrival, returns
from dd_pa.emulator.sample.visit import Visit
from dd_pa.emulator.warehouse.table_row import Event

DAYS = 30
EVENTS = 30_000
_GROWTH = 0.5
"""How many more come at the end than at the beginning, as a share."""
_EVENTS_OF_ONE = 9.8
_VISITS_OF_ONE = (1.47, 0.039)
"""Visits of somebody while so many days pass: the first and those soon after, and a share of each later day."""


def history(*, end: int, days: int = DAYS, events: int = EVENTS, seed: int = 1) -> Iterator[Event]:
    """Yield about so many events of the days before `end` (epoch ms), oldest first.

    With the same arguments they are the same ones, to the last id.
    """
    rng = Random(seed)  # noqa: S311 - nothing is secret
    first = end // shop.DAY_MS - days + 1
    visits = _VISITS_OF_ONE[0] + _VISITS_OF_ONE[1] * days / 2
    arrivals = events / (_EVENTS_OF_ONE * visits)
    companies = accounts(rng, max(12, int(arrivals / 60)))
    expected: dict[int, list[Person]] = defaultdict(list)
    later: list[Event] = []
    number, weights = 0, [_busy(first, day, days) for day in range(days)]
    for day, weight in enumerate(weights):
        for _ in range(round(arrivals * weight / sum(weights))):
            number += 1
            person = arrival(rng, 1000 + number, companies)
            expected[day].append(person)
            for again in returns(rng, person, day, days):
                expected[again].append(person)
        midnight = (first + day) * shop.DAY_MS
        found = [*later, *(event for person in expected.pop(day) for event in _visit(rng, person, midnight, end))]
        found.sort(key=lambda event: event.ts)
        ends = min(end, midnight + shop.DAY_MS)
        later = [event for event in found if event.ts >= ends]
        yield from (event for event in found if event.ts < ends)


def _busy(first: int, day: int, days: int) -> float:
    # Day 0 of the epoch was a Thursday.
    return float(shop.WEEK[(first + day + 3) % 7] * (1 + _GROWTH * day / days))


def _visit(rng: Random, person: Person, midnight: int, end: int) -> list[Event]:
    hour = rng.choices(range(24), shop.HOURS)[0]
    return Visit(rng, person, midnight + hour * 3_600_000 + rng.randrange(3_600_000), end).play()
