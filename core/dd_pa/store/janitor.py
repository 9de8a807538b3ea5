"""What one process does for all in a directory: measure, keep the bound, sweep, and find what nobody delivers.

A round is cut into steps, of which a look of the delivery thread makes a few: so a look costs the same with ten files
and with a hundred thousand.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Generator, Iterator
from itertools import islice

from dd_pa.capture.event import BuiltEvent
from dd_pa.store.backlog import Backlog
from dd_pa.store.destination import Destination
from dd_pa.store.directory import AlienFileError, Directory
from dd_pa.store.held_segment import HeldSegment
from dd_pa.store.janitor_duty import Duty, Notice
from dd_pa.store.orphans import Orphans
from dd_pa.store.segment import ack_name
from dd_pa.store.segment_merger import Merger
from dd_pa.store.spool_options import SpoolOptions

EVERY, CALM = 1.0, 4.0
"""Seconds between two rounds, while something changes and when nothing does."""

FILES_A_SECOND = 4000
"""So many are looked at in the mean: the more there are, the rarer are the rounds."""

STEPS = 256
"""Steps of a look."""

ENTRIES = 4
"""Names of a directory that are read in one step."""

DROP_COST = 5
"""Steps that a dropped segment counts for, as its files are opened, read and removed."""

LOOKS = 128
"""Neighbours' segments of which a round sees whether they are still held."""

LITTER_AGE = 60.0
"""Seconds for which a file is left alone: its maker may be between two steps."""

MOST_NAMED = 100
"""Segments that others are asked to drop at once."""

_LEFT = re.compile(r"([0-9]{13}-[0-9]+-[0-9a-f]{8})\.(?:new|ack)")


class Janitor:
    """The rounds of one process, whenever the duty is its. For the delivery thread."""

    def __init__(
        self,
        destination: Destination,
        duty: Duty,
        backlog: Backlog,
        orphans: Orphans,
        merger: Merger,
        options: SpoolOptions,
        *,
        on_overflow: Callable[[HeldSegment, BuiltEvent | None], None],
        clock: Callable[[], float],
    ) -> None:
        self._destination, self._duty, self._backlog, self._orphans = destination, duty, backlog, orphans
        self._merger = merger
        self._max_bytes, self._drop_newest, self._adopts = options.max_bytes, options.drop_newest, options.reads
        self._on_overflow, self._clock = on_overflow, clock
        self._round: Iterator[None] | None = None
        self._next_at = 0.0
        self._litter: dict[str, float] = {}
        self._last = (0, 0)

    @property
    def busy(self) -> bool:
        """A round has begun, and is not at its end."""
        return self._round is not None

    def soon(self) -> None:
        """Have the next round begin at the next look."""
        self._next_at = 0.0

    def tend(self) -> bool:
        """Make a few steps; return whether a round came to its end. Raises `OSError` and what `Directory` does."""
        if self._round is None:
            if self._clock() < self._next_at:
                return False
            self._next_at = self._clock() + EVERY
            self._round = self.round()
        steps = 0
        try:
            for _ in islice(self._round, STEPS):
                steps += 1
        except BaseException:
            self._round = None
            raise
        if steps == STEPS:
            return False
        self._round = None
        return True

    def stop(self) -> None:
        """Break a round off."""
        self._round = None
        self._orphans.forget()
        self.soon()

    def round(self) -> Iterator[None]:
        """Do all that is due once, step by step."""
        directory = self._destination.directory()
        files: dict[str, int] = {}
        yield from self._merger.finish()
        yield from self._look_through(directory, files)
        self._orphans.keep_only(files)
        yield from self._sweep(directory, files)
        yield from self._merger.merge(files)
        yield from self._keep_bound(files)
        if self._adopts:
            yield from self._orphans.look_again(LOOKS)
            yield from self._backlog.fill()
        else:
            self._orphans.forget()
        self._wait_for_next(files)

    def _look_through(self, directory: Directory, files: dict[str, int]) -> Iterator[None]:
        held = {one.name for one in self._backlog.all}
        for name, size in directory.walk():
            files[name] = size
            if name.endswith(".seg") and name not in held:
                self._orphans.see(name)
            if len(files) % ENTRIES == 0:
                yield

    def _wait_for_next(self, files: dict[str, int]) -> None:
        found = len(files), sum(files.values())
        is_calm = found == self._last and found[1] <= self._max_bytes // 4
        self._last = found
        self._next_at = self._clock() + max(CALM if is_calm else EVERY, len(files) / FILES_A_SECOND)

    def _sweep(self, directory: Directory, files: dict[str, int]) -> Iterator[None]:
        """Remove segments that were never published, and journals without a segment."""
        left = {name for name in files if (stem := _LEFT.fullmatch(name)) and f"{stem[1]}.seg" not in files}
        now = self._clock()
        self._litter = {name: self._litter.get(name, now) for name in left}
        for name, since in self._litter.items():
            if now - since >= LITTER_AGE:
                yield
                self._remove_left(directory, name)

    def _remove_left(self, directory: Directory, name: str) -> None:
        try:
            file = directory.open_to_lock(name)
            if file.lock() and not directory.has(f"{name[:-4]}.seg"):
                directory.remove(name, file)
        except (AlienFileError, OSError):  # of this file; it is seen again
            self._litter[name] = self._clock()

    def _keep_bound(self, files: dict[str, int]) -> Iterator[None]:
        total = sum(files.values())
        if total > self._max_bytes:
            for name in [name for name in files if name.endswith(".seg")]:
                yield
                if self._orphans.is_alien(name):
                    total -= files[name]
        drop: list[str] = []
        if not self._drop_newest:
            total -= yield from self._drop_oldest(files, total - self._max_bytes, drop)
        full = self._drop_newest and total > self._max_bytes
        self._duty.tell(Notice(bytes=total, full=full, drop=tuple(drop[:MOST_NAMED])))

    def _drop_oldest(self, files: dict[str, int], excess: int, others: list[str]) -> Generator[None, None, int]:
        """Drop what nobody writes, and name in `others` what another process has; return the bytes that went."""
        if excess <= 0:
            return 0
        dropped = named = 0
        names = [name for name in files if name.endswith(".seg")]
        heapq.heapify(names)
        while names and dropped + named < excess:
            for _ in range(DROP_COST):
                yield
            name = heapq.heappop(names)
            if self._orphans.is_alien(name):
                continue
            size = files[name] + files.get(ack_name(name), 0)
            if (held := self._idle(name)) is not None:
                yield from self._backlog.drop(held, self._on_overflow)
                dropped += size
            elif not self._orphans.fails(name):  # else it stays, and another goes in its place
                others.append(name)
                named += size
        return dropped

    def _idle(self, name: str) -> HeldSegment | None:
        """Return a segment that nobody writes, if this process has it or can take it."""
        known = self._backlog.find(name)
        held = known or self._orphans.take(name)
        if held is None or held.given_up:
            return None
        if held.reader.look_for_writer():
            return held
        if known is None:
            self._orphans.let_go(name)
        return None
