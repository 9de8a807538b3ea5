from __future__ import annotations

import contextlib
import os
import re

from dd_pa.store.descriptor import Descriptor
from dd_pa.store.files import Files

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
        self._write = files.write

    def settled(self) -> set[int]:
        """Read the offsets of all records that were settled so far."""
        text, at = b"", 0
        while block := os.pread(self.file.fd, _BLOCK, at):
            text, at = text + block, at + len(block)
        return {int(offset) for offset in _ENTRY.findall(text)}

    def settle(self, offset: int) -> None:
        """Note a record as settled. What cannot be noted (disk full) is sent once more after a crash."""
        with contextlib.suppress(OSError):
            self._write(self.file.fd, b"\n+%d;" % offset)
