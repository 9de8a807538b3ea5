"""One process keeps a directory in order: what it costs, what it drops, what a fault of one file does, who it is."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dd_pa.store.directory import Descriptor
from dd_pa.store.record import FORMAT, Header, encode, encode_header
from tests.core.spools import INTAKE, Watched, event, events, ids


class Counted:
    """The calls of `os`; how many there were, and an error for those that `fails` picks."""

    def __init__(
        self, fails: Callable[[str, tuple[Any, ...]], bool] = lambda name, values: False, error: int = errno.EIO
    ) -> None:
        self.calls = 0
        self._error = error
        self._fails = fails

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)

        def call(*values: Any, **options: Any) -> Any:
            self.calls += 1
            if self._fails(name, values):
                raise OSError(self._error, os.strerror(self._error))
            return real(*values, **options)

        return call


def orphans(path: Path, count: int) -> list[str]:
    """Leave so many segments of one event each; return the ids, sorted."""
    folder = Watched(path).folder
    made = events(count)
    for number, one in enumerate(made):
        header = Header(format=FORMAT, application_id="shop", intake=INTAKE, created=0)
        name = f"{1_700_000_000_000 + number}-1-{number:08x}.seg"
        (folder / name).write_bytes(encode_header(header) + encode(one.body))
    return ids(made)


def most_calls(path: Path, count: int) -> int:
    """Return the most calls that one look took, with so many orphans."""
    orphans(path, count)
    files = Counted()
    watched = Watched(path, files=files)
    most = 0
    for _ in range(8):
        before = files.calls
        watched.tend()
        most = max(most, files.calls - before)
    watched.spool.close()
    return most


def test_a_look_costs_the_same_whatever_waits(tmp_path: Path) -> None:
    """Ten times the orphans take hardly more calls at a time."""
    assert most_calls(tmp_path / "many", 1300) <= most_calls(tmp_path / "some", 130) + 1100


def test_all_but_one_look_at_their_own_segments_only(tmp_path: Path) -> None:
    """What an idle process does each second does not depend on its neighbours."""
    janitor, files = Watched(tmp_path / "spool"), Counted()
    neighbours = [Watched(tmp_path / "spool") for _ in range(30)]
    idle = Watched(tmp_path / "spool", files=files)
    for one in (janitor, *neighbours, idle):
        one.put(event())
        one.tend()
    before = files.calls
    idle.tend()

    assert files.calls - before <= 6


def test_orphans_leave_as_fast_as_they_are_taken(tmp_path: Path) -> None:
    """No look for more of them stands between two, and few files are open."""
    expected = orphans(tmp_path / "spool", 300)
    before = len(os.listdir("/proc/self/fd"))
    watched = Watched(tmp_path / "spool")
    watched.tend()
    watched.tend()
    delivered = []
    while taken := watched.spool.take(50):
        assert len(os.listdir("/proc/self/fd")) < before + 280
        for one in taken:
            watched.spool.settle(one)
        delivered += ids(taken)

    assert sorted(delivered) == expected
    assert watched.files == []


def test_an_orphan_costs_the_same_whatever_is_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done for one of them does not depend on how many others there are, or are held."""
    fstat, files = os.fstat, Counted()

    def counted(fd: int) -> os.stat_result:
        files.calls += 1
        return fstat(fd)

    def calls(path: Path, count: int, at_once: int) -> float:
        orphans(path, count)
        watched, before = Watched(path, files=files), files.calls
        watched.tend()
        watched.tend()
        while taken := watched.spool.take(at_once):
            for one in taken:
                watched.spool.settle(one)
        assert watched.segments() == []
        return (files.calls - before) / count

    monkeypatch.setattr(os, "fstat", counted)

    assert calls(tmp_path / "many", 1000, 100) <= calls(tmp_path / "few", 50, 5) + 2 <= 26


def test_own_events_go_beside_a_backlog(tmp_path: Path) -> None:
    """A short script delivers what it tracked, however much others left."""
    orphans(tmp_path / "spool", 200)
    watched = Watched(tmp_path / "spool")
    [own] = watched.put(event())
    watched.tend()

    assert own.id in ids(watched.spool.take(2))


@pytest.mark.parametrize("call", [pytest.param("open", id="open"), pytest.param("pread", id="read")])
def test_a_file_that_fails_stops_nothing_else(call: str, tmp_path: Path) -> None:
    """The others are delivered, and the bound is kept; the failing one is left alone, and said."""
    expected = orphans(tmp_path / "spool", 5)
    bad = Watched(tmp_path / "spool").segments()[1]
    number = bad.stat().st_ino

    def fails(name: str, values: tuple[Any, ...]) -> bool:
        if name != call:
            return False
        return values[0] == bad.name if name == "open" else os.fstat(values[0]).st_ino == number

    watched = Watched(tmp_path / "spool", files=Counted(fails), max_bytes=200_000, segment_bytes=10_000)

    assert len(set(watched.deliver(rounds=8)) & set(expected)) == 4
    for number_ in range(600):
        watched.put(event(number_, blob="x" * 900))
        watched.tend()
    assert watched.spool.bytes <= 200_000
    assert bad.exists()
    assert any(bad.name in said for said in watched.said)


def test_a_page_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """What lies behind it is delivered; the segment stays, as what is in the page may be read another day."""
    gone = Watched(tmp_path / "spool")
    put = gone.put(*(event(number, blob="x" * 900) for number in range(40)))
    [segment] = gone.segments()
    gone.kill()

    def fails(name: str, values: tuple[Any, ...]) -> bool:
        return name == "pread" and values[1] <= 1 << 16 and values[2] <= 12_300 < values[2] + values[1]

    watched = Watched(tmp_path / "spool", files=Counted(fails))
    delivered = watched.deliver(rounds=30)

    assert 30 <= len(delivered) < len(put)
    assert segment.exists()
    watched.kill()
    assert sorted(delivered + Watched(tmp_path / "spool").deliver()) == ids(put)


def test_no_more_is_dropped_than_there_is_too_much(tmp_path: Path) -> None:
    """Segments that a living process holds are dropped by it, for the janitor asks; each by one, and once."""
    options: dict[str, Any] = {"max_bytes": 640_000, "segment_bytes": 80_000}
    first, *others = workers = [Watched(tmp_path / "spool", **options) for _ in range(4)]
    first.tend()
    for number in range(4):
        for worker in (*others, first):
            worker.put(*(event(number, blob="x" * 900) for _ in range(80)))
    size = sum(path.stat().st_size for path in first.segments())
    for _ in range(4):
        for worker in workers:
            worker.tend()
    left = sum(path.stat().st_size for path in first.segments())

    assert size > 640_000 >= left > 640_000 - 3 * 88_000
    assert sum(len(worker.dropped) for worker in others) > 0


def test_one_that_cannot_deliver_makes_way(tmp_path: Path) -> None:
    """Its orphans go to a process that can, those that were on their way as soon as they are handed back."""
    expected = orphans(tmp_path / "spool", 40)
    sick, well = Watched(tmp_path / "spool"), Watched(tmp_path / "spool")
    sick.tend()
    tried = sick.spool.take(10)
    sick.healthy = False
    while not sick.spool.recalls:
        well.tend()
        sick.tend()

    assert all(sick.spool.hand_back(one) for one in tried)
    assert well.deliver(rounds=8) == expected
    assert (sick.spool.pending, sick.spool.balance, sick.dropped) == (0, 0, [])


def test_a_round_that_fails_forgets_no_orphan(tmp_path: Path) -> None:
    """Without descriptors nothing can be looked at for a while; what became nobody's meanwhile is found afterwards."""
    scarce: list[bool] = []

    def fails(name: str, values: tuple[Any, ...]) -> bool:
        return bool(scarce) and name == "open" and str(values[0]).endswith(".ack")

    janitor, other = Watched(tmp_path / "spool", files=Counted(fails, errno.EMFILE)), Watched(tmp_path / "spool")
    janitor.put(event(1))
    left = [one.id for one in other.put(event(2), event(3))]
    delivered = janitor.deliver()
    other.kill()
    scarce.append(True)
    for _ in range(10):
        janitor.tend()
    scarce.clear()

    assert not set(left) & set(delivered)
    assert janitor.deliver(rounds=12) == sorted(left)


def test_an_event_after_the_end_is_on_the_disk(tmp_path: Path) -> None:
    """The next process delivers it."""
    watched = Watched(tmp_path / "spool")
    watched.put(event(1))
    watched.deliver()
    watched.spool.close()
    late = event(2)

    assert watched.spool.keep(late)
    assert Watched(tmp_path / "spool").deliver() == [late.id]


def test_a_rejected_event_stays_while_it_cannot_be_set_aside(tmp_path: Path) -> None:
    """A full disk loses none: it is neither settled nor gone, and comes again with the next process."""
    armed: list[bool] = []
    files = Counted(lambda name, values: bool(armed) and name == "open" and values[1] & os.O_CREAT != 0)
    watched = Watched(tmp_path / "spool", files=files)
    [put] = watched.put(event())
    [taken] = watched.spool.take(1)
    armed.append(True)

    assert not watched.spool.reject(taken, "400", "no")
    assert watched.spool.pending == 1
    watched.kill()
    assert Watched(tmp_path / "spool").deliver() == [put.id]


def test_a_torn_end_holds_no_flush_up(tmp_path: Path) -> None:
    """A record that was cut short is not waited for."""
    watched = Watched(tmp_path / "spool")
    watched.put(event(1))
    watched.deliver(rounds=1)
    with watched.segments()[0].open("ab") as file:
        file.write(b"\n01234567 {")
    watched.spool._writer.close()
    watched.spool.take(1)

    assert watched.spool.passed(watched.spool.mark())


def test_no_fork_comes_between_a_descriptor_and_its_registration(tmp_path: Path) -> None:
    """A child of any thread has none of them open, whenever the fork comes."""
    path = tmp_path / "file"
    path.touch()
    found: list[int] = []

    def fork() -> None:
        if (pid := os.fork()) == 0:
            os._exit(str(path) in {os.path.realpath(f"/proc/self/fd/{fd}") for fd in range(3, 64)})
        found.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    forking = threading.Thread(target=fork)

    def opened() -> int:
        fd = os.open(path, os.O_RDONLY)
        forking.start()
        forking.join(0.2)  # it cannot end before this has
        return fd

    descriptor = Descriptor(opened)
    forking.join()

    assert (found, descriptor.fd >= 0) == ([0], True)


def test_no_fork_comes_while_a_descriptor_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child would have it open, with its lock, and not know."""
    path, close = tmp_path / "file", os.close
    path.touch()
    descriptor = Descriptor(lambda: os.open(path, os.O_RDONLY))
    number, found = descriptor.fd, list[int]()

    def fork() -> None:
        if (pid := os.fork()) == 0:
            os._exit(str(path) in {os.path.realpath(f"/proc/self/fd/{fd}") for fd in range(3, 64)})
        found.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    forking = threading.Thread(target=fork)

    def closing(fd: int) -> None:
        if fd == number and not forking.ident:
            forking.start()
            forking.join(0.2)  # it cannot end before this has
        close(fd)

    monkeypatch.setattr(os, "close", closing)
    descriptor.close()
    forking.join()

    assert found == [0]
