from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from dd_pa.capture.event import BuiltEvent
from dd_pa.process.atomic_counter import Tally
from dd_pa.process.shutdown import start_thread
from dd_pa.store.backlog import Backlog
from dd_pa.store.dead_letters import DeadLetters
from dd_pa.store.destination import Destination
from dd_pa.store.directory import AlienFileError
from dd_pa.store.file_troubles import Troubles
from dd_pa.store.janitor import Janitor
from dd_pa.store.janitor_duty import Duty, Notice
from dd_pa.store.journal import HeldSegment
from dd_pa.store.memory import MemoryStore
from dd_pa.store.orphans import Orphans
from dd_pa.store.record import Line
from dd_pa.store.segment_merger import Merger
from dd_pa.store.spool_options import SpoolOptions
from dd_pa.store.spool_writer import Say, SpoolWriter, default_segment_bytes
from dd_pa.store.trusted_directory import UnsafePlaceError

SCAN_EVERY, SOON = 1.0, 0.05
"""Seconds between two looks, and before one that was cut short goes on."""

OnDropped = Callable[[Literal["overflow", "damaged", "dead_letters"], BuiltEvent | None], None]
"""Told of each event that is given up, and why."""
Mark = tuple[int, list[tuple[HeldSegment, int]], list[str]]


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
        self._taken: dict[str, _Taken] = {}
        self._again: deque[BuiltEvent] = deque()
        self._handed_over = Tally()
        self._foreign = 0
        self._recalls = 0
        self._dead = DeadLetters(
            destination,
            max_bytes=max(64 * 1024, options.max_bytes // 16),
            on_gone=lambda event: on_dropped("dead_letters", event),
        )
        self._writer = self._make_writer(own_reader=options.reads)
        self._late: SpoolWriter | None = None
        troubles = Troubles(say=say, clock=clock)
        orphans = Orphans(destination, troubles, on_alien=self._alien)
        self._backlog = Backlog(destination, orphans, troubles, on_damaged=self._damaged)
        self._duty = Duty(destination)
        merger = Merger(
            destination,
            orphans,
            troubles,
            segment_bytes=self._segment_bytes,
            is_wanted=lambda: not (options.reads and can_deliver()),
            on_live=self._backlog.take_in if options.reads else HeldSegment.release,
            say=say,
            clock=clock,
        )
        self._janitor = Janitor(
            destination,
            self._duty,
            self._backlog,
            orphans,
            merger,
            options,
            on_overflow=self._overflowed,
            clock=clock,
        )
        self._turn = threading.Lock()
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

    @property
    def patience(self) -> float | None:
        """Look for orphans now and then, also when nothing happens here; soon, if a look was cut short."""
        if not self._options.reads:
            return None
        return SOON if self._janitor.busy else 2 * SCAN_EVERY

    @property
    def recalls(self) -> int:
        return self._recalls + self._backlog.dropped

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
                self._take_a_turn()
        return self._full

    def _opened(self, held: HeldSegment | None) -> None:
        if held is not None:
            self._backlog.add(held)
            self._scan_at = 0.0  # the spool grew by a segment: see at the next look whether it is full
            self._janitor.soon()
        elif not self._writer.closed:
            self._take_a_turn()

    def _looked(self, name: str) -> None:
        """Heed, on the thread of a `put()`, what the janitor tells processes that have no delivery thread."""
        if not self._options.reads:
            notice = self._duty.read()
            self._full = notice.full
            if name in notice.drop:
                self._writer.retire()

    def _take_a_turn(self) -> None:
        """Where no process delivers, have a thread do the janitor's work once."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            if self._duty.take():
                start_thread(threading.Thread(target=self._one_turn, name="dd-pa janitor", daemon=True))
                return
        except (OSError, RuntimeError, UnsafePlaceError, AlienFileError) as error:
            self._say("spool scan", "the spool cannot be looked through: %s", error)
            self._duty.resign()
        self._turn.release()

    def _one_turn(self) -> None:
        try:
            for _ in self._janitor.round():
                if self._writer.closed:
                    return
        except (OSError, UnsafePlaceError, AlienFileError) as error:
            self._say("spool scan", "the spool cannot be looked through: %s", error)
        finally:
            self._duty.resign()
            self._turn.release()

    def take(self, limit: int) -> list[BuiltEvent]:
        """Read up to `limit` events; those in memory first, as they would not survive."""
        events = self._memory.take(limit)
        while len(events) < limit and self._again:
            events.append(self._again.popleft())
        try:
            while len(events) < limit and (event := self._read()) is not None:
                events.append(event)
        except OSError as error:
            self._say("spool read", "the spool cannot be read (%s)", error)
        return events

    def _read(self) -> BuiltEvent | None:
        while (found := self._backlog.next()) is not None:
            held, offset, event = found
            self._foreign += held.count is None
            taken = self._taken.get(event.id)
            if taken is None:
                self._taken[event.id] = _Taken(event, [(held, offset)])
                return event
            taken.places.append((held, offset))  # written twice; it is delivered once and settled in both places
        return None

    def age(self, event: BuiltEvent) -> float | None:
        """Return the seconds since a taken event was tracked, if the machine runs since."""
        taken = self._taken.get(event.id)
        return self._memory.age(event) if taken is None else taken.places[0][0].age(event)

    def settle(self, event: BuiltEvent) -> None:
        """Note a taken event as delivered or dropped."""
        taken = self._taken.pop(event.id, None)
        if taken is None:
            self._memory.settle(event)
            return
        for held, offset in taken.places:
            self._backlog.settle(held, offset)

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
        taken = self._taken.get(event.id)
        if taken is not None and all(held.removed for held, _ in taken.places):
            del self._taken[event.id]
            self._on_dropped("overflow", event)
            return True
        if taken is None or not self._duty.made_way or any(held.count is not None for held, _ in taken.places):
            return False
        del self._taken[event.id]
        for held, offset in taken.places:
            held.unsettled.pop(offset, None)
            self._foreign -= 1
            self._backlog.settled(held)
        return True

    def _damaged(self, held: HeldSegment, line: Line, problem: str) -> None:
        self._foreign += held.count is None
        self._bury(lambda: self._dead.add_damaged(line.data, problem))
        self._on_dropped("damaged", None)

    def _alien(self, name: str) -> None:
        self._say("alien", "a file in the spool is none of ours, and is left alone: %r", name)

    def reclaim(self) -> None:
        """Hand out again, and first, what was taken and not settled."""
        self._memory.reclaim()
        self._again = deque(taken.event for taken in self._taken.values())

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
        if self._has_duty(now) if is_due else self._duty.ours:
            is_due = self._janitor.tend() or is_due
        else:
            self._janitor.stop()
        if is_due:
            self._heed(self._duty.read())

    def _has_duty(self, now: float) -> bool:
        had = self._duty.ours
        has = self._duty.keep(healthy=self._can_deliver(), now=now)
        if had and self._duty.made_way:
            self._backlog.hand_back()
            self._recalls += 1
        elif has and not had:
            self._janitor.soon()
        return has

    def _heed(self, notice: Notice) -> None:
        """Drop segments of this process that the janitor, of which only their holder can do it, asked for."""
        self._full = notice.full
        for name in notice.drop:
            held = self._backlog.find(name)
            if held is None or held.given_up:
                continue
            if not held.reader.look_for_writer():
                self._writer.retire()  # it is being written, by us
            elif not self._duty.ours:
                for _ in self._backlog.drop(held, self._overflowed):
                    pass

    def _save_memory(self) -> None:
        """Write what waits in memory since the disk failed, now that it works again."""
        if not self._writer.works:
            return
        for event in self._memory.take(self._memory.waiting):
            if self._writer.put(event):
                self._memory.settle(event)
            else:
                self._again.append(event)

    def _overflowed(self, held: HeldSegment, event: BuiltEvent | None) -> None:
        self._foreign += held.count is None
        self._on_dropped("overflow" if event else "damaged", event)

    def mark(self) -> Mark:
        """Return how far the segments of this process are written, and what is in flight."""
        segments = [
            held for held in self._backlog.all if not held.removed and (self._options.for_all or held.count is not None)
        ]
        return self._memory.mark(), [(held, held.reader.size) for held in segments], list(self._taken)

    def passed(self, mark: Mark) -> bool:
        number, segments, taken = mark
        if not self._memory.passed(number) or any(event_id in self._taken for event_id in taken):
            return False
        return all(held.passed(size) for held, size in segments)

    @property
    def waiting(self) -> int:
        return self._memory.waiting + len(self._again) + self._backlog.waiting

    @property
    def pending(self) -> int:
        return self._memory.pending + sum(held.pending for held in self._backlog.all)

    @property
    def balance(self) -> int:
        return self._handed_over.value - self._foreign

    @property
    def bytes(self) -> int:
        """Bytes of this destination on disk at the janitor's last look, whoever wrote them; at least this process's."""
        own = sum(held.reader.size for held in self._backlog.all if held.count is not None and not held.removed)
        return max(own, self._duty.read().bytes)

    def oldest(self) -> int | None:
        known = (self._memory.oldest(), *(held.oldest for held in self._backlog.all))
        return min((moment for moment in known if moment is not None), default=None)

    def drain(self) -> list[BuiltEvent]:
        """Write what waits in memory to the disk, and return what cannot be."""
        self._writer.try_now()
        return [event for event in (*self._memory.drain(), *self._homeless()) if not self._writer.put(event)]

    def _homeless(self) -> list[BuiltEvent]:
        """Forget and return the taken events whose segments the bound has removed meanwhile."""
        found = [taken.event for taken in self._taken.values() if all(held.removed for held, _ in taken.places)]
        for event in found:
            del self._taken[event.id]
        return found

    def close(self) -> None:
        """Release the segments; what is not delivered stays for a neighbour or the next start."""
        self._writer.close()
        self._dead.close()
        if self._options.reads:
            self._janitor.stop()
        with contextlib.suppress(OSError):
            self._backlog.close()
        self._duty.close()


class _Taken(NamedTuple):
    event: BuiltEvent
    places: list[tuple[HeldSegment, int]]
