"""Looks into a spool from outside, without being one of those who use it."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dd_pa.store.dead_letters import DeadLetterEntry, entries, settle
from dd_pa.store.deliverer_lock import NAME
from dd_pa.store.destination import REJECTED, Destination
from dd_pa.store.directory import AlienFileError, Directory
from dd_pa.store.record import Header, encode
from dd_pa.store.segment import SegmentFiles
from dd_pa.store.segment_reader import SegmentReader
from dd_pa.store.trusted_directory import UnsafePlaceError, open_place, open_room

_NAME = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The spool of one application and intake."""

    header: Header
    """Whose events it holds."""

    waiting: Directory
    """Where they wait."""

    rejected: Directory
    """Their dead letters."""

    def is_ours(self, header: Header) -> bool:
        return (header.application_id, header.intake) == (self.header.application_id, self.header.intake)

    def entries(self) -> list[DeadLetterEntry]:
        """Return the dead letters, oldest first."""
        return list(entries(self.rejected))

    @property
    def oldest(self) -> int | None:
        """When the oldest segment that waits was begun, in epoch milliseconds."""
        return next((int(name[:13]) for name in self.waiting.names()), None)

    def replay(self, chosen: list[DeadLetterEntry]) -> int:
        """Have dead letters delivered again; return how many. Those that are damaged stay. Raises `OSError`."""
        files = SegmentFiles(self.waiting, self.header.application_id, self.header.intake)
        segment = None
        whole = {id(entry): event for entry in chosen if (event := entry.event(self.header.application_id))}
        if whole:
            segment = files.publish(own_reader=False, sync=False)

        def write(entry: DeadLetterEntry) -> bool:
            event = whole.get(id(entry))
            if event is None or segment is None:
                return False
            record = encode(event.body)
            written: int = segment.write(record)
            segment.sync()
            return written == len(record)

        return settle(self.rejected, chosen, self.is_ours, write)

    def purge(self, chosen: list[DeadLetterEntry]) -> int:
        """Forget dead letters; return how many."""
        return settle(self.rejected, chosen, self.is_ours, lambda entry: True)


def rooms(path: str) -> Iterator[Room]:
    """Yield the spools of a directory. Raises `UnsafePlaceError` if it cannot be trusted, or is not there."""
    if not Path(path).is_dir():
        raise UnsafePlaceError(f"there is no spool at {path!r}")
    place = open_place(path)
    for name in sorted(os.listdir(place.fd)):
        if _NAME.fullmatch(name):
            waiting = Directory(open_room(place, name, path))
            rejected = Directory(open_room(waiting.place, REJECTED, f"{path}/{name}"))
            header = _header(waiting) or _header(rejected)
            if header is not None:
                yield Room(header=header, waiting=waiting, rejected=rejected)


def _header(directory: Directory) -> Header | None:
    for name in directory.names():
        with contextlib.suppress(AlienFileError, FileNotFoundError):
            header = SegmentReader(directory.open(name), directory.files).header()
            if header is not None:
                return header
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolContents:
    """A look at one application's directory."""

    bytes: int
    """On disk, whoever wrote them."""

    segments: int
    """Files that hold events, delivered ones not yet removed among them."""

    oldest: int | None
    """When the oldest segment was begun, in epoch milliseconds."""

    rejected: int
    """Dead letters."""

    is_delivered: bool
    """Whether a `dd-pa deliver` runs."""

    path: str
    """The directory."""

    @property
    def age(self) -> float | None:
        """Seconds since the oldest segment was begun; None if there is none."""
        return None if self.oldest is None else max(0.0, time.time() - self.oldest / 1000)


def look_into(destination: Destination) -> SpoolContents:
    """Look, and make the directory if it is missing. Raises `UnsafePlaceError`, `AlienFileError`, `OSError`."""
    directory = destination.directory()
    names = directory.names()
    return SpoolContents(
        bytes=sum(directory.sizes().values()),
        segments=len(names),
        oldest=int(names[0][:13]) if names else None,
        rejected=sum(1 for _ in entries(destination.rejected())),
        is_delivered=_is_delivered(directory),
        path=destination.path,
    )


def _is_delivered(directory: Directory) -> bool:
    return not directory.open_or_create(NAME).lock_shared()  # let go at once: nobody keeps the descriptor
