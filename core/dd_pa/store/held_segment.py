"""A segment that this process delivers: what of it was taken and is settled, when it is finished, how it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dd_pa.capture.event import BuiltEvent
from dd_pa.process.atomic_counter import Tally
from dd_pa.process.uptime import uptime
from dd_pa.store.directory import AlienFileError, Directory
from dd_pa.store.journal import Journal
from dd_pa.store.record import DamagedRecordError, Header, Line, checked_body, event_of
from dd_pa.store.segment import ack_name
from dd_pa.store.segment_reader import SegmentReader

OnDamaged = Callable[["HeldSegment", Line, str], None]


class HeldSegment:
    """A segment whose reader lock this process holds, so that nobody else delivers it. For the delivery thread."""

    def __init__(
        self,
        directory: Directory,
        name: str,
        reader: SegmentReader,
        journal: Journal,
        count: Tally | None = None,
        unsure: dict[str, bool] | None = None,
    ) -> None:
        self.name = name
        self.reader = reader
        self.journal = journal
        self.count = count
        """Counts what this process itself wrote to the segment; None for one of another process."""

        self._unsure = {} if unsure is None else unsure
        """See `Segment.unsure`."""

        self.settled = 0
        """Records of the segment that this object saw settled."""

        self.unsettled: dict[int, int] = {}
        """By offset, when the events that were taken and not settled occurred."""

        self.removed = False
        self.given_up = False
        """Nothing more of it is handed out."""

        self._directory = directory
        self._settled_before = journal.settled()

    @property
    def oldest(self) -> int | None:
        """About when the oldest unsettled event occurred, in epoch milliseconds."""
        moments = list(self.unsettled.values())
        if moments:
            return min(moments)
        return None if self.reader.at_end else int(self.name[:13])

    def age(self, event: BuiltEvent) -> float | None:
        """Return the seconds since an event of this segment was tracked; None if only the wall clock knows."""
        started = self.reader.started
        return None if started is None else uptime() - (event.occurred_at / 1000 - started)

    def next(self, application_id: str, on_damaged: OnDamaged) -> tuple[int, BuiltEvent] | None:
        """Return an event with its offset, or None if there is none now."""
        while (line := self.reader.next_line()) is not None:
            if line.offset == 0 or line.offset in self._settled_before:
                continue
            try:
                event = event_of(checked_body(line.data), application_id)
            except DamagedRecordError as error:
                if not line.torn and line.data.strip(b"\0"):  # zeros are what a loss of power leaves
                    on_damaged(self, line, str(error))
                    self.journal.settle(line.offset)
                    self.settled += 1
                continue
            if self._unsure and (waits := self._unsure.get(event.id)) is not None:
                if waits:
                    self.reader.put_back(line)
                    return None
                self.journal.settle(line.offset)
                continue
            self.unsettled[line.offset] = event.occurred_at
            return line.offset, event
        return None

    def left(self, application_id: str) -> Iterator[bytes]:
        """Take, and yield, the body of each event that is left to do, for another place.

        Raises `DamagedRecordError`, also if not all of it can be read now.
        """
        while (line := self.reader.next_line()) is not None:
            if line.offset == 0 or line.offset in self._settled_before:
                continue
            try:
                event = event_of(checked_body(line.data), application_id)
            except DamagedRecordError:
                if not line.torn and line.data.strip(b"\0"):
                    raise
            else:
                self.unsettled[line.offset] = event.occurred_at
                yield event.body
        if not self.reader.at_end:
            raise DamagedRecordError("too long")

    def drop(self, offset: int) -> None:
        """Forget a taken event whose segment is about to be removed."""
        self.unsettled.pop(offset, None)
        self.settled += 1

    def forget(self, offset: int) -> bool:
        """Have a taken event settled, but for the journal; return whether it was one."""
        if self.unsettled.pop(offset, None) is None:
            return False
        self.settled += 1
        return True

    def passed(self, size: int) -> bool:
        """Tell whether everything in the first `size` bytes is settled."""
        if self.removed:
            return True
        first = next(iter(list(self.unsettled)), None)  # a copy, as another thread may ask
        if first is not None and first < size:
            return False
        return self.reader.position >= size or self._ends_torn

    @property
    def _ends_torn(self) -> bool:
        """What was not returned is a record that its writer could not finish."""
        try:
            return self.reader.at_end and self.reader.look_for_writer()
        except OSError:  # nobody knows
            return False

    @property
    def pending(self) -> int:
        """Events of this process, or taken by it, that are not settled."""
        if self.removed:
            return len(self.unsettled)
        return len(self.unsettled) if self.count is None else max(0, self.count.value - self.settled)

    @property
    def is_finished(self) -> bool:
        """The writer is gone, and everything is settled."""
        return not self.unsettled and self.reader.look_for_writer() and self.reader.at_end

    def settle_all(self) -> None:
        """Note everything that was taken as settled."""
        for offset in list(self.unsettled):
            if self.forget(offset):
                self.journal.settle(offset)

    @property
    def is_over(self) -> bool:
        """All of it was read and is settled: what the journal would say of it, its removal says."""
        return not self.given_up and not self.reader.unreadable and self.is_finished

    def remove(self) -> None:
        """Remove the segment, and then its journal: the other way round, a crash would have it all sent again."""
        self._directory.remove(self.name, self.reader.file)
        self.removed = True
        self._directory.remove(ack_name(self.name), self.journal.file)

    def release(self) -> None:
        """Let others have it."""
        self.reader.file.close()
        self.journal.file.close()


def open_identified(directory: Directory, name: str, is_ours: Callable[[Header], bool]) -> SegmentReader | None:
    """Open a segment, which others may hold; return None if it is gone or empty.

    Raises `AlienFileError` if it is no segment of this destination and format.
    """
    try:
        file = directory.open(name)
    except FileNotFoundError:
        return None
    reader = SegmentReader(file, directory.files)
    header = reader.header()
    if header is not None and is_ours(header):
        return reader
    if reader.size == 0 and reader.look_for_writer():  # a loss of power kept its name only
        directory.remove(name, file)
        return None
    raise AlienFileError(name)


def adopt(directory: Directory, name: str, is_ours: Callable[[Header], bool]) -> HeldSegment | None:
    """Take the reader lock of a segment; return None if another process has it, or the segment is gone.

    Raises `AlienFileError` as `open_identified` does.
    """
    reader = open_identified(directory, name, is_ours)
    if reader is None:
        return None
    try:
        journal = directory.open_or_create(ack_name(name))
    except FileNotFoundError:  # the last holder of the lock removes it at this moment
        return None
    if not journal.lock() or not directory.holds(ack_name(name), journal):
        return None
    if not directory.holds(name, reader.file):  # finished by the last holder of the lock a moment ago
        directory.remove(ack_name(name), journal)
        return None
    return HeldSegment(directory, name, reader, Journal(journal, directory.files))
