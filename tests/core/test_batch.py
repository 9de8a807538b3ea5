"""Events of one operation on many rows, beside the same events built one by one."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dd_pa import Emitter, EventError, identify
from dd_pa.capture.attributes import LONG, MAX_INT
from dd_pa.capture.batch import NO_PART, SHORT
from dd_pa.observe import observers, panel_log
from tests.core.spools import Watched, events, ids
from tests.core.wire import without_ids

Make = Callable[..., Emitter]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-MAX_INT, MAX_INT),
    st.floats(allow_nan=True),
    st.decimals(places=2, allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000),
    st.text(max_size=20),
    st.just("x" * (LONG + 1)),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.uuids(),
    st.just([1]),
)
ROWS = st.lists(st.tuples(SCALARS, SCALARS), min_size=1, max_size=5)
MANY = hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class CountedWrites:
    """The calls of `os`, of which writing can fail, or be cut short when the `room` is used up."""

    writes = 0
    fails = False
    room: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, fd: int, data: bytes, /) -> int:
        self.writes += 1
        if self.fails or self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.write(fd, data if self.room is None else data[: self.room])
        if self.room is not None:
            self.room -= written
        return written


@pytest.fixture(autouse=True)
def acting() -> Iterator[None]:
    with identify(usr="u-1", account="acme"):
        yield


def joined(emitter: Emitter, label: str, names: list[str], rows: list[Any], part: dict[str, Any]) -> list[Any]:
    """Return what the events of rows say that are built in a batch."""
    batch = emitter.integration.batch()
    columns = batch.columns(label, names, list(zip(*rows, strict=True)))
    common = batch.part(part) if part else NO_PART
    return [
        None
        if (event := next(batch.events([("x.y", columns, row, common)]), None)) is None
        else without_ids(event.body)
        for row in range(len(rows))
    ]


def one_by_one(emitter: Emitter, label: str, names: list[str], rows: list[Any], part: dict[str, Any]) -> list[Any]:
    """Return what the same events say by themselves."""
    return [
        None
        if (event := emitter.integration.build("x.y", {label: dict(zip(names, row, strict=True)), **part})) is None
        else without_ids(event.body)
        for row in rows
    ]


@given(rows=ROWS, old=SCALARS, names=st.sampled_from([["id", "total"], ["order", 'a"b'], ["", "x"], ["null", "n"]]))
@MANY
def test_events_of_a_batch_say_what_they_say_by_themselves(
    make: Make, rows: list[Any], old: Any, names: list[str]
) -> None:
    """Whatever the columns are called and hold, good or bad."""
    emitter = make()
    part = {"changed": {"status": {"old": old, "new": "paid"}}}

    assert joined(emitter, "order", names, rows, part) == one_by_one(emitter, "order", names, rows, part)
    assert joined(emitter, "order", names, rows, {}) == one_by_one(emitter, "order", names, rows, {})


@pytest.mark.parametrize(
    ("label", "rows", "part"),
    [
        pytest.param("order", [(1, float("nan"))], {}, id="no number"),
        pytest.param("usr", [(1, 2)], {}, id="reserved label"),
        pytest.param("order", [(1, 2)], {"usr": 1}, id="reserved name"),
        pytest.param("order", [(1, "\ud800")], {}, id="no text"),
    ],
)
def test_a_bad_row_raises_in_strict_mode(make: Make, label: str, rows: list[Any], part: dict[str, Any]) -> None:
    """As it does by itself."""
    emitter = make(strict=True)

    with pytest.raises(EventError):
        joined(emitter, label, ["id", "total"], rows, part)


def test_a_bad_name_is_the_event_s_own_error(make: Make) -> None:
    emitter = make(strict=True)
    batch = emitter.integration.batch()
    columns = batch.columns("order", ["id"], [[1]])

    with pytest.raises(EventError, match="name"):
        list(batch.events([("", columns, 0, NO_PART)]))


def test_ids_and_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event has an id of its own; all are of one moment, where nobody looks on."""
    monkeypatch.setattr(panel_log, "watching", False)
    batch = make().integration.batch()
    columns = batch.columns("order", ["id"], [list(range(1000))])
    found = list(batch.events(("x.y", columns, row, NO_PART) for row in range(1000)))
    made = [json.loads(event.body)["dd_pa"] for event in found]

    assert [event.id for event in found] == [item["event_id"] for item in made]
    assert len({item["event_id"] for item in made}) == 1000
    assert len({item["occurred_at"] for item in made}) == 1
    assert all(uuid.UUID(item["event_id"]) for item in made)


def test_long_columns_are_built_as_any(make: Make) -> None:
    """What could be over the bounds of an event is looked at as a whole."""
    emitter = make()
    rows = [("x" * SHORT,), ("short",)]
    part = {"changed": {"tags": {"old": list(range(2000)), "new": None}}}

    assert joined(emitter, "order", ["note"], rows, part) == one_by_one(emitter, "order", ["note"], rows, part)


def test_before_send_sees_each_event(make: Make) -> None:
    """And what it changes in one is not changed in another."""

    def mark(draft: Any) -> Any:
        draft.attributes["changed"]["status"]["new"] += "!"
        return draft

    rows = [(1,), (2,)]
    part = {"changed": {"status": {"old": "new", "new": "paid"}}}
    found = joined(make(before_send=mark), "order", ["id"], rows, part)

    assert [item["changed"]["status"]["new"] for item in found] == ["paid!", "paid!"]


@pytest.mark.parametrize("consent", [None, False])
def test_nobody_to_link_to_and_no_consent(make: Make, consent: bool | None) -> None:
    """Such events are counted each, as by themselves."""
    emitter = make()
    reason = "unlinked" if consent is None else "consent"
    with identify(inherit=False) if consent is None else identify(consent=False):
        assert joined(emitter, "order", ["id"], [(1,), (2,)], {}) == [None, None]

    assert emitter.stats().dropped == {reason: 2}


def test_a_spool_takes_many_events_by_few_calls(tmp_path: Path) -> None:
    """All are there, in order, across segments as well, and none twice."""
    files = CountedWrites()
    watched = Watched(tmp_path / "spool", files=files, segment_bytes=64 * 1024)
    some = events(1000)
    before = files.writes

    assert watched.spool.put_first(some) == 1000
    assert files.writes - before < 20
    assert watched.deliver(rounds=20) == ids(some)


@pytest.mark.parametrize("room", [0, 1, 300, 1_000, 10_000])
def test_a_disk_that_fills_up_amid_many_events(tmp_path: Path, room: int) -> None:
    """What was written whole counts; the rest, the torn one among them, is put one by one when there is room again."""
    files = CountedWrites()
    watched = Watched(tmp_path / "spool", files=files)
    first = watched.put(*events(1))
    files.room = room
    some = events(200)
    written = watched.spool.put_first(some)
    assert written < 200
    files.room = None
    watched.now += 10
    watched.put(*some[written:])

    assert watched.deliver(rounds=20) == ids([*first, *some])


def test_a_disk_that_fails_amid_many_events(tmp_path: Path) -> None:
    files = CountedWrites()
    watched = Watched(tmp_path / "spool", files=files)
    watched.put(*events(1))
    files.fails = True

    assert watched.spool.put_first(events(10)) == 0
    assert "cannot be written" in watched.said[0]


def test_submitted_together(make: Make, tmp_path: Path) -> None:
    """In production; in a test run, and where somebody looks, each is seen by itself."""
    emitter = make(spool_dir=str(tmp_path / "spool"), delivery="process")
    found = [emitter.integration.build("x.y", {"number": number}) for number in range(100)]
    some = [event for event in found if event is not None]
    assert emitter.integration.submit_all(some[:50])
    observers.leave("test run")
    try:
        assert emitter.integration.submit_all(some[50:])
        assert emitter.integration.submit_all([])
    finally:
        observers.arrive("test run")

    assert emitter.stats().queued == 100
    assert sum(path.read_bytes().count(b"event_id") for path in tmp_path.rglob("*.seg")) == 100


def test_each_is_submitted_though_one_fails(make: Make) -> None:
    """In strict mode a failure is raised when all have had their turn."""
    emitter = make(strict=True, buffer_size=10)
    found = [emitter.integration.build("x.y", {"number": number}) for number in range(3)]
    broken: Any = object()

    with pytest.raises(AttributeError):
        emitter.integration.submit_all([broken, *(event for event in found if event is not None)])
    assert emitter.stats().queued == 3
