"""Each call of the system that a spool makes fails, one after the other; and all from there on, until the disk works.

Nothing is raised into the code that tracks or delivers, nothing is lost, and nothing is sent twice: the process lives.
"""

from __future__ import annotations

import errno
import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dd_pa.capture.event import BuiltEvent
from tests.core.failing_calls import FailingCalls
from tests.core.spools import Watched, event, events, ids

FOR_EVER = 10_000


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingCalls]:
    """Calls that may fail; whatever a failure leaves in a circle is not collected meanwhile."""
    gc.collect()
    gc.disable()
    yield FailingCalls(monkeypatch)
    gc.enable()


class Life:
    """A process that finds what another left, tracks, delivers and rejects while calls fail; and lives on."""

    def __init__(self, path: Path, calls: FailingCalls, **options: Any) -> None:
        dead = Watched(path)
        self.put = dead.put(*events(3))
        dead.kill()
        self.sent: Counter[str] = Counter()
        self.rejected: set[str] = set()
        self._not_rejected: list[BuiltEvent] = []
        self.watched = Watched(path, segment_bytes=700, **options)
        with calls.counting():
            self._live()
        self._live_on()
        self.lost = {one.id for one in self.put} - set(self.sent)
        self.twice = [one for one, count in self.sent.items() if count > 1]

    def _live(self) -> None:
        for number in range(12):
            self._put(event(number))
            if number in (5, 9):
                self._deliver(4)
                self.watched.tend()
        batch = events(5)
        stored = self.watched.spool.put_first(batch)
        self.put += batch[:stored]
        for one in batch[stored:]:
            self._put(one)
        self._deliver(6, rejects=True)
        self.watched.tend()
        self._deliver(30)
        self.watched.tend()
        self.watched.tend()

    def _put(self, one: BuiltEvent) -> None:
        assert self.watched.spool.put(one)
        self.put.append(one)

    def _deliver(self, limit: int, *, rejects: bool = False) -> None:
        for number, one in enumerate(self.watched.spool.take(limit)):
            self.sent[one.id] += 1
            if not rejects or number % 2:
                self.watched.spool.settle(one)
            elif not self.watched.spool.reject(one, "400", "no"):
                self._not_rejected.append(one)
        assert self.watched.spool.waiting >= 0
        assert self.watched.spool.bytes >= 0

    def _live_on(self) -> None:
        for one in self._not_rejected:
            assert self.watched.spool.reject(one, "400", "no")
        for _ in range(4):
            self.watched.now += 70
            self.sent.update(self.watched.deliver(rounds=1))

    def end(self) -> list[str]:
        """End it, and return what another process finds to deliver."""
        assert self.watched.spool.passed(self.watched.spool.mark())
        assert (self.watched.spool.pending, self.watched.spool.drain()) == (0, [])
        self.watched.spool.close()
        return Watched(self.watched.folder.parent).deliver()


@pytest.mark.parametrize(
    ("error", "count", "first", "sync"),
    [
        (errno.EIO, 1, 0, False),
        (errno.EMFILE, 1, 1, False),
        (errno.ESTALE, 3, 2, False),
        (errno.EROFS, FOR_EVER, 3, False),
        (errno.EIO, 1, 0, True),
        (errno.EIO, FOR_EVER, 1, True),
    ],
)
def test_a_call_that_fails_loses_and_doubles_nothing(
    error: int, count: int, first: int, *, sync: bool, tmp_path: Path, calls: FailingCalls
) -> None:
    """Each fourth call of one life fails, and all of them with some error or other."""
    Life(tmp_path / "all", calls, sync=sync)
    made = list(calls.made)
    for index in range(first, len(made), 4):
        calls.fail(index, count, error)
        life = Life(tmp_path / str(index), calls, sync=sync)

        assert (index, made[index], life.lost, life.twice, life.watched.dropped) == (index, made[index], set(), [], [])
        assert (index, made[index], life.end()) == (index, made[index], [])

    assert len(made) > 250


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS])
def test_what_cannot_be_removed_is_not_sent_again(error: int, tmp_path: Path, calls: FailingCalls) -> None:
    """Nor by the next process, if the journal could be written at some time."""
    for first in range(0, 52, 4):
        calls.fail(first, FOR_EVER, error, ("unlink", "write", "pwrite"))
        life = Life(tmp_path / str(first), calls)

        assert (first, life.lost, life.twice, life.end()) == (first, set(), [], [])
        assert len(calls.made) > first


def test_what_the_disk_did_not_confirm_is_sent_once(tmp_path: Path, calls: FailingCalls) -> None:
    """With SPOOL_SYNC: the event waits in memory, and may be on the disk all the same."""
    watched = Watched(tmp_path / "spool", sync=True)
    watched.put(event(0))
    calls.fail(0, 1, errno.EIO, ("fdatasync",))
    with calls.counting():
        doubtful = watched.put(event(1))
    assert watched.spool.take(1) == doubtful
    watched.spool.settle(doubtful[0])

    assert doubtful[0].id not in watched.deliver()
    assert watched.spool.pending == 0


def test_what_the_disk_is_still_asked_about_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delivery reads it before the disk has failed to confirm it, and does not send it yet."""
    watched = Watched(tmp_path / "spool", sync=True)
    seen: list[list[str]] = []

    def fails(fd: int) -> None:
        seen.append(ids(watched.spool.take(10)))
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fails)
    (doubtful,) = watched.put(event(1))

    assert seen == [[]]
    assert watched.deliver() == [doubtful.id]


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS])
def test_what_is_dropped_but_cannot_be_removed_is_dropped_once(error: int, tmp_path: Path, calls: FailingCalls) -> None:
    """The bound is passed and the disk lets nothing go: it is counted once, and neither again nor delivered."""
    watched = Watched(tmp_path / "spool", max_bytes=16 * 1024, segment_bytes=4 * 1024)
    put = watched.put(*(event(number, filling="x" * 1000) for number in range(40)))
    calls.fail(0, FOR_EVER, error, ("unlink",))
    with calls.counting():
        for _ in range(20):
            watched.tend()
    dropped = [one.id for reason, one in watched.dropped if one is not None]

    assert len(dropped) == len(set(dropped)) > 0
    assert sorted([*dropped, *watched.deliver()]) == ids(put)
