from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dd_pa.capture.event import Event
from dd_pa.store.dead_letters import DeadLetters
from dd_pa.store.destination import Destination
from dd_pa.store.directory import BLOCK, Directory
from dd_pa.store.journal import Held
from dd_pa.store.memory import MemoryStore
from dd_pa.store.place import UnsafePlaceError
from dd_pa.store.record import Line
from dd_pa.store.segment import Tally, ack_name
from dd_pa.store.shelf import Shelf
from dd_pa.store.writer import Say, SpoolWriter, default_segment_bytes

SCAN_EVERY = 1.0
"""Seconds between two looks for segments that nobody delivers."""

OnDropped = Callable[[Literal["overflow", "damaged"], Event | None], None]
"""Told of each event that is given up, and why."""
Mark = tuple[int, list[tuple[Held, int]], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolOptions:
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._destination, self._memory, self._options = destination, memory, options
        self._on_dropped, self._say = on_dropped, say
        self._clock = clock
        self._scan_at = self._measure_at = 0.0
        self._full = False
        self._taken: dict[str, _Taken] = {}
        self._again: deque[Event] = deque()
        self._handed_over = Tally()
        self._foreign = 0
        self._dead = DeadLetters(destination, max_bytes=max(64 * 1024, options.max_bytes // 16))
        self._shelf = Shelf(destination, on_damaged=self._damaged, on_alien=self._alien)
        self._writer = SpoolWriter(
            destination,
            segment_bytes=options.segment_bytes or default_segment_bytes(options.max_bytes),
            sync=options.sync,
            on_opened=self._opened if options.reads else None,
            on_look=(lambda: None) if options.reads else self._keep_bound,
            say=say,
            clock=clock,
        )

    @property
    def patience(self) -> float | None:
        """Look for orphans now and then, also when nothing happens here."""
        return 2 * SCAN_EVERY if self._options.reads else None

    @property
    def durable(self) -> bool:
        return self._memory.pending == 0

    def put(self, event: Event) -> bool:
        """Write an event; return False if it was dropped because the spool and the buffer are full."""
        if self._full and self._is_still_full():
            self._on_dropped("overflow", event)
            return False
        if not self._writer.put(event):
            return self._memory.put(event)
        if not self._options.reads:
            self._handed_over.add()
        return True

    def _is_still_full(self) -> bool:
        now = self._clock()
        if now >= self._measure_at:
            self._measure_at = now + SCAN_EVERY
            self._keep_bound()
        return self._full

    def _opened(self, held: Held) -> None:
        self._shelf.add(held)
        self._scan_at = 0.0  # the spool grew by a segment: see at the next look whether it is full

    def take(self, limit: int) -> list[Event]:
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

    def _read(self) -> Event | None:
        while (found := self._shelf.next()) is not None:
            held, offset, event = found
            self._foreign += held.count is None
            taken = self._taken.get(event.id)
            if taken is None:
                self._taken[event.id] = _Taken(event, [(held, offset)])
                return event
            taken.places.append((held, offset))  # written twice; it is delivered once and settled in both places
        return None

    def settle(self, event: Event) -> None:
        """Note a taken event as delivered or dropped."""
        taken = self._taken.pop(event.id, None)
        if taken is None:
            self._memory.settle(event)
            return
        for held, offset in taken.places:
            held.settle(offset)

    def reject(self, event: Event, reason: str, detail: str) -> None:
        """Write a taken event to the dead letters, and only then settle it."""
        self._bury(lambda: self._dead.add(event, reason, detail))
        self.settle(event)

    def _bury(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (OSError, UnsafePlaceError) as error:
            self._say("dead letters", "a rejected event could not be set aside (%s)", error)

    def _damaged(self, held: Held, line: Line, problem: str) -> None:
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
        """Adopt orphans, remove what is delivered and keep the bound, once a second."""
        now = self._clock()
        if not self._options.reads or now < self._scan_at:
            return
        self._scan_at = now + SCAN_EVERY
        try:
            self._shelf.scan()
        except (OSError, UnsafePlaceError) as error:
            self._say("spool scan", "the spool cannot be looked through: %s", error)
            return
        self._keep_bound()
        self._save_memory()

    def _save_memory(self) -> None:
        """Write what waits in memory since the disk failed, now that it works again."""
        if not self._writer.works:
            return
        for event in self._memory.take(self._memory.waiting):
            if self._writer.put(event):
                self._memory.settle(event)
            else:
                self._again.append(event)

    def _keep_bound(self) -> None:
        with contextlib.suppress(OSError, UnsafePlaceError):
            directory = self._destination.directory()
            sizes = directory.sizes()
            if sum(sizes.values()) > self._options.max_bytes:
                sizes = self._shelf.sizes(directory)
            excess = sum(sizes.values()) - self._options.max_bytes
            if self._options.drop_newest:
                self._full = excess > 0
            elif excess > 0:
                self._drop_oldest(directory, sizes, excess)

    def _drop_oldest(self, directory: Directory, sizes: dict[str, int], excess: int) -> None:
        names = directory.names()
        while excess > 0 and names:
            name = self._shelf.drop_oldest(directory, names, self._overflowed)
            if name is None:
                self._writer.retire()  # all that is left is being written, perhaps by us
                return
            excess -= sizes.get(name, BLOCK) + sizes.get(ack_name(name), 0)
            names = names[names.index(name) + 1 :]

    def _overflowed(self, held: Held, event: Event) -> None:
        self._foreign += held.count is None
        self._on_dropped("overflow", event)

    def mark(self) -> Mark:
        """Return how far the segments of this process are written, and what is in flight."""
        segments = [
            held for held in self._shelf.all if not held.removed and (self._options.for_all or held.count is not None)
        ]
        return self._memory.mark(), [(held, held.reader.size) for held in segments], list(self._taken)

    def passed(self, mark: Mark) -> bool:
        number, segments, taken = mark
        if not self._memory.passed(number) or any(event_id in self._taken for event_id in taken):
            return False
        return all(held.passed(size) for held, size in segments)

    @property
    def waiting(self) -> int:
        return self._memory.waiting + len(self._again) + sum(not held.reader.at_end for held in self._shelf.all)

    @property
    def pending(self) -> int:
        return self._memory.pending + sum(held.pending for held in self._shelf.all)

    @property
    def balance(self) -> int:
        return self._handed_over.value - self._foreign

    @property
    def bytes(self) -> int:
        """Bytes of the events of this destination on disk, whoever wrote them; 0 before this process used the disk."""
        directory = self._destination.opened
        try:
            return sum(directory.sizes().values()) if directory is not None else 0
        except OSError:
            return 0

    def oldest(self) -> int | None:
        known = (self._memory.oldest(), *(held.oldest for held in self._shelf.all))
        return min((moment for moment in known if moment is not None), default=None)

    def drain(self) -> list[Event]:
        """Write what waits in memory to the disk, and return what cannot be."""
        self._writer.try_now()
        return [event for event in self._memory.drain() if not self._writer.put(event)]

    def close(self) -> None:
        """Release the segments; what is not delivered stays for a neighbour or the next start."""
        self._writer.close()
        self._dead.close()
        with contextlib.suppress(OSError):
            self._shelf.close()


class _Taken(NamedTuple):
    event: Event
    places: list[tuple[Held, int]]
