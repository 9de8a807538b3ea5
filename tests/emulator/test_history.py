from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dd_pa.emulator import Emulator
from dd_pa.emulator.http.answers import ACCEPTED
from dd_pa.emulator.live.history import History
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.live.selection import Filter, SearchTimeoutError, Selections
from dd_pa.emulator.search.search import compile_search
from tests.emulator.asking import SCALAR, analytics, ask, table
from tests.emulator.client import Client, event


def row(seq: int, received_ms: int, *, size: int = 1, name: str = "n") -> Row:
    """A taken event."""
    return Row(
        seq=seq,
        received_ms=received_ms,
        status=202,
        reason=None,
        reason_path=None,
        body={"event": {"name": name}},
        raw=None,
        size=size,
        encoding=None,
        headers=(),
        answer=ACCEPTED,
    )


def filled(count: int, kept: int = 100_000) -> History:
    """A history with rows n0, n1 …, all but the last `kept` forgotten."""
    history = History(kept, lambda: 0.0)
    for n in range(count):
        history.add(lambda seq, now, n=n: row(seq, now, name=f"n{n}"))  # type: ignore[misc]  # n is bound here
    return history


def test_bounded_bytes() -> None:
    """The bodies together are bounded; the newest stays, however large it is."""
    history = History(100, lambda: 0.0, kept_bytes=10)
    for size in (4, 4, 4, 50):
        history.add(lambda seq, now, size=size: row(seq, now, size=size))  # type: ignore[misc]  # size is bound here
        kept = [found.seq for found in history.after(0)]
        assert kept == {1: [1], 2: [1, 2], 3: [2, 3], 4: [4]}[history.seq]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1_009, 5_000])
def test_what_is_kept(count: int) -> None:
    """Whatever was forgotten, rows are found by number, and only those that are kept."""
    history = filled(count, kept=10)
    kept = list(range(max(1, count - 9), count + 1))

    assert [found.seq for found in history.after(0)] == kept
    assert [found.seq for found in history.after(count - 3)] == kept[-3:]
    assert [found.seq for found in history.after(0, limit=2)] == kept[:2]
    assert [found.seq for found in history.rows(range(count + 5))] == kept
    assert history.counts().oldest == (kept[0] if kept else None)
    assert history.counts().received == count


def test_clock_that_is_kept_right() -> None:
    """Arrival times never fall by a little, as clocks do that are kept right."""
    times = iter([5.0, 4.5, 6.0])
    history = History(10, lambda: next(times))
    rows = [history.add(row) for _ in range(3)]

    assert [found.received_ms for found in rows] == [5000, 5000, 6000]
    assert [list(history.spans(moment, None)) for moment in (0, 5000, 5001)] == [
        [range(1, 4)],
        [range(1, 4)],
        [range(3, 4)],
    ]
    assert history.spans(6001, None) == []


@given(
    steps=st.lists(st.integers(-5_000, 5_000), max_size=60),
    kept=st.integers(1, 70),
    start=st.none() | st.integers(0, 200_000),
    length=st.none() | st.integers(0, 60_000),
)
def test_clock_that_jumps(steps: list[int], kept: int, start: int | None, length: int | None) -> None:
    """However the clock goes, rows have its time but for a second, and are found by the time they have."""
    now = [100.0]
    history = History(kept, lambda: now[0])
    for step in steps:
        now[0] += step / 1000
        added = history.add(row)
        assert 0 <= added.received_ms - int(now[0] * 1000) <= 1_000
    end = None if length is None else (start or 0) + length
    rows = history.after(0)
    expected = [
        found.seq
        for found in rows
        if (start is None or start <= found.received_ms) and (end is None or found.received_ms < end)
    ]

    assert [seq for span in history.spans(start, end) for seq in span] == expected
    latest = [found for found in rows if found.seq >= max([0, *history._turns])]
    assert history.counts().rate == sum(found.received_ms >= now[0] * 1000 - 5000 for found in latest) / 5


def test_day_ahead() -> None:
    """After a day that the clock was ahead, events have the right time again, in the list, its chart and in queries."""
    now = [1_790_000_000.0]
    other = Emulator(clock=lambda: now[0])
    with other.running() as url, httpx.Client(base_url=url, timeout=60) as http:
        shifted = Client(http)
        for hours, name in ((0, "before"), (24, "ahead"), (0, "after")):
            now[0] = 1_790_000_000.0 + 3600 * hours
            shifted.send(event(event={"name": name}))
        moments = {"from": 1_789_999_999_000, "to": 1_790_000_001_000}
        listed = shifted.get("events", **moments)
        chart = shifted.get("histogram", **moments)
        asked = analytics(group_by=[{"facet": "@event.name"}]) | moments
        counted = table(ask(http, "analytics/scalar", SCALAR, asked))
    other.close()

    assert [found[2] for found in listed["events"]] == ["after", "before"]
    assert [bucket[1:] for bucket in chart["buckets"]] == [[2, 0]]
    assert counted == [("after", 1.0), ("before", 1.0)]


def test_search_is_bounded_in_time() -> None:
    """A search that takes too long gives up, and goes on where it stopped when it is asked again."""
    history = filled(1_000)
    wanted = Filter(search=compile_search("@event.name:n*"))
    looks = iter([False] * 3 + [True])
    selections = Selections(history, lambda: next(looks, False))

    with pytest.raises(SearchTimeoutError):
        selections.find(wanted)
    assert list(selections.find(wanted)) == list(range(1, 1_001))
    with pytest.raises(SearchTimeoutError):
        Selections(history, lambda: False, seconds=-1).find(wanted)


def test_too_long_a_search_is_said() -> None:
    """The page learns that its search took too long."""
    emulator = Emulator()
    with emulator.running() as url, httpx.Client(base_url=url) as http:
        client = Client(http)
        client.send(event())
        emulator.stopping = True
        response = http.get("/api/emulator/events", params={"q": "x"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"] == "the search took too long; ask again to go on"


def test_many_searches() -> None:
    """Only the last few searches are remembered; a forgotten one is done again."""
    history = filled(20)
    selections = Selections(history, lambda: False)

    found = [list(selections.find(Filter(search=compile_search(f"n{n}")))) for _ in range(2) for n in range(20)]
    assert found == [[n + 1] for n in range(20)] * 2


def test_ingest_does_not_wait_for_searches(emulator: Emulator, client: Client, url: str) -> None:
    """Events are taken while a slow search runs over everything there is."""
    for n in range(15):
        client.send(event(text=f"{n} " * 4000))

    with ThreadPoolExecutor() as pool, httpx.Client(base_url=url, timeout=60) as http:
        searching = pool.submit(http.get, "/api/emulator/events", params={"q": "*q* OR *zz* OR *xx*"})
        during = 0
        while not searching.done():
            assert client.send(event()).status_code == 202
            during += not searching.done()

    assert searching.result().json()["total"] == 0
    assert during > 1
