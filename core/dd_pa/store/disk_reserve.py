"""How much of the disk a spool leaves free for others."""

from __future__ import annotations

from dd_pa.store.directory import Directory

RESERVE, PART = 64 * 1024 * 1024, 20
"""Bytes of the file system that are left to others, or a twentieth of a small one."""


def keep_reserve(directory: Directory) -> None:
    """Raise `OSError` if no more may be written there."""
    free, total = directory.free
    if free < min(RESERVE, total // PART):
        raise OSError(f"the disk is almost full; {free:,} bytes are left to others")
