from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from dd_pa.capture.event import BuiltEvent
from dd_pa.store.destination import Destination
from dd_pa.store.file_troubles import Troubles
from dd_pa.store.held_segment import HeldSegment, OnDamaged
from dd_pa.store.orphans import PROBES, Orphans

MAX_ORPHANS = 16
"""Segments of dead processes that are taken before there is need of them."""

MOST_ORPHANS = 128
"""Segments of dead processes that are held at once, each of them because an event of it is on its way."""

DROPPED_AT_ONCE = 4
"""Events that are counted as dropped before the delivery thread does something else."""

UNREADABLE = 8
"""Failures to read a segment that is dropped, after which the rest of it is not tried: a bad disk takes its time."""


class Found(NamedTuple):
    """An event to deliver, and where it is written."""

    held: HeldSegment
    offset: int
    event: BuiltEvent


class Backlog:
    """The segments that this process delivers: its own, and those it could adopt. For the delivery thread.

    Half of what it hands out comes from segments that are still written and half from the others, oldest first, so
    that neither a backlog nor new events starve. A segment that cannot be read waits; the others go on.
    """

    def __init__(
        self, destination: Destination, orphans: Orphans, troubles: Troubles, *, on_damaged: OnDamaged
    ) -> None:
        self._destination, self._orphans, self._troubles = destination, orphans, troubles
        self._on_damaged = on_damaged
        self._arrivals: deque[HeldSegment] = deque()
        self._written: list[HeldSegment] = []
        self._finished: list[HeldSegment] = []
        self._unread: list[
            HeldSegment
        ] = []  # those of the finished of which something may be left to hand out, oldest first
        self._returning: set[str] = set()
        self._fresh_first = False
        self._turn = 0
        self.dropped = 0
        """Segments that were dropped."""

    def add(self, held: HeldSegment) -> None:
        """Take in a new segment of this process; from any thread."""
        self._arrivals.append(held)

    @property
    def all(self) -> list[HeldSegment]:
        """Every segment held now; from any thread."""
        return [*self._finished, *self._written, *self._arrivals]

    @property
    def waiting(self) -> int:
        """Number of segments with something to deliver now, and 1 if there may be others; from any thread."""
        return bool(self._orphans) + sum(self._is_unread(held) for held in self.all)

    def _is_unread(self, held: HeldSegment) -> bool:
        return not held.reader.at_end and not held.given_up and not self._troubles.has(held.name)

    @property
    def is_unreadable_in_part(self) -> bool:
        """Whether a segment that this process writes could not be read in part."""
        return any(held.count is not None and held.reader.unreadable for held in self._written)

    def find(self, name: str) -> HeldSegment | None:
        """Return the segment of that name, if it is held."""
        return next((held for held in self.all if held.name == name), None)

    def next(self) -> Found | None:
        """Return an event to deliver, or None if there is none now. Raises `OSError` if the disk fails."""
        self._sort_in()
        self._fresh_first = not self._fresh_first
        if self._fresh_first:
            return self._fresh() or self._backlog()
        return self._backlog() or self._fresh()

    def _sort_in(self) -> None:
        while self._arrivals:
            self._written.append(self._arrivals[0])
            self._arrivals.popleft()

    def _fresh(self) -> Found | None:
        for _ in range(len(self._written)):
            self._turn += 1
            found = self._read(self._written[self._turn % len(self._written)])
            if found is not None:
                return found
        return None

    def _backlog(self) -> Found | None:
        at = 0
        while at < len(self._unread):
            held = self._unread[at]
            if (found := self._read(held)) is not None:
                return found
            if held.given_up or held.reader.at_end:  # without a writer it stays so
                del self._unread[at]
            else:
                at += 1
        for _ in range(PROBES):
            orphan = self._adopt(MOST_ORPHANS)
            if orphan is None:
                return None
            if (found := self._read(orphan)) is not None:
                return found
            self.settled(orphan)
        return None

    def _read(self, held: HeldSegment) -> Found | None:
        if held.given_up or self._troubles.has(held.name):
            return None
        try:
            found = held.next(self._destination.application_id, self._on_damaged)
        except OSError as error:
            if self._troubles.note(held.name, error) > 1:
                held.reader.pass_over(error)
            return None
        return None if found is None else Found(held, *found)

    def _adopt(self, most: int) -> HeldSegment | None:
        if sum(held.count is None for held in self._finished) >= most:
            return None
        held = self._orphans.next()
        if held is not None:
            self.take_in(held)
        return held

    def take_in(self, held: HeldSegment) -> None:
        """Deliver a segment that was another process's."""
        if self._writer_is_gone(held):
            self._finish(held)
        else:
            self._written.append(held)

    def _finish(self, held: HeldSegment) -> None:
        self._finished.append(held)
        insort(self._unread, held, key=lambda one: one.name)

    def fill(self) -> Iterator[None]:
        """Adopt a few orphans before there is need of them."""
        while self._orphans:
            yield
            if self._adopt(MAX_ORPHANS) is None:
                return

    def _writer_is_gone(self, held: HeldSegment) -> bool:
        try:
            return held.reader.look_for_writer()
        except OSError as error:
            self._troubles.leave_alone(held.name, error)
            return False

    def sort_out(self) -> None:
        """Move segments whose writer is gone behind the others, and let go what is delivered."""
        self._sort_in()
        for held in [held for held in self._written if self._writer_is_gone(held)]:
            self._finish(held)
            self._written.remove(held)
        for held in (*self._finished, *self._written):
            held.journal.complete()
            self.settled(held)

    def settle(self, held: HeldSegment, offset: int) -> None:
        """Note a record as settled: in the journal or, if it was the last, by removing the segment at once."""
        if not held.forget(offset):
            return
        if held not in self._finished or held.name in self._returning or not self._is_over(held):
            held.journal.settle(offset)
            self.settled(held)
        elif not self._remove(held):
            held.journal.settle(offset)
            self._let_go(held)

    def settled(self, held: HeldSegment) -> None:
        """Remove a segment, or let it go, if nothing of it is left to do."""
        if held.unsettled:
            return
        if held.name in self._returning:
            self._let_go(held)
        elif held not in self._finished or held.given_up:
            return
        elif (held.reader.unreadable and held.reader.at_end) or (self._is_over(held) and not self._remove(held)):
            self._let_go(held)

    def _is_over(self, held: HeldSegment) -> bool:
        if self._troubles.has(held.name):
            return False
        try:
            return held.is_over
        except OSError as error:
            self._troubles.leave_alone(held.name, error)
            return False

    def _remove(self, held: HeldSegment) -> bool:
        try:
            held.remove()
        except OSError as error:
            self._troubles.leave_alone(held.name, error)
            return False
        self._forget(held)
        return True

    def _let_go(self, held: HeldSegment) -> None:
        """Let others have a segment; not while they would deliver again what could not be noted as settled."""
        if not held.journal.complete():
            return
        self._forget(held)
        held.release()
        self._orphans.let_go(held.name)

    def _forget(self, held: HeldSegment) -> None:
        self._returning.discard(held.name)
        for kind in (self._written, self._finished, self._unread):
            if held in kind:
                kind.remove(held)

    def hand_back(self) -> None:
        """Let others have the segments that are not this process's own, each as soon as nothing of it is in flight."""
        for held in [held for held in (*self._written, *self._finished) if held.count is None]:
            held.given_up = True
            self._returning.add(held.name)
            self.settled(held)
        self._orphans.forget()

    def drop(self, held: HeldSegment, on_event: Callable[[HeldSegment, BuiltEvent | None], None]) -> Iterator[None]:
        """Remove a segment, calling `on_event` with each event that nobody took from it, and None for the unreadable.

        Meanwhile nothing of it is handed out.
        """
        held.given_up = True
        dropped: list[int] = []
        for number, found in enumerate(self._left(held), 1):
            if found is not None:
                held.drop(found[0])
                dropped.append(found[0])
            on_event(held, None if found is None else found[1])
            if number % DROPPED_AT_ONCE == 0:
                yield
        if self._remove(held):
            self.dropped += 1
            return
        for offset in dropped:  # else they would be delivered, or dropped once more
            held.journal.settle(offset)
        self._returning.add(held.name)
        self.settled(held)

    def _left(self, held: HeldSegment) -> Iterator[tuple[int, BuiltEvent] | None]:
        """Yield what nobody took from a segment, and None for each page that cannot be read, or for all after some."""
        for _ in range(UNREADABLE):
            try:
                while (found := held.next(self._destination.application_id, self._on_damaged)) is not None:
                    yield found
            except OSError as error:
                if held.reader.pass_over(error):
                    yield None
            else:
                return
        yield None

    def close(self, *, remove_delivered: bool = True) -> None:
        """Release every lock, so that a neighbour can go on at once."""
        self._sort_in()
        if remove_delivered:
            self.sort_out()
        for held in self.all:
            held.release()
