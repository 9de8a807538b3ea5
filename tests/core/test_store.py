"""Memory and spool behave alike: the same tests over both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dd_pa.capture.event import BuiltEvent
from dd_pa.store.memory import MemoryStore
from dd_pa.store.protocol import Store
from tests.core.spools import Watched, events, ids


def memory(path: Path) -> Store:
    """Return a memory store."""
    return MemoryStore(size=1000, drop_newest=False, on_overflow=lambda event: None)


def spool(path: Path) -> Store:
    """Return a spool of small segments."""
    return Watched(path / "spool", segment_bytes=1000).spool


@pytest.fixture(params=[pytest.param(memory, id="memory"), pytest.param(spool, id="spool")])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """One of the stores."""
    make: Callable[[Path], Store] = request.param
    made = make(tmp_path)
    yield made
    made.close()


def take_all(store: Store) -> list[BuiltEvent]:
    """Take whatever can be taken."""
    taken: list[BuiltEvent] = []
    while some := store.take(3):
        taken += some
    return taken


def test_events_come_out_as_they_went_in(store: Store) -> None:
    """Each event is taken once, equal to what was put."""
    put = events(20)

    assert [store.put(event) for event in put] == [True] * 20
    taken = take_all(store)

    assert sorted(taken, key=lambda event: event.id) == sorted(put, key=lambda event: event.id)


def test_take_keeps_to_the_limit(store: Store) -> None:
    """No more events are taken than asked for."""
    for event in events(5):
        store.put(event)

    assert [len(store.take(2)), len(store.take(2)), len(store.take(2)), len(store.take(2))] == [2, 2, 1, 0]


def test_pending_counts_what_is_not_settled(store: Store) -> None:
    """Events are pending from put to settle or reject, taken or not."""
    for event in events(12):
        store.put(event)
    counts = [store.pending]
    first, second, *_ = store.take(12)
    counts.append(store.pending)
    store.settle(first)
    counts.append(store.pending)
    store.reject(second, "400", "no")
    counts.append(store.pending)

    assert counts == [12, 12, 11, 10]


def test_a_mark_is_passed_when_all_before_it_is_settled(store: Store) -> None:
    """Events behind the mark do not matter, and their order neither."""
    put = events(6)
    for event in put[:4]:
        store.put(event)
    mark = store.mark()
    for event in put[4:]:
        store.put(event)
    before = {event.id for event in put[:4]}
    taken = take_all(store)
    passed = []
    for event in sorted(taken, key=lambda event: event.id not in before, reverse=True):
        passed.append(store.passed(mark))
        store.settle(event)

    assert passed == [False] * 6
    assert store.passed(mark)


def test_a_mark_is_passed_while_later_events_wait(store: Store) -> None:
    """An event put after the mark is not waited for."""
    first, second = events(2)
    store.put(first)
    mark = store.mark()
    store.put(second)
    for event in take_all(store):
        if event.id == first.id:
            store.settle(event)

    assert store.passed(mark)
    assert store.pending == 1


def test_reclaimed_events_are_taken_again(store: Store) -> None:
    """A delivery that starts again gets what the last one had not settled."""
    for event in events(5):
        store.put(event)
    taken = store.take(3)
    store.settle(taken[0])

    store.reclaim()

    assert len(take_all(store)) == 4
    assert store.pending == 4


def test_oldest_is_the_first_unsettled(store: Store) -> None:
    """The age of the oldest event is known while it waits and while it is on its way."""
    [event] = events(1)
    ages = [store.oldest()]
    store.put(event)
    ages.append(store.oldest())
    store.take(1)
    ages.append(store.oldest())
    store.settle(event)
    ages.append(store.oldest())

    waiting = ages.pop(1)
    assert ages == [None, event.occurred_at, None]
    assert waiting is not None
    assert abs(waiting - event.occurred_at) < 1000


def test_settling_an_unknown_event_does_nothing(store: Store) -> None:
    """An event that is settled twice, or was never put, changes nothing."""
    [known, unknown] = events(2)
    store.put(known)
    store.take(1)
    store.settle(unknown)
    store.settle(known)
    store.settle(known)

    assert (store.pending, ids(take_all(store))) == (0, [])
