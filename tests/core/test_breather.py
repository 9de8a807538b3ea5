"""The delivery thread gives other threads their turn at the GIL, however many events it has at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from itertools import count
from types import SimpleNamespace

import pytest

from dd_pa import Emitter
from dd_pa.delivery import breather
from dd_pa.delivery.breather import PAUSE, Breather
from dd_pa.observe import signals

LOOKS = 8
"""Looks at the clock that take as long as the thread may go on without a pause."""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens: a pause, or an event that is settled; each look at the clock takes the same time."""
    found: list[str] = []
    ticks = count()

    def sleep(seconds: float) -> None:
        found.append(f"pause of {seconds}")

    monkeypatch.setattr(breather, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: next(ticks)))
    monkeypatch.setattr(breather, "HOLD", LOOKS)
    return found


def test_many_events_at_once(make: Callable[..., Emitter], seen: list[str]) -> None:
    """No more than some of them are settled, or begun, between two pauses."""
    emitter = make(concurrency=100)

    def settled(sender: object, **_: object) -> None:
        seen.append("settled")

    with signals.event_delivered.connected_to(settled):
        for number in range(100):
            emitter.track("order.placed", {"number": number}, usr="u-1")
        assert emitter.flush(60)

    assert seen.count("settled") == 100
    rows = " ".join(seen).split(f"pause of {PAUSE}")
    assert max(row.count("settled") for row in rows) <= LOOKS


def test_few_events_do_not_wait(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause takes as long as a third of an event: there is none before one is due."""
    monkeypatch.setattr(breather, "yielding", nullcontext)  # there is no loop here
    few = Breather(has_gil=True)
    for _ in range(LOOKS - 1):
        few.step()
    assert seen == []

    few.step()
    assert seen == [f"pause of {PAUSE}"]


def test_where_threads_run_beside_each_other(seen: list[str]) -> None:
    """Without a GIL nobody waits for it."""
    free = Breather(has_gil=False)
    for _ in range(10 * LOOKS):
        free.step()

    assert seen == []
