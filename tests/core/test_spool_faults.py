from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dd_pa import Emitter
from dd_pa.observe import signals
from tests.core.spools import Watched, event, events, ids


class FailingReads:
    """The calls of `os`, of which reading a page fails while `failing`."""

    failing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def pread(self, fd: int, count: int, at: int, /) -> bytes:
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.pread(fd, count, at)


def test_a_page_that_could_not_be_read_hides_nothing_that_is_written_later(tmp_path: Path) -> None:
    """Nor what was on it: the disk has a bad minute while this process writes."""
    files = FailingReads()
    watched = Watched(tmp_path / "spool", files=files)
    early = watched.put(*events(3))
    files.failing = True
    for _ in range(10):
        watched.tend()
        assert watched.spool.take(10) == []
    files.failing = False
    late = watched.put(event(4))
    watched.now += 600

    assert watched.deliver(rounds=20) == ids([*early, *late])


def test_an_event_on_its_way_whose_segment_was_dropped_is_not_forgotten_at_the_end(tmp_path: Path) -> None:
    """The bound removes what is on disk only; the event is written again, or counted."""
    watched = Watched(tmp_path / "spool", max_bytes=64 * 1024, segment_bytes=8 * 1024)
    first = watched.put(event(0))
    assert ids(watched.spool.take(1)) == ids(first)
    kept = [event(number, filling="x" * 4000) for number in range(1, 40)]
    for one in kept:
        watched.spool.put(one)
        watched.tend()
    assert "overflow" in [reason for reason, _ in watched.dropped]
    assert watched.spool.drain() == []
    watched.spool.close()

    again = Watched(tmp_path / "spool")
    assert first[0].id in again.deliver(rounds=20)


def test_events_that_nobody_else_can_deliver_wake_this_process(make: Callable[..., Emitter], tmp_path: Path) -> None:
    """Another process delivers what is on disk, but the disk fails: this one sends, with nobody waiting for it."""
    (tmp_path / "file").write_text("no directory")
    emitter = make(spool_dir=str(tmp_path / "file" / "spool"), delivery="process")
    delivered = threading.Event()

    def note(sender: object, **_: object) -> None:
        delivered.set()

    with signals.event_delivered.connected_to(note, sender=emitter):
        emitter.track("x.done", usr="u")

        assert delivered.wait(60)


def test_what_waits_for_another_attempt_is_counted_when_its_segment_is_dropped(tmp_path: Path) -> None:
    """Else it is in memory only, maybe for hours, where a kill takes it uncounted; one in flight is left alone."""
    watched = Watched(tmp_path / "spool", max_bytes=64 * 1024, segment_bytes=8 * 1024)
    watched.put(*events(2))
    failed, in_flight = watched.spool.take(2)
    kept = watched.spool.recalls
    for number in range(40):
        watched.spool.put(event(number, filling="x" * 4000))
        watched.tend()

    assert watched.spool.recalls > kept
    assert watched.spool.hand_back(failed)
    assert ("overflow", failed) in watched.dropped
    assert not watched.spool.hand_back(failed)
    watched.spool.settle(in_flight)
    assert ("overflow", in_flight) not in watched.dropped


def test_a_page_that_cannot_be_read_hides_nothing_else_of_a_dropped_segment(tmp_path: Path) -> None:
    """What is before and behind it is counted by name, the page itself once."""
    dead = Watched(tmp_path / "spool")
    put = dead.put(*(event(number, filling="x" * 1000) for number in range(40)))
    dead.kill()

    class BadPage(FailingReads):
        def pread(self, fd: int, count: int, at: int, /) -> bytes:
            if count <= 65536 and at <= 8192 < at + count:  # not the journal
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return os.pread(fd, count, at)

    watched = Watched(tmp_path / "spool", files=BadPage(), max_bytes=1000)
    watched.healthy = False
    for _ in range(20):
        watched.tend()
    lost = [one.id for reason, one in watched.dropped if one is not None]

    assert lost == [one.id for one in put if one.id in lost]
    assert 30 < len(lost) < 40
    assert ("damaged", None) in watched.dropped
    assert watched.segments() == []


def test_what_was_in_memory_and_is_on_disk_since_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever flushes while the disk comes back waits for the events themselves, and not for their place."""
    watched = Watched(tmp_path / "spool")
    with monkeypatch.context() as failing:
        failing.setattr(os, "open", _refused)
        (kept,) = watched.put(event(1))
    mark = watched.spool.mark()
    watched.now += 2
    watched.put(event(2))
    watched.tend()
    assert watched.memory.pending == 0
    assert not watched.spool.passed(mark)

    assert kept.id in watched.deliver()
    assert watched.spool.passed(mark)


def _refused(*args: object, **options: object) -> int:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_a_process_without_delivery_of_its_own_takes_nothing_of_others(tmp_path: Path) -> None:
    """It delivers what is in its memory when the disk has failed; what is on disk is another process's."""
    dead = Watched(tmp_path / "spool")
    left = dead.put(event(1))
    dead.kill()
    web = Watched(tmp_path / "spool", reads=False)
    web.memory.put(event(2))
    web.spool._janitor._orphans.see(dead.segments()[0].name)  # as the thread that keeps order does meanwhile

    taken = web.spool.take(10)
    assert len(taken) == 1
    assert ids(taken) != ids(left)
