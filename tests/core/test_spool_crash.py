"""Every crash point: the file operations of a spool are recorded, and replayed up to each one, torn and reordered.

From wherever it stopped, the next process delivers each event whose `put()` had returned and that was not settled,
starts, and comes to an end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dd_pa.capture.event import BuiltEvent
from tests.core.spools import Watched, event, events

ROOMS = ("rejected", "janitor")


class Operation(NamedTuple):
    """One call that changed the disk, or a note of what was promised by then."""

    kind: str
    name: str
    data: bytes = b""
    new: str = ""


class Recorder:
    """The `os` calls of a spool, carried out and written down."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._names: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        """Carry out what changes nothing."""
        return getattr(os, name)

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """Open, and note what is made by it."""
        fd = os.open(path, flags, mode, dir_fd=dir_fd)
        place = Path(os.readlink(f"/proc/self/fd/{dir_fd}")).name
        if path == ".":
            return fd
        self._names[fd] = f"{place}/{path}" if place in ROOMS else path
        if flags & os.O_CREAT:
            self.operations.append(Operation("create", self._names[fd]))
        return fd

    def write(self, fd: int, data: bytes, /) -> int:
        """Write, and note it under the name that the file was opened by."""
        self.operations.append(Operation("write", self._names[fd], bytes(data)))
        return os.write(fd, data)

    def rename(self, src: str, dst: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        """Rename."""
        place = Path(os.readlink(f"/proc/self/fd/{src_dir_fd}")).name
        room = f"{place}/" if place in ROOMS else ""
        self.operations.append(Operation("rename", room + src, new=room + dst))
        self._names = {fd: room + dst if name == room + src else name for fd, name in self._names.items()}
        os.rename(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def unlink(self, path: str, *, dir_fd: int | None = None) -> None:
        """Remove."""
        place = Path(os.readlink(f"/proc/self/fd/{dir_fd}")).name
        self.operations.append(Operation("unlink", f"{place}/{path}" if place in ROOMS else path))
        os.unlink(path, dir_fd=dir_fd)

    def note(self, kind: str, event: BuiltEvent) -> None:
        """Write down that an event was promised, sent or settled."""
        self.operations.append(Operation(kind, event.id))


def record(path: Path) -> list[Operation]:
    """Return the operations of a process that puts, rotates, delivers, rejects and ends."""
    recorder = Recorder()
    watched = Watched(path, files=recorder, segment_bytes=700)
    for number in range(12):
        one = event(number)
        watched.put(one)
        recorder.note("promised", one)
        if number in (5, 9):
            for taken in watched.spool.take(4)[1:]:
                recorder.note("sent", taken)
                watched.spool.settle(taken)
            watched.tend()
    for number, taken in enumerate(watched.spool.take(20)):
        recorder.note("sent", taken)
        if number % 2:
            recorder.note("rejected", taken)
            watched.spool.reject(taken, "400", "no")
        else:
            watched.spool.settle(taken)
        watched.tend()
    watched.spool.close()
    return recorder.operations


class Disk:
    """Files as they are after some operations."""

    def __init__(self, operations: list[Operation]) -> None:
        self.files: dict[str, bytes] = {}
        for operation in operations:
            self.do(operation)

    def do(self, operation: Operation) -> None:
        """Carry out one operation; what has no file any more is lost."""
        match operation:
            case Operation("create", name):
                self.files.setdefault(name, b"")
            case Operation("write", name, data) if name in self.files:
                self.files[name] += data
            case Operation("rename", name, new=new) if name in self.files:
                self.files[new] = self.files.pop(name)
            case Operation("unlink", name):
                self.files.pop(name, None)

    def lay_out(self, path: Path) -> None:
        """Make the files below a directory."""
        for room in ROOMS:
            (path / room).mkdir(parents=True, mode=0o700)
        path.parent.chmod(0o700)
        path.chmod(0o700)
        for name, data in self.files.items():
            (path / name).write_bytes(data)


def named(operations: list[Operation], kind: str) -> set[str]:
    """Return the events of the notes of one kind."""
    return {operation.name for operation in operations if operation.kind == kind}


def torn(operations: list[Operation]) -> Iterator[list[Operation]]:
    """Yield the operations, and the same with the last write cut at several places."""
    yield operations
    if operations and operations[-1].kind == "write":
        *before, last = operations
        for size in {0, 1, len(last.data) // 2, len(last.data) - 1}:
            yield [*before, last._replace(data=last.data[:size])]


def recover(path: Path, operations: list[Operation]) -> Watched:
    """Return what a process finds that starts on the disk as the operations left it."""
    watched = Watched(path)
    Disk(operations).lay_out(path / watched.destination.name)
    return watched


def test_every_stop_is_recovered_from(tmp_path: Path) -> None:
    """A kill after any operation, whole or torn, loses no promised event; at most what was in flight comes twice."""
    operations = record(tmp_path / "recorded")
    stops = 0
    for end in range(len(operations) + 1):
        for number, stopped in enumerate(torn(operations[:end])):
            stops += 1
            watched = recover(tmp_path / f"{end}-{number}", stopped)
            delivered = watched.deliver()
            promised, sent = named(stopped, "promised"), named(stopped, "sent")
            missing = promised - sent - set(delivered)
            assert (end, number, missing) == (end, number, set())
            assert len(sent & set(delivered)) <= 1
            assert len(delivered) == len(set(delivered))
            assert watched.dropped == []
            assert [name for name in watched.files if name == ".seg"] == []
            watched.put(event())
            watched.spool.close()

    assert stops > 150


def test_a_rejected_event_is_among_the_dead_letters_before_it_is_settled(tmp_path: Path) -> None:
    """From no stop on is a rejected event in neither place."""
    operations = record(tmp_path / "recorded")
    for end in range(len(operations) + 1):
        stopped = operations[:end]
        disk = Disk(stopped)
        dead = b"".join(data for name, data in disk.files.items() if name.startswith("rejected/"))
        watched = recover(tmp_path / str(end), stopped)
        kept = set(watched.deliver())
        rejected = named(stopped, "rejected")

        assert [one for one in rejected if one not in kept and one.encode() not in dead] == []
        watched.spool.close()

    assert len(named(operations, "rejected")) > 1


def without_power(operations: list[Operation], index: int) -> Iterator[tuple[list[Operation], int | None]]:
    """Yield what a loss of power can leave of a write, and how many events that may cost (None: all of the file's)."""
    lost = operations[index]
    yield [*operations[:index], lost._replace(data=bytes(len(lost.data))), *operations[index + 1 :]], 1
    stem = lost.name.rpartition(".")[0]
    later = [one for one in operations[index + 1 :] if one.kind != "write" or one.name.rpartition(".")[0] != stem]
    yield [*operations[:index], *later], None


def test_a_loss_of_power_loses_no_more_than_what_was_not_on_the_disk(tmp_path: Path) -> None:
    """A write can come as zeros, or be missing with all behind it: nothing damaged is sent, nothing comes twice."""
    operations = record(tmp_path / "recorded")
    writes = [index for index, one in enumerate(operations) if one.kind == "write"]
    for index in writes:
        for number, (left, cost) in enumerate(without_power(operations, index)):
            for end in range(index + 1, len(left) + 1, 9):
                watched = recover(tmp_path / f"{index}-{number}-{end}", left[:end])
                delivered = watched.deliver()
                missing = named(left[:end], "promised") - named(left[:end], "sent") - set(delivered)
                is_header = operations[index].name.endswith(".new")
                assert (index, end, set(delivered) - named(operations, "promised")) == (index, end, set())
                assert len(delivered) == len(set(delivered))
                assert cost is None or is_header or len(missing) <= cost
                watched.spool.close()


class Processes(RuleBasedStateMachine):
    """Processes that put, take, settle, fall over and come back, in any order, over one directory."""

    def __init__(self) -> None:
        super().__init__()
        self.promised: set[str] = set()
        self.settled: list[str] = []
        self.in_flight: dict[int, list[BuiltEvent]] = {}
        self.doubled = 0

    @initialize()
    def begin(self) -> None:
        """Start two processes."""
        self.folder = tempfile.mkdtemp()
        self.alive = [self.start(), self.start()]

    def start(self) -> Watched:
        """Start a process."""
        return Watched(Path(self.folder) / "spool", segment_bytes=700)

    @rule(who=st.integers(0, 1), count=st.integers(1, 4))
    def put(self, who: int, count: int) -> None:
        """Track some events."""
        for one in events(count):
            assert self.alive[who].spool.put(one)
            self.promised.add(one.id)

    @rule(who=st.integers(0, 1), limit=st.integers(1, 5))
    def take(self, who: int, limit: int) -> None:
        """Send some events."""
        self.in_flight.setdefault(who, []).extend(self.alive[who].spool.take(limit))

    @rule(who=st.integers(0, 1), which=st.integers(0, 9))
    def settle(self, who: int, which: int) -> None:
        """Get an answer to one of them."""
        flying = self.in_flight.get(who, [])
        if flying:
            one = flying.pop(which % len(flying))
            self.settled.append(one.id)
            self.alive[who].spool.settle(one)

    @rule(who=st.integers(0, 1))
    def tend(self, who: int) -> None:
        """Let a second pass."""
        self.alive[who].tend()

    @rule(who=st.integers(0, 1), in_order=st.booleans())
    def end(self, who: int, *, in_order: bool) -> None:
        """End a process, in order or by a kill, which closes its descriptors and does no more."""
        self.doubled += len(self.in_flight.pop(who, []))
        if in_order:
            self.alive[who].spool.close()
        else:
            self.alive[who].kill()
        self.alive[who] = self.start()

    @rule(who=st.integers(0, 1))
    def restart_delivery(self, who: int) -> None:
        """The delivery failed and begins again."""
        self.doubled += len(self.in_flight.pop(who, []))
        self.alive[who].spool.reclaim()

    @invariant()
    def nothing_is_dropped(self) -> None:
        """No event is given up, whatever happens."""
        assert [watched.dropped for watched in getattr(self, "alive", [])] in ([], [[], []])

    def teardown(self) -> None:
        """Kill both; a third process delivers all that was promised and not settled, and cleans up."""
        if not hasattr(self, "alive"):
            return
        for watched in self.alive:
            watched.kill()
        last = self.start()
        folder = last.folder.parent
        rest = last.deliver(rounds=12)

        assert self.promised - set(self.settled) == set(rest) - (set(rest) & set(self.settled))
        assert len(set(rest) & set(self.settled)) == 0
        assert len(self.settled) == len(set(self.settled))
        assert [name for name in last.files if name == ".seg"] == []
        last.spool.close()
        shutil.rmtree(folder)


Processes.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestProcesses = Processes.TestCase
TestProcesses.__doc__ = "Whatever processes do, each promised event is settled by one of them, once."
