"""Looks into a spool from outside, without being one of those who use it."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dd_pa.store.dead_letters import DeadLetterEntry, entries, settle, settled_of
from dd_pa.store.deliverer_lock import NAME
from dd_pa.store.destination import REJECTED, Destination
from dd_pa.store.directory import AlienFileError, Directory
from dd_pa.store.record import DamagedRecordError, Header, checked_body, encode, event_of
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
        """When the oldest event that waits occurred, in epoch milliseconds."""
        return _oldest(self.waiting)

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
    """When the oldest event that waits occurred, in epoch milliseconds."""

    rejected: int
    """Dead letters."""

    is_delivered: bool
    """Whether a `dd-pa deliver` runs."""

    path: str
    """The directory."""

    @property
    def age(self) -> float | None:
        """Seconds since the oldest event that waits occurred; None if none waits."""
        return None if self.oldest is None else max(0.0, time.time() - self.oldest / 1000)


def look_into(destination: Destination) -> SpoolContents:
    """Look, and make the directory if it is missing. Raises `UnsafePlaceError`, `AlienFileError`, `OSError`."""
    directory = destination.directory()
    return SpoolContents(
        bytes=sum(directory.sizes().values()),
        segments=len(directory.names()),
        oldest=_oldest(directory),
        rejected=sum(1 for _ in entries(destination.rejected())),
        is_delivered=_is_delivered(directory),
        path=destination.path,
    )


def _oldest(directory: Directory) -> int | None:
    """Return when the oldest event occurred that is not settled, in epoch milliseconds.

    A process keeps its segment for as long as it lives, so the age of the file says nothing. What was begun after an
    event that waits has none that is older, so only the first files are read.
    """
    oldest: int | None = None
    for name in directory.names():
        if oldest is not None and int(name[:13]) > oldest:
            break
        with contextlib.suppress(AlienFileError, FileNotFoundError):  # delivered meanwhile
            found = _first_left(directory, name)
            oldest = found if oldest is None or (found is not None and found < oldest) else oldest
    return oldest


def _first_left(directory: Directory, name: str) -> int | None:
    """Return when the first event of a segment occurred that is not settled; None if there is none."""
    reader = SegmentReader(directory.open(name), directory.files)
    header = reader.header()
    if header is None:
        return None
    settled = settled_of(directory, name)  # before the lines: what is settled meanwhile may still show
    while (line := reader.next_line()) is not None:
        if line.offset and line.offset not in settled:
            with contextlib.suppress(DamagedRecordError):
                return event_of(checked_body(line.data), header.application_id).occurred_at
    return None


def _is_delivered(directory: Directory) -> bool:
    return not directory.open_or_create(NAME).lock_shared()  # let go at once: nobody keeps the descriptor
