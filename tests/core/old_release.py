"""What the release before the janitor does with a spool, by itself: frozen, so that nothing here changes with the code.

A process of it writes segments, takes the oldest of what nobody holds each second, settles in the journal, and removes
segments before journals.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from pathlib import Path
from typing import Any
from zlib import crc32

HEADER = b'{"format":1,"application_id":"shop","intake":"https://intake.example.com","created":1795450898269}\n'
MOST_HELD = 16
RECORD = re.compile(rb"\n([0-9a-f]{8}) ([^\n]+)(?=\n)")
_SETTLED = re.compile(rb"\n\+([0-9]{1,15});")


def body(event_id: str, moment: int) -> bytes:
    """Return an event as that release encodes it."""
    return (
        b'{"event":{"name":"order.placed","category":"server"},"application":{"id":"shop"},"usr":{"id":"u"},'
        b'"dd_pa":{"event_id":"%b","occurred_at":%d},"number":1}' % (event_id.encode(), moment)
    )


class OldProcess:
    """A process of that release; its files are closed, and so its locks gone, with `kill()`."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.held: dict[str, tuple[int, int]] = {}
        """Descriptors of segment and journal, by the segments' names."""

        self._number, self._written = number, 0
        self._writing: tuple[str, int] | None = None
        self._taken: dict[str, tuple[str, int]] = {}

    def put(self, event_id: str) -> None:
        """Track an event."""
        if self._writing is None:
            self._begin()
        assert self._writing is not None
        made = body(event_id, time.time_ns() // 1_000_000)
        os.write(self._writing[1], b"\n%08x %b\n" % (crc32(made), made))

    def _begin(self) -> None:
        stem = f"{time.time_ns() // 1_000_000:013d}-{900_000 + self._number}-{self._written:08x}"
        self._written += 1
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL
        ack = os.open(self.folder / f"{stem}.ack", flags, 0o600)
        fcntl.flock(ack, fcntl.LOCK_EX)
        file = os.open(self.folder / f"{stem}.new", flags, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.write(file, HEADER)
        reading = os.open(self.folder / f"{stem}.new", os.O_RDONLY)
        (self.folder / f"{stem}.new").rename(self.folder / f"{stem}.seg")
        self.held[f"{stem}.seg"] = reading, ack
        self._writing = f"{stem}.seg", file

    def rotate(self) -> None:
        """Write to another segment from now on."""
        if self._writing is not None:
            os.close(self._writing[1])
            self._writing = None

    def scan(self) -> None:
        """Remove what is finished, and adopt what nobody holds."""
        for name, (reading, _) in list(self.held.items()):
            on_its_way = any(where == name for where, _ in self._taken.values())
            if _try(reading, fcntl.LOCK_SH) and not on_its_way and not self._left(name):
                self._remove(name)
        for path in sorted(self.folder.glob("*.seg")):
            if len(self.held) < MOST_HELD and path.name not in self.held:
                self._adopt(path)

    def _remove(self, name: str) -> None:
        for path in (self.folder / name, (self.folder / name).with_suffix(".ack")):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        for fd in self.held.pop(name):
            os.close(fd)

    def _adopt(self, path: Path) -> None:
        try:
            reading = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return
        ack = os.open(path.with_suffix(".ack"), os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        whole = _try(ack, fcntl.LOCK_EX) and path.exists() and _is_at(ack, path.with_suffix(".ack"))
        if whole and os.pread(reading, 4096, 0).startswith(b'{"format":1,"application_id":"shop"'):
            self.held[path.name] = reading, ack
        else:
            os.close(reading)
            os.close(ack)

    def _left(self, name: str) -> list[tuple[int, str]]:
        reading, ack = self.held[name]
        settled = {int(offset) for offset in _SETTLED.findall(os.pread(ack, 1 << 24, 0))}
        found = []
        for record in RECORD.finditer(os.pread(reading, 1 << 24, 0)):
            offset = record.start() + 1
            if offset not in settled and int(record[1], 16) == crc32(record[2]):
                event: dict[str, Any] = json.loads(record[2])
                found.append((offset, str(event["dd_pa"]["event_id"])))
        return found

    def take(self, limit: int) -> list[str]:
        """Return the ids of events to send."""
        taken: list[str] = []
        for name in sorted(self.held):
            for offset, event_id in self._left(name):
                if event_id not in self._taken and len(taken) < limit:
                    self._taken[event_id] = name, offset
                    taken.append(event_id)
        return taken

    def settle(self, event_id: str) -> None:
        """Note an event as delivered."""
        name, offset = self._taken.pop(event_id)
        os.write(self.held[name][1], b"\n+%d;" % offset)

    def kill(self) -> None:
        """Do no more than the kernel does."""
        self.rotate()
        for fds in self.held.values():
            for fd in fds:
                os.close(fd)
        self.held.clear()
        self._taken.clear()


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
