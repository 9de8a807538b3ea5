from __future__ import annotations

import threading
from collections import Counter

import pytest

from dd_pa import BuiltEvent, Settings
from dd_pa.store.memory import MemoryStore
from dd_pa.store.store_factory import open_store


def event(number: int) -> BuiltEvent:
    """Return an event that occurred at its number."""
    return BuiltEvent(id=f"{number:032x}", name="order.placed", occurred_at=number, body=b"{}")


def store_of(size: int, *, drop_newest: bool = False) -> tuple[MemoryStore, list[BuiltEvent]]:
    """Return a store, and the list of what it drops."""
    dropped: list[BuiltEvent] = []
    return MemoryStore(size=size, drop_newest=drop_newest, on_overflow=dropped.append), dropped


def numbers(events: list[BuiltEvent]) -> list[int]:
    return [event.occurred_at for event in events]


def test_events_are_taken_in_their_order() -> None:
    """Oldest first, not more than asked for."""
    store, _ = store_of(10)
    for number in range(5):
        store.put(event(number))

    assert (numbers(store.take(3)), numbers(store.take(3)), store.take(3)) == ([0, 1, 2], [3, 4], [])


@pytest.mark.parametrize(
    ("drop_newest", "kept", "gone", "accepted"),
    [
        pytest.param(False, [2, 3, 4], [0, 1], [True] * 5, id="oldest"),
        pytest.param(True, [0, 1, 2], [3, 4], [True] * 3 + [False] * 2, id="newest"),
    ],
)
def test_a_full_store_drops_by_its_rule(
    drop_newest: bool, kept: list[int], gone: list[int], accepted: list[bool]
) -> None:
    """The bound holds, each drop is told, and put() says whether its own event was kept."""
    store, dropped = store_of(3, drop_newest=drop_newest)

    assert [store.put(event(number)) for number in range(5)] == accepted
    assert (numbers(store.take(9)), numbers(dropped)) == (kept, gone)


def test_what_is_taken_makes_room() -> None:
    """The bound counts what waits; what is in flight is bounded by the delivery."""
    store, dropped = store_of(2)
    for number in range(2):
        store.put(event(number))
    store.take(2)
    for number in range(2, 4):
        store.put(event(number))

    assert (store.waiting, store.pending, dropped) == (2, 4, [])


def test_pending_counts_until_settled() -> None:
    """Taken events are still ours; settling one twice, or one never taken, does no harm."""
    store, _ = store_of(10)
    for number in range(3):
        store.put(event(number))
    first, second = store.take(2)

    assert (store.waiting, store.pending, store.oldest()) == (1, 3, 0)
    store.settle(first)
    store.settle(first)
    store.settle(event(99))
    assert (store.pending, store.oldest()) == (2, 1)
    store.settle(second)
    store.take(1)
    store.settle(event(2))
    assert (store.pending, store.oldest()) == (0, None)


def test_a_mark_is_passed_when_all_before_it_is_settled() -> None:
    """Events put after the mark are not waited for."""
    store, _ = store_of(10)
    empty = store.mark()
    store.put(event(1))
    store.put(event(2))
    mark = store.mark()
    store.put(event(3))
    first, second, third = store.take(3)

    assert (store.passed(empty), store.passed(mark)) == (True, False)
    store.settle(third)
    store.settle(second)
    assert not store.passed(mark)
    store.settle(first)
    assert store.passed(mark)


def test_a_mark_is_passed_by_dropping_too() -> None:
    """flush() does not wait for what a full buffer displaced."""
    store, _ = store_of(1)
    store.put(event(1))
    mark = store.mark()
    store.put(event(2))

    assert store.passed(mark)


def test_reclaimed_events_come_first_and_in_order() -> None:
    """A delivery that starts again finds everything as it was."""
    store, _ = store_of(10)
    for number in range(4):
        store.put(event(number))
    store.take(3)
    store.settle(event(1))
    mark = store.mark()
    store.reclaim()

    assert (store.waiting, store.pending, store.passed(mark)) == (3, 3, False)
    assert numbers(store.take(9)) == [0, 2, 3]


def test_draining_empties_it() -> None:
    """Taken or not, oldest first, each once."""
    store, _ = store_of(10)
    for number in range(4):
        store.put(event(number))
    store.take(2)

    assert numbers(store.drain()) == [0, 1, 2, 3]
    assert (store.drain(), store.pending, store.oldest()) == ([], 0, None)


@pytest.mark.parametrize("drop_newest", [False, True])
def test_no_event_is_lost_or_counted_twice_under_threads(drop_newest: bool) -> None:
    """With eight threads that put and one that takes: put = settled + dropped + left, and the bound nearly holds."""
    threads, each, size = 8, 3000, 50
    store, dropped = store_of(size, drop_newest=drop_newest)
    settled: list[BuiltEvent] = []
    longest, done = 0, threading.Event()

    def put(first: int) -> None:
        for number in range(first, first + each):
            store.put(event(number))

    def take() -> None:
        nonlocal longest
        while not done.is_set() or store.waiting:
            longest = max(longest, store.waiting)
            for taken in store.take(7):
                store.settle(taken)
                settled.append(taken)

    putters = [threading.Thread(target=put, args=(number * each,)) for number in range(threads)]
    taker = threading.Thread(target=take)
    for thread in (*putters, taker):
        thread.start()
    for thread in putters:
        thread.join()
    done.set()
    taker.join()

    seen = Counter(numbers(settled) + numbers(dropped))
    assert (len(seen), set(seen.values()), store.pending) == (threads * each, {1}, 0)
    assert longest <= size + threads


def test_several_threads_may_drain() -> None:
    """Whoever submits beside close() drains too: each event comes out once."""
    store, _ = store_of(20_000)
    for number in range(10_000):
        store.put(event(number))
    store.take(300)
    drained: list[BuiltEvent] = []
    threads = [threading.Thread(target=lambda: drained.extend(store.drain())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(numbers(drained)) == list(range(10_000))


def sized(number: int, size: int) -> BuiltEvent:
    return BuiltEvent(id=f"{number:032x}", name="page.saved", occurred_at=number, body=b"x" * size)


def bounded(*, drop_newest: bool = False, max_bytes: int = 1000) -> tuple[MemoryStore, list[BuiltEvent]]:
    """Return a store with room for any number of events, and for few bytes."""
    dropped: list[BuiltEvent] = []
    store = MemoryStore(size=10_000, max_bytes=max_bytes, drop_newest=drop_newest, on_overflow=dropped.append)
    return store, dropped


@pytest.mark.parametrize(
    ("drop_newest", "kept", "gone"),
    [pytest.param(False, [2, 3], [0, 1], id="oldest"), pytest.param(True, [0, 1, 3], [2], id="newest")],
)
def test_bytes_are_bounded_by_the_same_rule(drop_newest: bool, kept: list[int], gone: list[int]) -> None:
    """As many of the oldest go as the new one needs, or the new one itself; a smaller one may still fit."""
    store, dropped = bounded(drop_newest=drop_newest)
    for number, size in enumerate([400, 400, 700, 200]):
        store.put(sized(number, size))

    assert (numbers(store.take(9)), numbers(dropped)) == (kept, gone)


@pytest.mark.parametrize("drop_newest", [False, True])
def test_one_event_is_kept_of_any_size(drop_newest: bool) -> None:
    """Else it could never be sent at all."""
    store, dropped = bounded(drop_newest=drop_newest)

    assert (store.put(sized(0, 5000)), dropped, store.waiting) == (True, [], 1)


def test_bytes_that_were_taken_make_room() -> None:
    """And take it again when they come back, without those that were settled between."""
    store, dropped = bounded()
    for number in range(3):
        store.put(sized(number, 300))
    store.take(3)
    for number in range(3, 1000):
        store.put(sized(number, 300))
        for one in store.take(1):
            store.settle(one)
    store.settle(sized(1, 300))
    store.reclaim()
    store.put(sized(1000, 300))

    assert dropped == []
    store.put(sized(1001, 300))
    assert (numbers(dropped), numbers(store.take(9))) == ([0], [2, 1000, 1001])


def test_settings_bound_the_bytes_in_memory() -> None:
    """The buffer of an emitter without a spool holds no more, and counts what went."""
    settings = Settings(
        application_id="shop",
        api_key="k" * 32,
        intake_url="http://127.0.0.1:1",
        spool_dir=None,
        buffer_max_bytes=1_000_000,
        delivery="thread",
    )
    dropped: list[str] = []
    store = open_store(
        settings,
        on_dropped=lambda reason, event: dropped.append(reason),
        say=lambda *words: None,
        can_deliver=lambda: True,
        on_waiting=lambda: None,
        for_all=False,
    )
    for number in range(30):
        store.put(sized(number, 100_000))

    assert (store.waiting, dropped) == (10, ["overflow"] * 20)
