from __future__ import annotations

from collections import deque
from collections.abc import Callable

from dd_pa.capture.event import Event
from dd_pa.store.destination import Destination
from dd_pa.store.directory import AlienFileError, Directory
from dd_pa.store.journal import Held, OnDamaged, adopt, identify
from dd_pa.store.litter import sweep

MAX_ORPHANS = 16
"""Segments of dead processes that are held at once; the others are left to neighbours meanwhile."""


class Shelf:
    """The segments that this process delivers: its own, and those it could adopt. For the delivery thread.

    Half of what it hands out comes from segments that are still written and half from the others, oldest first, so
    that neither a backlog nor new events starve.
    """

    def __init__(self, destination: Destination, *, on_damaged: OnDamaged, on_alien: Callable[[str], None]) -> None:
        self._destination = destination
        self._on_damaged, self._on_alien = on_damaged, on_alien
        self._arrivals: deque[Held] = deque()
        self._written: list[Held] = []
        self._finished: list[Held] = []
        self._aliens: set[str] = set()
        self._fresh_first = False
        self._turn = 0

    def add(self, held: Held) -> None:
        """Take in a new segment of this process; from any thread."""
        self._arrivals.append(held)

    @property
    def all(self) -> list[Held]:
        """Every segment held now; from any thread."""
        return [*self._finished, *self._written, *self._arrivals]

    def next(self) -> tuple[Held, int, Event] | None:
        """Return an event to deliver, its segment and offset, or None if there is none now."""
        self._sort_in()
        self._fresh_first = not self._fresh_first
        if self._fresh_first:
            return self._fresh() or self._backlog()
        return self._backlog() or self._fresh()

    def _sort_in(self) -> None:
        while self._arrivals:
            self._written.append(self._arrivals[0])
            self._arrivals.popleft()

    def _fresh(self) -> tuple[Held, int, Event] | None:
        for _ in range(len(self._written)):
            self._turn += 1
            held = self._written[self._turn % len(self._written)]
            found = held.next(self._destination.application_id, self._on_damaged)
            if found is not None:
                return held, *found
        return None

    def _backlog(self) -> tuple[Held, int, Event] | None:
        for held in self._finished:
            if held.reader.at_end:
                continue
            found = held.next(self._destination.application_id, self._on_damaged)
            if found is not None:
                return held, *found
        return None

    def scan(self) -> None:
        """Let go what is delivered, and adopt what nobody delivers. Raises `OSError`, `UnsafePlaceError`."""
        self._sort_in()
        self._sort_out()
        directory = self._destination.directory()
        held = {held.name for held in self.all}
        for name in directory.names():
            if name not in held and name not in self._aliens:
                self._adopt(directory, name)
        sweep(directory)

    def _sort_out(self) -> None:
        """Move segments whose writer is gone behind the others, and remove those that are delivered."""
        for held in [held for held in self._written if held.reader.look_for_writer()]:
            self._finished.append(held)
            self._written.remove(held)
        self._finished.sort(key=lambda held: held.name)
        for held in [held for held in self._finished if held.is_finished]:
            held.remove()
            self._finished.remove(held)

    def _adopt(self, directory: Directory, name: str) -> None:
        try:
            held = self.take_over(directory, name)
        except AlienFileError:
            self._aliens.add(name)
            self._on_alien(name)
            return
        if held is None:
            return
        if not held.reader.look_for_writer():
            self._written.append(held)
        elif sum(held.count is None for held in self._finished) < MAX_ORPHANS:
            self._finished.append(held)
        else:
            held.release()

    def take_over(self, directory: Directory, name: str) -> Held | None:
        """Take a segment's reader lock if it is free; raise `AlienFileError` if it is no segment of ours."""
        return adopt(directory, name, self._destination.is_ours)

    def sizes(self, directory: Directory) -> dict[str, int]:
        """Return the bytes of each file, without those that only look like segments of ours."""
        sizes = directory.sizes()
        known = {held.name for held in self.all}
        return {name: size for name, size in sizes.items() if name in known or not self._is_alien(directory, name)}

    def _is_alien(self, directory: Directory, name: str) -> bool:
        if not name.endswith(".seg"):
            return False
        try:
            identify(directory, name, self._destination.is_ours)
        except AlienFileError:
            return True
        return False

    def drop_oldest(
        self, directory: Directory, names: list[str], on_event: Callable[[Held, Event], None]
    ) -> str | None:
        """Remove the oldest segment that nobody writes, calling `on_event` with each event that nobody took from it.

        Return its name, or None if there is none.
        """
        held = self._oldest_idle(directory, names)
        if held is None:
            return None
        while (found := held.next(self._destination.application_id, self._on_damaged)) is not None:
            held.drop(found[0])
            on_event(held, found[1])
        held.remove()
        return held.name

    def _oldest_idle(self, directory: Directory, names: list[str]) -> Held | None:
        ours = {held.name: held for held in self.all}
        for name in names:
            held = ours.get(name) or self._free(directory, name)
            if held is not None and not held.removed and held.reader.look_for_writer():
                return held
        return None

    def _free(self, directory: Directory, name: str) -> Held | None:
        try:
            return None if name in self._aliens else self.take_over(directory, name)
        except AlienFileError:
            return None

    def close(self, *, remove_delivered: bool = True) -> None:
        """Release every lock, so that a neighbour can go on at once."""
        self._sort_in()
        for held in self.all:
            if remove_delivered and not held.removed and held.is_finished:
                held.remove()
            held.release()
