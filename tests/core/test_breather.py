"""The delivery thread gives other threads their turn at the GIL, however many events it has at once."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from dd_pa import Emitter
from dd_pa.delivery import breather
from dd_pa.delivery.breather import PAUSE, STEPS, Breather
from dd_pa.observe import signals


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens: a pause, or an event that is settled."""
    found: list[str] = []
    monkeypatch.setattr(breather, "time", SimpleNamespace(sleep=lambda seconds: found.append(f"pause of {seconds}")))
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
    assert seen.count(f"pause of {PAUSE}") == 200 // STEPS
    rows = " ".join(seen).split(f"pause of {PAUSE}")
    assert max(row.count("settled") for row in rows) <= STEPS


def test_where_threads_run_beside_each_other(seen: list[str]) -> None:
    """Without a GIL nobody waits for it."""
    free = Breather(has_gil=False)
    for _ in range(10 * STEPS):
        free.step()

    assert seen == []
