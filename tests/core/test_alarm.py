"""An idle delivery thread looks no less often than a busy one, and does less at it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from dd_pa.delivery import alarm
from dd_pa.delivery.alarm import Alarm
from tests.core.virtual_loop import VirtualLoop


class Store(SimpleNamespace):
    """A store that counts how often it is asked, and has something from a look on."""

    asked = 0
    has_at = 10**9

    @property
    def waiting(self) -> int:
        self.asked += 1
        return int(self.asked >= self.has_at)


def rung(store: Any, seconds: float, *, may_glance: bool) -> float:
    """Return after how many seconds of a virtual clock an alarm rang."""
    loop = VirtualLoop()

    async def wait() -> float:
        poked = asyncio.Event()
        Alarm(poked, store, seconds, may_glance=may_glance)
        await poked.wait()
        return loop.time()

    start = loop.time()
    try:
        return loop.run_until_complete(wait()) - start
    finally:
        loop.close()


def test_glances_until_the_store_is_to_be_tended() -> None:
    """Once a second."""
    store = Store()

    assert rung(store, alarm.TICK, may_glance=True) == pytest.approx(alarm.WHOLE)
    assert store.asked == 19


def test_an_event_is_seen_at_the_next_glance() -> None:
    """No later than by whole looks."""
    assert rung(Store(has_at=3), alarm.TICK, may_glance=True) == pytest.approx(3 * alarm.TICK)


@pytest.mark.parametrize(
    ("seconds", "may_glance"), [(alarm.TICK, False), (2.0, True), (0.7, True)], ids=["busy", "patient", "nearly"]
)
def test_no_glance_where_a_look_is_due(seconds: float, may_glance: bool) -> None:
    """Requests are in flight, or it sleeps for longer."""
    store = Store()

    assert rung(store, seconds, may_glance=may_glance) == pytest.approx(seconds)
    assert store.asked == 0


def test_a_store_that_fails_is_looked_at() -> None:
    """By the thread, which says so."""

    class Broken:
        @property
        def waiting(self) -> int:
            raise OSError("gone")

    assert rung(Broken(), alarm.TICK, may_glance=True) == pytest.approx(alarm.TICK)
