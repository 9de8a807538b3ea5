from __future__ import annotations

import contextlib
import functools
import math
import os
import secrets
import time
from collections.abc import Callable, Iterable

from dd_pa.capture.event import BuiltEvent
from dd_pa.process.atomic_counter import Tally, steps
from dd_pa.process.uptime import boot
from dd_pa.store.directory import Descriptor, Directory
from dd_pa.store.record import FORMAT, Header, encode_header


class Segment:
    """A file that this process alone appends to, one `os.write` for each event, from any thread.

    It is locked for as long as this object lives; a writer that holds a reference can write, whoever replaced it.
    """

    __slots__ = ("_file", "_sync", "check_at", "count", "name", "since", "size", "started", "unsure", "until", "write")

    def __init__(self, name: str, file: Descriptor, directory: Directory, started: float | None) -> None:
        self.name = name
        self.started = started
        """When the machine was started, by the wall clock that the events are dated by; None: by several."""

        self._file = file
        self.write = functools.partial(directory.files.write, file.fd)
        self._sync = getattr(directory.files, "fdatasync", directory.files.fsync)
        self.size = file.stat().st_size
        self.count = Tally()
        self.unsure: dict[str, bool] = {}
        """Ids of events that may be in it or not, as the disk has not said so: True while it is asked, and False when
        it has failed and the event is kept elsewhere."""

        self.check_at = -math.inf
        """When the next event is to look whether the file is still there, on the monotonic clock."""

        self.since = self.until = 0
        """An event that occurred outside of these, in epoch milliseconds, looks too: the wall clock was set."""

    def expect_moments(self, tolerance: float) -> None:
        """Take the wall clock for right, within some seconds."""
        now = time.time()
        self.since, self.until = int((now - tolerance) * 1000), int((now + tolerance) * 1000)

    def expects(self, *events: BuiltEvent) -> bool:
        """Tell whether events occurred when the wall clock was what it was at the last look."""
        return all(self.since <= event.occurred_at <= self.until for event in events)

    @property
    def is_linked(self) -> bool:
        """Nobody removed the file."""
        return self._file.fd >= 0 and self._file.stat().st_nlink > 0

    def sync(self) -> None:
        """Wait until what was written would survive a loss of power."""
        self._sync(self._file.fd)

    def write_through(self, data: bytes, ids: Iterable[str]) -> int:
        """Write some events, and wait for the disk; return how many bytes were written.

        Raises `OSError`; the caller is to `doubt()` them then.
        """
        self.unsure.update(dict.fromkeys(ids, True))
        try:
            written: int = self.write(data)
            self.sync()
        except OSError:
            ids = ()
            raise
        finally:
            for sure in ids:
                del self.unsure[sure]
        return written

    def doubt(self, ids: Iterable[str]) -> None:
        """Note that events are kept elsewhere, as they could not be written here, or only seem so."""
        self.unsure.update(dict.fromkeys(ids, False))


class Names:
    """The names of the segments of this process, each of which sorts behind the last, whatever the wall clock does."""

    def __init__(self, wall: Callable[[], int] = time.time_ns) -> None:
        self._wall = wall
        self._turns = steps(0)
        self._last = 0

    def next(self) -> str:
        """Return a name without its ending."""
        self._last = moment = max(self._last, self._wall() // 1_000_000)
        turn = self._turns() & 0xFFFF  # a process can begin several within a millisecond
        return f"{moment:013d}-{os.getpid()}-{turn:04x}{secrets.token_hex(2)}"


new_name = Names().next


def ack_name(name: str) -> str:
    """Return the name of the journal of a segment."""
    return name.removesuffix(".seg") + ".ack"


class SegmentFiles:
    """The files of a new segment, of which nobody can take one before it is published."""

    def __init__(
        self,
        directory: Directory,
        application_id: str,
        intake: str,
        *,
        stem: str | None = None,
        started: float | None = None,
    ) -> None:
        self._directory = directory
        self.started = started
        self._header = Header(
            format=FORMAT,
            application_id=application_id,
            intake=intake,
            created=time.time_ns() // 1_000_000,
            boot="" if started is None else boot(),
            started=started or 0.0,
        )
        self._name = stem or new_name()
        self.file: Descriptor | None = None
        self.ack: Descriptor | None = None
        self.reading: Descriptor | None = None

    def publish(self, *, own_reader: bool, sync: bool, content: bytes = b"") -> Segment:
        """Make the segment, with these records; with `own_reader` its journal too, locked before anybody sees it.

        Raises `OSError`; nothing is left then.
        """
        try:
            if own_reader:
                self.ack = self._locked(f"{self._name}.ack")
            self.file = self._locked(f"{self._name}.new")
            self._write(self.file, encode_header(self._header) + content)
            self.reading = self._directory.open(f"{self._name}.new")
            if sync:
                self._directory.files.fsync(self.file.fd)
            self._directory.rename(f"{self._name}.new", f"{self._name}.seg")
            if sync:
                self._directory.sync()
        except OSError:
            self._remove()
            raise
        return Segment(f"{self._name}.seg", self.file, self._directory, self.started)

    def _locked(self, name: str) -> Descriptor:
        made = self._directory.create(name)
        if not made.lock() or made.stat().st_nlink != 1:
            raise OSError(f"the new file {name} cannot be locked")
        return made

    def _write(self, file: Descriptor, data: bytes) -> None:
        if self._directory.files.write(file.fd, data) != len(data):
            raise OSError("a segment's header could be written in part only")

    def _remove(self) -> None:
        for ending, made in ((".new", self.file), (".seg", self.file), (".ack", self.ack)):
            if made is not None:
                with contextlib.suppress(OSError):
                    self._directory.remove(self._name + ending, made)
