"""Many threads put while one delivers and segments come and go."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dd_pa.capture.event import BuiltEvent
from dd_pa.store import janitor
from tests.core.spools import Watched, events, ids


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switches")
@pytest.mark.parametrize("segment_bytes", [pytest.param(600, id="rotating"), pytest.param(1 << 20, id="one")])
def test_each_event_is_delivered_once(segment_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is lost, doubled or torn, whichever thread replaces the segment."""
    # The clock runs two seconds a look: a thread that makes a segment may stand still for a minute of them.
    monkeypatch.setattr(janitor, "LITTER_AGE", math.inf)
    watched = Watched(tmp_path / "spool", segment_bytes=segment_bytes)
    batches = [events(150) for _ in range(6)]
    threads = [threading.Thread(target=watched.put, args=batch) for batch in batches]
    taken: list[BuiltEvent] = []
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        watched.tend()
        some = watched.spool.take(7)
        taken += some
        for event in some:
            watched.spool.settle(event)
    for thread in threads:
        thread.join()

    assert sorted(ids(taken) + watched.deliver()) == ids(event for batch in batches for event in batch)
    assert (watched.dropped, watched.said, watched.memory.pending) == ([], [], 0)
    assert watched.spool.pending == 0
    assert len(watched.segments()) <= 1
