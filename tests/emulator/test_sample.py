"""The made-up shop: the same for the same seed, and each view has something to tell of it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.sample import shop
from dd_pa.emulator.sample.history import history
from dd_pa.emulator.warehouse.table_row import Event
from tests.emulator.asking import KEYS

END = 1_795_800_000_000
FUNNEL = ("product.viewed", "cart.item_added", "checkout.started", "checkout.completed")


@pytest.fixture(scope="module")
def sample() -> list[Event]:
    return list(history(end=END))


def names(events: list[Event]) -> Counter[str]:
    return Counter(event.body["event"]["name"] for event in events if event.body["type"] == "server")


def test_a_seed_makes_the_same_history() -> None:
    def few(seed: int) -> list[Event]:
        return list(history(end=END, days=3, events=500, seed=seed))

    assert few(7) == few(7)
    assert few(7) != few(8)


def test_it_is_told_as_it_happened_and_ends_now(sample: list[Event]) -> None:
    assert all(one.ts <= other.ts for one, other in pairwise(sample))
    assert sample[-1].ts < END
    assert len({event.ts // shop.DAY_MS for event in sample}) == 30


@pytest.mark.parametrize(("days", "events"), [(30, 10_000), (90, 20_000)])
def test_there_are_about_as_many_events_as_wished(days: int, events: int) -> None:
    made = sum(1 for _ in history(end=END, days=days, events=events))

    assert 0.85 * events < made < 1.15 * events


def test_each_step_of_the_funnel_loses_some(sample: list[Event]) -> None:
    counts = [names(sample)[name] for name in FUNNEL]

    assert all(later < 0.9 * step for step, later in pairwise(counts))
    assert counts[-1] > 100


def test_the_release_of_day_20_is_a_bad_one(sample: list[Event]) -> None:
    bad = [event for event in sample if event.body.get("version") == "2.8.0"]
    good = [event for event in sample if event.body.get("version") == "2.7.0"]
    failed = [names(events)["payment.failed"] / names(events)["checkout.completed"] for events in (bad, good)]

    assert failed[0] > 4 * failed[1]
    first = END // shop.DAY_MS - 29
    assert {event.ts // shop.DAY_MS - first + 1 for event in bad} == {20, 21, 22}


def test_some_people_come_back(sample: list[Event]) -> None:
    sessions: dict[str, set[str]] = {}
    for event in sample:
        if "anonymous_id" in event.body.get("usr", {}):
            sessions.setdefault(event.body["usr"]["anonymous_id"], set()).add(event.body["session"]["id"])
    visits = Counter(len(those) for those in sessions.values())

    assert visits[1] > 0.4 * len(sessions)
    assert sum(count for number, count in visits.items() if number > 4) > 50


def test_an_emulator_begins_with_it_once() -> None:
    emulator = Emulator(clock=lambda: END / 1000)
    assert emulator.add_sample()
    assert not emulator.add_sample()
    assert emulator.events == []
    with emulator.running() as url, httpx.Client(base_url=url, headers=KEYS, timeout=60) as http:
        assert http.get("/api/emulator/facets").json()["facets"].count("@order.total") == 1
    emulator.close()
