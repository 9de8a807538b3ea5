"""Removes what a process leaves when it is killed between two steps."""

from __future__ import annotations

import contextlib
import os
import re
import time

from dd_pa.store.directory import AlienFileError, Directory

_LEFT = re.compile(r"([0-9]{13}-[0-9]+-[0-9a-f]{8})\.(?:new|ack)")

AGE = 60.0
"""Seconds for which a file is left alone: its maker may be between two steps."""


def sweep(directory: Directory) -> None:
    """Remove segments that were never published, and journals without a segment."""
    for name in os.listdir(directory.place.fd):
        left = _LEFT.fullmatch(name)
        if left is not None:
            with contextlib.suppress(AlienFileError, FileNotFoundError):
                _remove(directory, name, f"{left[1]}.seg")


def _remove(directory: Directory, name: str, segment: str) -> None:
    if directory.has(segment):
        return
    file = directory.open(name)
    is_old = time.time() - file.stat().st_mtime > AGE
    if is_old and file.lock() and not directory.has(segment):
        directory.remove(name, file)
