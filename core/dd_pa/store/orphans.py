"""The segments of other processes, as the janitor finds them: by age, those that nobody delivers first of all."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from dd_pa.store.destination import Destination
from dd_pa.store.directory import AlienFileError, Directory
from dd_pa.store.file_troubles import Troubles
from dd_pa.store.held_segment import HeldSegment, adopt, open_identified
from dd_pa.store.segment import ack_name

PROBES = 16
"""Segments that are tried at most before the delivery thread does something else."""


class Orphans:
    """What is known of each segment that this process does not hold. For the delivery thread."""

    def __init__(self, destination: Destination, troubles: Troubles, *, on_alien: Callable[[str], None]) -> None:
        self._destination, self._troubles, self._on_alien = destination, troubles, on_alien
        self._untried: list[str] = []
        self._neighbours: dict[str, None] = {}  # the longest not looked at first
        self._seen: set[str] = set()
        self._ours: set[str] = set()
        self._aliens: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._untried)

    def see(self, name: str) -> None:
        """Note a segment that is there."""
        if name not in self._seen:
            self._seen.add(name)
            heapq.heappush(self._untried, name)

    def next(self) -> HeldSegment | None:
        """Take the oldest that nobody has, of the next few. Raises `OSError` if no file could be used."""
        probes = 0
        while self._untried and probes < PROBES:
            if (name := self._untried[0]) not in self._seen:  # merged with others
                heapq.heappop(self._untried)
                continue
            held = self.take(name)
            heapq.heappop(self._untried)
            if held is not None:
                return held
            probes += 1
        return None

    def untried(self) -> list[str]:
        """Return the segments that may be nobody's, in no order."""
        return [name for name in self._untried if name in self._seen]

    def take(self, name: str) -> HeldSegment | None:
        """Take a segment's reader lock; return None if another process has it, or it cannot be used now."""
        if name in self._aliens:
            return None
        held = None
        if not self._troubles.has(name):
            try:
                held = adopt(self._destination.directory(), name, self._destination.is_ours)
                self._ours.add(name)
            except AlienFileError:
                self._alien(name)
                return None
            except OSError as error:
                self._troubles.note(name, error)
        if held is None:
            self.let_go(name)
        return held

    def gone(self, name: str) -> None:
        """Forget a segment that is there no more, or is ours by now."""
        self._seen.discard(name)
        self._neighbours.pop(name, None)

    def let_go(self, name: str) -> None:
        """Leave a segment alone until it is its turn to be looked at again."""
        self._seen.add(name)
        self._neighbours.pop(name, None)
        self._neighbours[name] = None

    def look_again(self, count: int) -> Iterator[None]:
        """See which of the neighbours' segments are nobody's by now; the longest not looked at first."""
        for _ in range(min(count, len(self._neighbours))):
            name = next(iter(self._neighbours))
            if name not in self._seen:
                del self._neighbours[name]
                continue
            yield
            is_held = self._troubles.has(name) or self._is_held(self._destination.directory(), name)
            del self._neighbours[name]  # not before: a round that ends in an error must not forget it
            if is_held:
                self._neighbours[name] = None
            else:
                heapq.heappush(self._untried, name)

    def _is_held(self, directory: Directory, name: str) -> bool:
        try:
            return not directory.open_to_lock(ack_name(name)).lock()  # let go at once: nobody keeps the descriptor
        except FileNotFoundError:
            return False
        except AlienFileError:
            return True
        except OSError as error:
            self._troubles.note(name, error)
            return True

    def fails(self, name: str) -> bool:
        """Tell whether a segment cannot be used now."""
        return self._troubles.has(name)

    def is_alien(self, name: str) -> bool:
        """Tell whether a file only looks like a segment of this destination; of one that fails it is not known."""
        if name not in self._ours and name not in self._aliens and not self._troubles.has(name):
            try:
                open_identified(self._destination.directory(), name, self._destination.is_ours)
                self._ours.add(name)
            except AlienFileError:
                self._alien(name)
            except OSError as error:
                self._troubles.note(name, error)
        return name in self._aliens

    def _alien(self, name: str) -> None:
        self._aliens.add(name)
        self._on_alien(name)

    def keep_only(self, names: dict[str, int]) -> None:
        """Forget segments that are gone."""
        for known in (self._seen, self._ours, self._aliens):
            known.intersection_update(names)
        self._troubles.keep_only(names)

    def forget(self) -> None:
        """Leave all of them to another janitor."""
        self._untried.clear()
        self._neighbours.clear()
        self._seen.clear()
