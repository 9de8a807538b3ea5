from __future__ import annotations

import errno
import os
from collections import deque

from dd_pa.process.uptime import boot
from dd_pa.store.directory import BLOCK as PAGE
from dd_pa.store.directory import Descriptor, Files
from dd_pa.store.record import MAX_LINE, Header, Line, decode_header

BLOCK = 64 * 1024
PATIENCE = 64
"""Blocks that are read for one line before others get their turn."""

MAX_HEADER = 4096


class SegmentReader:
    """Reads the lines of a segment in bounded memory, also while it is written."""

    def __init__(self, file: Descriptor, files: Files = os) -> None:
        self.file = file
        self.read_to = 0
        """Offset behind the blocks that were read."""

        self._files = files
        self._lines: deque[Line] = deque()
        self._tail = b""
        self._skipping = False
        self.writer_gone = False
        """Nothing will be appended any more."""

        self.unreadable = False
        """Some of it could not be read and was passed over: what is unsettled there is still on the disk."""

        self._ended = False
        self._block = BLOCK
        self.started: float | None = None
        """When the machine was started, by the wall clock that the events are dated by; None: nobody knows."""

    def header(self) -> Header | None:
        """Return the header, or None if the file is no segment of this format."""
        line, newline, _ = self._files.pread(self.file.fd, MAX_HEADER, 0).partition(b"\n")
        header = decode_header(line) if newline else None
        if header is not None and header.boot:
            self.started = header.started if header.boot == boot() else None
        return header

    @property
    def position(self) -> int:
        """Offset of the first line that was not returned."""
        return self._lines[0].offset if self._lines else self.read_to - len(self._tail)

    @property
    def size(self) -> int:
        """Bytes of the file; what was read of it, when it is closed."""
        return self.file.stat().st_size if self.file.fd >= 0 else self.read_to

    @property
    def size_at_least(self) -> int:
        """Bytes of the file; one more than was read of it if the disk does not tell: who knows what is there."""
        try:
            return self.size
        except OSError:
            return self.read_to + 1

    @property
    def at_end(self) -> bool:
        """Every line was returned. Without a writer nothing more will come."""
        return not self._lines and (self._ended or self.read_to >= self.size_at_least)

    def look_for_writer(self) -> bool:
        """Find out whether the writer is gone; a lock tells, as it ends with its process."""
        if not self.writer_gone:
            self.writer_gone = self.file.lock_shared()
        return self.writer_gone

    def next_line(self) -> Line | None:
        """Return the next whole line, or None if there is none now. An empty one is never returned.

        Raises `OSError`.
        """
        for _ in range(PATIENCE):
            if self._lines:
                return self._lines.popleft()
            if not self._read_block():
                return None
        return None

    def put_back(self, line: Line) -> None:
        """Have the line that was returned last returned again."""
        self._lines.appendleft(line)

    def _read_block(self) -> bool:
        start = self.read_to - len(self._tail)
        gone = self.writer_gone  # before the read: what it wrote last is seen then
        data: bytes = self._files.pread(self.file.fd, self._block, self.read_to)
        self._ended = gone and not data
        self.read_to += len(data)
        if self._skipping:
            skipped, newline, rest = data.partition(b"\n")
            self._skipping = not newline
            start, self._tail = start + len(skipped) + len(newline), rest
        else:
            self._tail += data
        self._split(start)
        return bool(data)

    def _split(self, start: int) -> None:
        *pieces, self._tail = self._tail.split(b"\n")
        for piece, following in zip(pieces, [*pieces, self._tail][1:], strict=True):
            if piece:
                self._lines.append(Line(start, piece, bool(following)))
            start += len(piece) + 1
        if len(self._tail) > MAX_LINE:  # its beginning will do to see that it is no record
            self._lines.append(Line(start, self._tail[:BLOCK], torn=False))
            self._skipping, self._tail = True, b""

    def pass_over(self, error: OSError) -> bool:
        """Go on behind a page that cannot be read, after smaller pieces were tried; return whether one was left out."""
        size = self.size_at_least
        if error.errno != errno.EIO or self.read_to >= size:
            return False
        if self._block != PAGE:
            self._block = PAGE
            return False
        end = (self.read_to // PAGE + 1) * PAGE
        if not self.writer_gone and end > size:  # more is being written to this page: what comes must not be missed
            return False
        self.unreadable = self._skipping = True
        self.read_to = end
        self._tail = b""
        return True
