from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from dd_pa.capture.event import BuiltEvent
from dd_pa.process.atomic_counter import Tally
from dd_pa.store.backlog import Backlog
from dd_pa.store.dead_letters import DeadLetters
from dd_pa.store.destination import Destination
from dd_pa.store.directory import AlienFileError
from dd_pa.store.file_troubles import Troubles
from dd_pa.store.held_segment import HeldSegment
from dd_pa.store.janitor import Janitor
from dd_pa.store.janitor_duty import Duty
from dd_pa.store.memory import MemoryStore
from dd_pa.store.orphans import Orphans
from dd_pa.store.record import Line
from dd_pa.store.segment_merger import Merger
from dd_pa.store.spool_options import SpoolOptions, default_segment_bytes
from dd_pa.store.spool_writer import Say, SpoolWriter
from dd_pa.store.taken_events import TakenEvents
from dd_pa.store.trusted_directory import UnsafePlaceError
from dd_pa.store.upkeep import Upkeep

SCAN_EVERY, SOON = 1.0, 0.05
"""Seconds between two looks, and before one that was cut short goes on."""

OnDropped = Callable[[Literal["overflow", "damaged", "dead_letters"], BuiltEvent | None], None]
"""Told of each event that is given up, and why."""
Written = list[tuple[HeldSegment, int]]
"""Segments, and how far they were written."""

Mark = tuple[int, Written, list[str], int]


class Spool:
    """Keeps events on disk until they are delivered: those of this process, and those that others left behind.

    While the disk fails, events wait in `memory`.
    """

    def __init__(
        self,
        destination: Destination,
        memory: MemoryStore,
        options: SpoolOptions,
        *,
        on_dropped: OnDropped,
        say: Say,
        can_deliver: Callable[[], bool] = lambda: True,
        on_waiting: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._destination, self._memory, self._options = destination, memory, options
        self._on_dropped, self._say, self._can_deliver = on_dropped, say, can_deliver
        self._on_waiting = on_waiting
        self._segment_bytes = options.segment_bytes or default_segment_bytes(options.max_bytes)
        self._clock = clock
        self._scan_at = self._measure_at = 0.0
        self._full = False
        self._handed_over = Tally()
        self._saves = 0
        self._saved: Written | None = []
        self._dead = DeadLetters(
            destination,
            spool_bytes=options.max_bytes,
            on_gone=lambda event: on_dropped("dead_letters", event),
        )
        self._writer = self._make_writer(own_reader=options.reads)
        self._late: SpoolWriter | None = None
        troubles = Troubles(say=say, clock=clock)
        orphans = Orphans(destination, troubles, on_alien=self._alien)
        self._backlog = Backlog(destination, orphans, troubles, on_damaged=self._damaged)
        self._duty = Duty(destination)
        self._janitor = self._make_janitor(orphans, troubles)
        self._taken = TakenEvents(self._backlog)
        self._upkeep = Upkeep(
            self._duty,
            self._janitor,
            self._backlog,
            self._writer,
            can_deliver=can_deliver,
            on_overflow=self._overflowed,
            on_full=self._note_full,
            say=say,
        )
        self._write, self._hands_over = self._writer.put, not options.reads

    def _make_writer(self, *, own_reader: bool) -> SpoolWriter:
        return SpoolWriter(
            self._destination,
            segment_bytes=self._segment_bytes,
            sync=self._options.sync,
            own_reader=own_reader,
            on_opened=self._opened,
            on_look=self._looked,
            say=self._say,
            clock=self._clock,
        )

    def _make_janitor(self, orphans: Orphans, troubles: Troubles) -> Janitor:
        merger = Merger(
            self._destination,
            orphans,
            troubles,
            segment_bytes=self._segment_bytes,
            is_wanted=lambda: not (self._options.reads and self._can_deliver()),
            on_live=self._backlog.take_in if self._options.reads else HeldSegment.release,
            say=self._say,
            clock=self._clock,
        )
        return Janitor(
            self._destination,
            self._duty,
            self._backlog,
            orphans,
            merger,
            self._options,
            on_overflow=self._overflowed,
            clock=self._clock,
        )

    @property
    def patience(self) -> float | None:
        """Look for orphans now and then, also when nothing happens here; soon, if a look was cut short."""
        if not self._options.reads:
            return None
        return SOON if self._janitor.busy else 2 * SCAN_EVERY

    @property
    def recalls(self) -> int:
        return self._upkeep.recalls + self._backlog.dropped

    @property
    def durable(self) -> bool:
        return self._memory.pending == 0

    def put(self, event: BuiltEvent) -> bool:
        """Write an event; return False if it was dropped because the spool and the buffer are full."""
        if self._full and self._is_still_full():
            self._on_dropped("overflow", event)
            return False
        write = self._write  # quicker to call than as an attribute
        if not write(event):
            kept = self._memory.put(event)
            self._on_waiting()
            return kept
        if self._hands_over:
            self._handed_over.add()
        return True

    def put_first(self, events: Sequence[BuiltEvent]) -> int:
        """Write as many events as can be written now; return how many."""
        written = 0 if self._full else self._writer.put_first(events)
        if self._hands_over:
            for _ in range(written):
                self._handed_over.add()
        return written

    def keep(self, event: BuiltEvent) -> bool:
        """Write an event that comes after `close()`, for whoever comes next; return whether that was possible."""
        if self._late is None:
            self._late = self._make_writer(own_reader=False)
        if not self._late.put(event):
            return False
        self._handed_over.add()
        return True

    def _is_still_full(self) -> bool:
        now = self._clock()
        if now >= self._measure_at:
            self._measure_at = now + SCAN_EVERY
            self._full = self._duty.read().full
            if not self._options.reads:
                self._upkeep.take_a_turn()
        return self._full

    def _note_full(self, full: bool) -> None:
        self._full = full

    def _opened(self, held: HeldSegment | None) -> None:
        if held is not None:
            self._backlog.add(held)
            self._scan_at = 0.0  # the spool grew by a segment: see at the next look whether it is full
            self._janitor.soon()
        elif not self._writer.closed:
            self._upkeep.take_a_turn()

    def _looked(self, name: str) -> None:
        if not self._options.reads:
            self._upkeep.heed_without_delivery(name)

    def take(self, limit: int) -> list[BuiltEvent]:
        """Read up to `limit` events; those in memory first, as they would not survive."""
        events = self._memory.take(limit)
        if not self._options.reads:
            return events
        try:
            while len(events) < limit and (event := self._taken.next()) is not None:
                events.append(event)
        except OSError as error:
            self._say("spool read", "the spool cannot be read (%s)", error)
        return events

    def age(self, event: BuiltEvent) -> float | None:
        """Return the seconds since a taken event was tracked, if the machine runs since."""
        held = self._taken.segment_of(event)
        return self._memory.age(event) if held is None else held.age(event)

    def settle(self, event: BuiltEvent) -> None:
        """Note a taken event as delivered or dropped."""
        if not self._taken.settle(event):
            self._memory.settle(event)

    def reject(self, event: BuiltEvent, reason: str, detail: str) -> bool:
        """Write a taken event to the dead letters, and only then settle it; False if it cannot be written now."""
        if not self._bury(lambda: self._dead.add(event, reason, detail)):
            return False
        self.settle(event)
        return True

    def _bury(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except (OSError, UnsafePlaceError) as error:
            self._say("dead letters", "a rejected event could not be set aside (%s)", error)
            return False
        return True

    def hand_back(self, event: BuiltEvent) -> bool:
        """Forget a taken event, and return True, if it is another process's and this one has made way for others.

        Its segment can be let go only when nothing of it is taken: what failed would keep the rest from all others. One
        whose segment was dropped for want of room is in memory only, where a kill would take it uncounted.
        """
        if self._taken.forget_if_homeless(event):
            self._on_dropped("overflow", event)
            return True
        return self._duty.made_way and self._taken.leave_to_others(event)

    def _damaged(self, held: HeldSegment, line: Line, problem: str) -> None:
        self._taken.foreign += held.count is None
        self._bury(lambda: self._dead.add_damaged(line.data, problem))
        self._on_dropped("damaged", None)

    def _alien(self, name: str) -> None:
        self._say("alien", "a file in the spool is none of ours, and is left alone: %r", name)

    def reclaim(self) -> None:
        """Hand out again, and first, what was taken and not settled."""
        self._memory.reclaim()
        self._taken.reclaim()

    def tend(self) -> None:
        """Let go what is delivered each second, and do the janitor's work, if it is this process's, step by step."""
        if not self._options.reads:
            return
        now = self._clock()
        is_due = now >= self._scan_at
        if is_due:
            self._scan_at = now + SCAN_EVERY
        elif not self._janitor.busy:
            return
        try:
            self._tend(now, is_due=is_due)
        except (OSError, UnsafePlaceError, AlienFileError) as error:
            self._say("spool scan", "the spool cannot be looked through: %s", error)

    def _tend(self, now: float, *, is_due: bool) -> None:
        if is_due:
            self._backlog.sort_out()
            if self._backlog.is_unreadable_in_part:  # it is read again when it has been let go
                self._writer.retire()
            self._save_memory()
        self._upkeep.tend(now, is_due=is_due)

    def _save_memory(self) -> None:
        """Write what waits in memory since the disk failed, now that it works again."""
        if not self._writer.works or not self._memory.waiting:
            return
        self._saves += 1
        self._saved = None  # until it is known
        for event in self._memory.take(self._memory.waiting):
            if self._writer.dates_well(event, self._memory.age(event)) and self._writer.put(event):
                self._memory.settle(event)
            else:
                self._taken.put_back(event)
        self._saved = self._written(self._backlog.all)

    def _overflowed(self, held: HeldSegment, event: BuiltEvent | None) -> None:
        self._taken.foreign += held.count is None
        self._on_dropped("overflow" if event else "damaged", event)

    def mark(self) -> Mark:
        """Return how far the segments of this process are written, and what is in flight."""
        saves = self._saves
        return self._memory.mark(), self._written(self._backlog.all), self._taken.ids, saves

    def _written(self, segments: Iterable[HeldSegment]) -> Written:
        ours = [held for held in segments if not held.removed and (self._options.for_all or held.count is not None)]
        return [(held, held.reader.size_at_least) for held in ours]

    def passed(self, mark: Mark) -> bool:
        number, segments, taken, saves = mark
        if not self._memory.passed(number) or self._taken.has_any(taken):
            return False
        saved = [] if saves == self._saves else self._saved  # what was in memory then may be on disk since
        return saved is not None and all(held.passed(size) for held, size in (*segments, *saved))

    @property
    def waiting(self) -> int:
        return self._memory.waiting + self._taken.returned + self._backlog.waiting

    @property
    def pending(self) -> int:
        return self._memory.pending + sum(held.pending for held in self._backlog.all)

    @property
    def balance(self) -> int:
        return self._handed_over.value - self._taken.foreign

    @property
    def bytes(self) -> int:
        """Bytes of this destination on disk at the janitor's last look, whoever wrote them; at least this process's."""
        own = sum(
            held.reader.size_at_least for held in self._backlog.all if held.count is not None and not held.removed
        )
        return max(own, self._duty.read().bytes)

    def oldest(self) -> int | None:
        known = (self._memory.oldest(), *(held.oldest for held in self._backlog.all))
        return min((moment for moment in known if moment is not None), default=None)

    def drain(self) -> list[BuiltEvent]:
        """Write what waits in memory to the disk, and return what cannot be."""
        self._writer.try_now()
        return [event for event in (*self._memory.drain(), *self._taken.pop_homeless()) if not self._writer.put(event)]

    def close(self) -> None:
        """Release the segments; what is not delivered stays for a neighbour or the next start."""
        self._writer.close()
        self._dead.close()
        if self._options.reads:
            self._janitor.stop()
        with contextlib.suppress(OSError):
            self._backlog.close()
        self._duty.close()
