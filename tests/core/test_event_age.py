from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dd_pa.capture.event import BuiltEvent
from dd_pa.delivery.event_age import Ages
from dd_pa.process import uptime as machine
from dd_pa.store.segment_merger import LEAST
from tests.core.spools import Watched, event, events

DAY = 24 * 3600.0
Set = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Set the wall clock by some seconds, as seen by this process."""
    real, real_ns = time.time, time.time_ns

    def set_by(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(seconds * 1e9))

    return set_by


def started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the machine be another one, or the same after a reboot."""
    monkeypatch.setattr(machine, "BOOT", "another")


@pytest.mark.parametrize("wrong", [12 * 365 * DAY, 5 * 3600.0, -5 * 3600.0, -365 * DAY])
@pytest.mark.parametrize("when", ["as it was tracked", "as it is delivered"])
def test_the_wall_clock_says_nothing_of_an_age(tmp_path: Path, set_clock: Set, wrong: float, when: str) -> None:
    """Whoever's event it is, as long as the machine runs: the issue's case, and its mirror."""
    set_clock(wrong if when == "as it was tracked" else 0.0)
    dead = Watched(tmp_path / "spool")
    dead.put(*(_made_now(number) for number in range(3)))
    dead.kill()
    set_clock(0.0 if when == "as it was tracked" else wrong)
    own = Watched(tmp_path / "spool")
    own.put(_made_now(4))
    own.tend()
    ages = Ages(own.spool, max_age=7 * DAY)

    assert [0 <= (ages.of(one) or 0.0) < 600 for one in own.spool.take(10)] == [True] * 4


def test_a_clock_that_is_set_begins_a_segment(tmp_path: Path, set_clock: Set) -> None:
    """So each is dated by one clock; the very next event is in the new one."""
    watched = Watched(tmp_path / "spool")
    before = watched.put(*events(2))
    set_clock(-5 * 3600.0)
    after = watched.put(_made_now(5), _made_now(6))
    watched.tend()
    ages = Ages(watched.spool, max_age=7 * DAY)

    assert len(watched.segments()) == 2
    taken = watched.spool.take(10)
    assert {one.id for one in (*before, *after)} == {one.id for one in taken}
    assert all(0 <= (ages.of(one) or 0.0) < 600 for one in taken)


@pytest.mark.parametrize("wrong", [-30 * DAY, 30 * DAY])
def test_a_batch_is_dated_by_the_clock_that_it_was_made_by(tmp_path: Path, set_clock: Set, wrong: float) -> None:
    """Events that are written together, as those of many rows, right after the clock was set."""
    watched = Watched(tmp_path / "spool")
    watched.put(*events(2))
    set_clock(wrong)
    batch = [_made_now(number) for number in range(3)]
    assert watched.spool.put_first(batch) == 3
    ages = Ages(watched.spool, max_age=7 * DAY)

    assert [0 <= (ages.of(one) or 0.0) < 600 for one in watched.spool.take(10)] == [True] * 5


@pytest.mark.parametrize("wrong", [-30 * DAY, 30 * DAY])
def test_what_waited_for_the_disk_while_the_clock_was_set_is_not_older(
    tmp_path: Path, set_clock: Set, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    """It was tracked by another clock than the segment that it could be written to now."""
    set_clock(wrong)
    watched = Watched(tmp_path / "spool")
    with monkeypatch.context() as failing:
        failing.setattr(os, "open", _refused)
        watched.put(_made_now(1))
    set_clock(0.0)
    watched.now += 2
    watched.put(_made_now(2))
    watched.tend()
    ages = Ages(watched.spool, max_age=7 * DAY)

    assert [0 <= (ages.of(one) or 0.0) < 600 for one in watched.spool.take(10)] == [True] * 2


def _refused(*args: object, **options: object) -> int:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _made_now(number: int) -> BuiltEvent:
    """Return an event that is dated by the clock as it is set now."""
    made = event(number)
    moment = int(time.time() * 1000)
    body = made.body.replace(str(made.occurred_at).encode(), str(moment).encode())
    return type(made)(id=made.id, name=made.name, occurred_at=moment, body=body)


def test_small_segments_that_are_merged_keep_their_age(tmp_path: Path, set_clock: Set) -> None:
    """They were dated by one wrong clock; the one that they become is so too."""
    set_clock(-365 * DAY)
    for number in range(LEAST):
        dead = Watched(tmp_path / "spool")
        dead.put(_made_now(number))
        dead.kill()
    set_clock(0.0)
    merging = Watched(tmp_path / "spool")
    merging.healthy = False
    for _ in range(30):
        merging.tend()
    assert len(merging.segments()) == 1
    merging.kill()
    last = Watched(tmp_path / "spool")
    last.tend()
    ages = Ages(last.spool, max_age=7 * DAY)

    assert [0 <= (ages.of(one) or 0.0) < 600 for one in last.spool.take(100)] == [True] * LEAST


def test_after_a_reboot_the_intake_tells_the_time(
    tmp_path: Path, set_clock: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has, nobody knows how old they are; by the first of its answers they are seconds old."""
    dead = Watched(tmp_path / "spool")
    dead.put(*events(3))
    dead.kill()
    started_anew(monkeypatch)
    true = time.time()
    set_clock(12 * 365 * DAY)
    again = Watched(tmp_path / "spool")
    again.tend()
    ages = Ages(again.spool, max_age=7 * DAY, wall=time.time)
    taken = again.spool.take(10)

    assert [ages.of(one) for one in taken] == [None] * 3

    ages.heard({"date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(true + 1))})

    assert all(-60 < (ages.of(one) or 0.0) < 600 for one in taken)


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Nov 99999 00:00:00 GMT", "\x00"])
def test_a_date_that_is_none_leaves_it_to_this_machine(tmp_path: Path, set_clock: Set, date: str) -> None:
    """An intake, or a proxy on the way, may say anything."""
    set_clock(8 * DAY)
    watched = Watched(tmp_path / "spool")
    ages = Ages(watched.spool, max_age=7 * DAY, wall=time.time)
    ages.heard({"date": date})
    one = event()

    assert ages.of(one) is None

    ages.go_by_the_wall_clock()

    assert (ages.of(one) or 0.0) > 7 * DAY
