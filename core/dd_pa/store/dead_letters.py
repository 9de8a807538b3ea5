"""Events that will never be delivered, kept with the reason until somebody replays or purges them.

They are records of segments in a directory of their own, so they survive what a spool survives, and are settled in
journals like it.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from dd_pa.capture.event import BuiltEvent
from dd_pa.store.destination import Destination
from dd_pa.store.directory import AlienFileError, Descriptor, Directory
from dd_pa.store.file_troubles import OF_THE_DISK
from dd_pa.store.held_segment import adopt
from dd_pa.store.journal import Journal
from dd_pa.store.record import DamagedRecordError, Header, checked_body, encode, event_of
from dd_pa.store.segment import Segment, SegmentFiles, ack_name
from dd_pa.store.segment_reader import SegmentReader

SHARE, LEAST_ROOM = 16, 64 * 1024
"""They take a 16th of the spool's room, but may take so many bytes."""

MAX_SAMPLE = 4096
"""Bytes of a damaged record that are kept."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event that was given up, as it is written."""

    reason: str
    detail: str = ""
    rejected_at: int
    """Epoch milliseconds."""

    event: msgspec.Raw = msgspec.Raw()
    """The event as it was tracked; empty if the record was damaged."""

    damaged: str = ""
    """The beginning of a damaged record, in base64."""


class DeadLetterEntry(NamedTuple):
    """A dead letter and where it is written."""

    letter: DeadLetter
    segment: str
    offset: int

    def event(self, application_id: str) -> BuiltEvent | None:
        """Return the event, or None if it cannot be read."""
        try:
            return event_of(bytes(self.letter.event), application_id)
        except DamagedRecordError:
            return None


_decode = msgspec.json.Decoder(DeadLetter).decode


class DeadLetters:
    """Appends to the dead letters of one destination; for one thread. The oldest go when their room is taken.

    `spool_bytes` is how many the spool may have. `on_gone` is called with each one that went, None if its event cannot
    be read.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        spool_bytes: int,
        on_gone: Callable[[BuiltEvent | None], None] = lambda event: None,
    ) -> None:
        self._destination = destination
        self._max_bytes = max(LEAST_ROOM, spool_bytes // SHARE)
        self._on_gone = on_gone
        self._segment: Segment | None = None

    def add(self, event: BuiltEvent, reason: str, detail: str) -> None:
        """Write down a rejected event. Raises `OSError`, `UnsafePlaceError`."""
        self._write(DeadLetter(reason=reason, detail=detail, rejected_at=_now(), event=msgspec.Raw(event.body)))

    def add_damaged(self, data: bytes, problem: str) -> None:
        """Write down the beginning of a record that cannot be sent. Raises `OSError`, `UnsafePlaceError`."""
        sample = base64.b64encode(data[:MAX_SAMPLE]).decode()
        self._write(DeadLetter(reason="damaged", detail=problem, rejected_at=_now(), damaged=sample))

    def _write(self, letter: DeadLetter) -> None:
        if self._segment is None or not self._segment.is_linked or self._segment.size >= self._max_bytes // 8:
            self._segment = self._open()
        record = encode(msgspec.json.encode(letter))
        self._segment.size += len(record)
        try:
            if self._segment.write(record) == len(record):
                return
        except OSError:
            self._segment = None
            raise
        self._segment = None
        raise OSError("disk full")

    def _open(self) -> Segment:
        directory = self._destination.rejected()
        self._segment = None
        self._make_room(directory)
        files = SegmentFiles(directory, self._destination.application_id, self._destination.intake)
        return files.publish(own_reader=False, sync=False)

    def _make_room(self, directory: Directory) -> None:
        sizes = directory.sizes()
        for name in directory.names():
            if sum(sizes.values()) < self._max_bytes:
                return
            with contextlib.suppress(AlienFileError, OSError):  # of this one; the next goes instead
                if self._remove(directory, name):
                    for gone in (name, ack_name(name)):
                        sizes.pop(gone, None)

    def _remove(self, directory: Directory, name: str) -> bool:
        """Remove a segment that nobody writes, or reads to replay, and tell of what was in it."""
        file = directory.open_to_lock(name)
        journal = _journal_to_lock(directory, name)
        if not file.lock() or (journal is not None and not journal.lock()) or not directory.holds(name, file):
            return False
        lost = [entry.event(self._destination.application_id) for entry in _readable(directory, name)]
        directory.remove(name, file)
        if journal is not None:
            directory.remove(ack_name(name), journal)
        for event in lost:
            self._on_gone(event)
        return True

    def close(self) -> None:
        self._segment = None


def _now() -> int:
    return time.time_ns() // 1_000_000


def entries(directory: Directory) -> Iterator[DeadLetterEntry]:
    """Yield the dead letters that were neither replayed nor purged, oldest first."""
    for name in directory.names():
        with contextlib.suppress(AlienFileError, FileNotFoundError):
            yield from _entries(directory, name)


def _entries(directory: Directory, name: str) -> Iterator[DeadLetterEntry]:
    reader = SegmentReader(directory.open(name), directory.files)
    settled = settled_of(directory, name)
    while (line := reader.next_line()) is not None:
        if line.offset and line.offset not in settled:
            with contextlib.suppress(DamagedRecordError, msgspec.DecodeError):
                yield DeadLetterEntry(_decode(checked_body(line.data)), name, line.offset)


def _readable(directory: Directory, name: str) -> Iterator[DeadLetterEntry]:
    """Yield what can be read of a segment on a disk that fails. Raises `OSError` if no file can be read now."""
    try:
        yield from _entries(directory, name)
    except OSError as error:
        if error.errno in OF_THE_DISK:  # such as that no descriptor is left
            raise


def settled_of(directory: Directory, name: str) -> set[int]:
    """Return the offsets of what is settled of a segment, as its journal says if there is one."""
    try:
        return Journal(directory.open(ack_name(name)), directory.files).settled()
    except FileNotFoundError:
        return set()


def _journal_to_lock(directory: Directory, name: str) -> Descriptor | None:
    try:
        return directory.open_to_lock(ack_name(name))
    except FileNotFoundError:  # nothing of it was replayed or purged yet
        return None


def settle(
    directory: Directory,
    chosen: list[DeadLetterEntry],
    is_ours: Callable[[Header], bool],
    first: Callable[[DeadLetterEntry], bool],
) -> int:
    """Call `first` with each entry and forget those for which it returns True; return how many.

    An entry that another command works on is left out.
    """
    done = 0
    for name in sorted({entry.segment for entry in chosen}):
        held = adopt(directory, name, is_ours)
        if held is None:
            continue
        still_there = {entry.offset for entry in entries(directory) if entry.segment == name}
        for entry in chosen:
            if entry.segment == name and entry.offset in still_there and first(entry):
                held.journal.settle(entry.offset)
                done += 1
        if not any(entry.segment == name for entry in entries(directory)) and held.reader.look_for_writer():
            held.remove()
    return done


def total_bytes(directory: Directory) -> int:
    """Return the bytes on disk."""
    return sum(directory.sizes().values())
