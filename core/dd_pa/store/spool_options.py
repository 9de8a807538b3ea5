from __future__ import annotations

import msgspec


class SpoolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a spool is used by this process."""

    max_bytes: int
    """Most bytes on disk, for all processes of the destination."""

    sync: bool = False
    """Wait for the disk at each event, so that a loss of power loses none."""

    reads: bool = True
    """False: another process delivers, this one only what waits in its memory while the disk fails."""

    for_all: bool = False
    """A flush waits for the events of other processes too."""

    drop_newest: bool = False
    """Refuse events when the spool is full, instead of removing the oldest segment."""

    segment_bytes: int | None = None
    """Size at which a new segment is begun; None: by `max_bytes`."""


def default_segment_bytes(max_bytes: int) -> int:
    """Return when to begin a new segment: a 64th of the spool, so that dropping the oldest drops little."""
    return max(max_bytes // 64, min(16 * 1024, max_bytes // 4))
