from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from itertools import accumulate
from zlib import crc32

from dd_pa.capture.event import BuiltEvent
from dd_pa.process.uptime import started, uptime
from dd_pa.store.destination import Destination
from dd_pa.store.directory import Directory
from dd_pa.store.disk_reserve import keep_reserve
from dd_pa.store.held_segment import HeldSegment
from dd_pa.store.journal import Journal
from dd_pa.store.record import encode
from dd_pa.store.segment import Segment, SegmentFiles
from dd_pa.store.segment_reader import SegmentReader
from dd_pa.store.trusted_directory import UnsafePlaceError

Say = Callable[..., None]
"""`say(about, message, *values)` logs a warning, at most once per interval about the same."""

LOOK_EVERY = 1.0
"""Seconds between two looks whether the segment is still there."""

STEP = 60.0
"""Seconds by which the wall clock may be off within a segment."""

RETRY_DISK = 1.0
"""Seconds before a failing disk is tried again."""

RETRY_PLACE = 60.0
"""Seconds before a directory that cannot be trusted is looked at again."""

AT_ONCE = 128 * 1024
"""Bytes of events that are written by one call of the system."""


class SpoolWriter:
    """Appends events to this process's segment, and begins a new one when it is full, removed or fails."""

    def __init__(
        self,
        destination: Destination,
        *,
        segment_bytes: int,
        sync: bool,
        own_reader: bool,
        on_opened: Callable[[HeldSegment | None], object],
        on_look: Callable[[str], object],
        say: Say,
        clock: Callable[[], float],
    ) -> None:
        self._destination = destination
        self._segment_bytes = segment_bytes
        self._sync, self._own_reader = sync, own_reader
        self._on_opened, self._on_look = on_opened, on_look
        self._say, self._clock = say, clock
        self._opening = threading.RLock()
        self._renewing = False
        self._segment: Segment | None = None
        self._retry_at = -math.inf
        self._refused = ""
        self.closed = False

    def put(self, event: BuiltEvent) -> bool:
        """Hand an event to the kernel, which keeps it if the process is killed; return whether that was possible."""
        segment, clock = self._segment, self._clock
        if segment is None or clock() >= segment.check_at or not segment.since <= event.occurred_at <= segment.until:
            segment = self._look(segment)
            if segment is None:
                return False
        body, write, count = event.body, segment.write, segment.count.add  # quicker to call than as attributes
        record = b"\n%08x %b\n" % (crc32(body), body)
        try:
            written = segment.write_through(record, (event.id,)) if self._sync else write(record)
        except OSError as error:
            segment.doubt((event.id,))
            return self._failed(segment, error.strerror)
        if written != len(record):
            return self._failed(segment, "disk full")
        count()
        segment.size += written
        if segment.size >= self._segment_bytes:
            self.rotate(segment)
        return True

    def dates_well(self, event: BuiltEvent, age: float | None) -> bool:
        """Tell whether an event of that age is as old by the date of the segment: it was tracked by the same clock."""
        segment = self._segment
        if segment is None or segment.started is None or age is None:
            return True
        return abs(uptime() - age - (event.occurred_at / 1000 - segment.started)) <= STEP

    def put_first(self, events: Sequence[BuiltEvent]) -> int:
        """Hand events to the kernel, many by one call, until one cannot be written; return how many were."""
        done = 0
        while done < len(events):
            segment = self._segment
            if segment is None or self._clock() >= segment.check_at or not segment.expects(events[done], events[-1]):
                segment = self._look(segment)
                if segment is None:
                    break
            records = _some_records(events, done, min(AT_ONCE, self._segment_bytes - segment.size))
            written = self._put_records(segment, records, [event.id for event in events[done : done + len(records)]])
            done += written
            if written < len(records):
                break
        return done

    def _put_records(self, segment: Segment, records: Sequence[bytes], ids: Sequence[str]) -> int:
        data = b"".join(records)
        try:
            written = segment.write_through(data, ids) if self._sync else segment.write(data)
        except OSError as error:
            segment.doubt(ids)
            self._failed(segment, error.strerror)
            return 0
        count = len(records) if written == len(data) else _count_of_whole(records, written)
        for _ in range(count):
            segment.count.add()
        segment.size += written
        if written != len(data):
            self._failed(segment, "disk full")
        elif segment.size >= self._segment_bytes:
            self.rotate(segment)
        return count

    def _failed(self, segment: Segment, problem: str | None) -> bool:
        if self._segment is segment:
            self._segment = None
        self._give_up(RETRY_DISK)
        self._say("spool", "the spool cannot be written (%s): new events wait in memory until it can", problem)
        return False

    def _give_up(self, seconds: float) -> None:
        self._retry_at = self._clock() + seconds

    def _look(self, segment: Segment | None) -> Segment | None:
        if segment is None:
            return self._first()
        segment.check_at = self._clock() + LOOK_EVERY
        segment.expect_moments(STEP)
        self._on_look(segment.name)
        try:
            is_linked = segment.is_linked
        except OSError as error:
            self._failed(segment, error.strerror)
            return None
        if not is_linked:
            self._say("spool gone", "the spool was removed; it is made again")
            self.rotate(segment)
        elif segment.started is not None and abs(started() - segment.started) > STEP:
            self.rotate(segment)  # the wall clock was set: each segment is dated by one
        return self._segment

    def _first(self) -> Segment | None:
        if self._clock() < self._retry_at:
            return None
        with self._opening:
            if self._segment is None and self._clock() >= self._retry_at:
                self._renew(None)
            return self._segment

    def rotate(self, segment: Segment) -> None:
        """Replace a segment, unless another thread is about to; others go on writing to it meanwhile."""
        if not self._opening.acquire(blocking=False):
            return
        try:
            self._renew(segment)
        finally:
            self._opening.release()

    def _renew(self, segment: Segment | None) -> None:
        if self._segment is not segment or self.closed or self._renewing:
            return  # renewing: by this very thread, of which a signal's handler has taken hold
        self._renewing = True
        try:
            self._segment = self._open()
        finally:
            self._renewing = False

    def retire(self) -> None:
        """Write to a new segment from now on."""
        if self._segment is not None:
            self.rotate(self._segment)

    @property
    def works(self) -> bool:
        """The last event was written."""
        return self._segment is not None

    def try_now(self) -> None:
        """Try a disk that failed again at the next event."""
        self._retry_at = -math.inf

    def close(self) -> None:
        """Write nothing more; the segment is released when the last `put()` has returned."""
        with self._opening:
            self.closed, self._segment = True, None

    def _open(self) -> Segment | None:
        try:
            directory = self._destination.directory()
            keep_reserve(directory)
            made = SegmentFiles(
                directory, self._destination.application_id, self._destination.intake, started=started()
            )
            segment = made.publish(own_reader=self._own_reader, sync=self._sync)
            self._hand_over(directory, segment, made)
        except UnsafePlaceError as error:
            self._give_up(RETRY_PLACE)
            if str(error) != self._refused:
                self._refused = str(error)
                self._say("spool", "events wait in memory, and are lost if the process is killed: %s", error)
            return None
        except OSError as error:
            self._give_up(RETRY_DISK)
            self._say("spool", "the spool cannot be written (%s): new events wait in memory until it can", error)
            return None
        return segment

    def _hand_over(self, directory: Directory, segment: Segment, made: SegmentFiles) -> None:
        if made.ack is None or made.reading is None:
            self._on_opened(None)
            return
        reader, journal = SegmentReader(made.reading, directory.files), Journal(made.ack, directory.files)
        reader.started = segment.started
        self._on_opened(HeldSegment(directory, segment.name, reader, journal, segment.count, segment.unsure))


def _some_records(events: Sequence[BuiltEvent], start: int, most_bytes: int) -> list[bytes]:
    """Return one record, and as many more as come to so many bytes."""
    found: list[bytes] = []
    size = 0
    for index in range(start, len(events)):
        record = encode(events[index].body)
        found.append(record)
        size += len(record)
        if size >= most_bytes:
            break
    return found


def _count_of_whole(records: Sequence[bytes], written: int) -> int:
    """Return how many records lie within the first bytes of them all."""
    return sum(end <= written for end in accumulate(map(len, records)))
