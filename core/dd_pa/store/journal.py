"""What of a segment is settled, written down beside it."""

from __future__ import annotations

import contextlib
import re

from dd_pa.store.directory import Descriptor, Files

_ENTRY = re.compile(rb"\n\+([0-9]{1,15});")
"""An entry that was torn has no semicolon, and the next one begins with a newline of its own."""

_BLOCK = 1 << 20


class Journal:
    """Which records of a segment are settled. Whoever holds its lock, and nobody else, delivers the segment.

    A journal and not a low-water mark: while one old event is tried again for hours, those behind it are settled, and
    are not sent twice after a crash. A segment is small, so the journal never needs to be made smaller.
    """

    def __init__(self, file: Descriptor, files: Files) -> None:
        self.file = file
        self._files = files
        self._unwritten = b""

    def settled(self) -> set[int]:
        """Read the offsets of all records that were settled so far."""
        text, at = b"", 0
        while block := self._files.pread(self.file.fd, _BLOCK, at):
            text, at = text + block, at + len(block)
        return {int(offset) for offset in _ENTRY.findall(text)}

    def settle(self, offset: int) -> None:
        """Note a record as settled. What cannot be noted now (disk full) is with the next one, or by `complete()`."""
        self._unwritten += b"\n+%d;" % offset
        self.complete()

    def complete(self) -> bool:
        """Write what could not be written before; return whether nothing of that kind is left."""
        if not self._unwritten:
            return True
        with contextlib.suppress(OSError):
            if self._files.write(self.file.fd, self._unwritten) == len(self._unwritten):
                self._unwritten = b""
        return not self._unwritten
