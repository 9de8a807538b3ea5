"""Small segments that nobody delivers become few while the intake takes nothing: what comes later then costs little.

The events of some are copied into one new segment, which is locked until those they came from are gone. A kill in
between would have them all sent twice, so what was about to happen is written down first, and whoever keeps order next
brings it to its end before it takes anything.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import msgspec

from dd_pa.store.destination import Destination
from dd_pa.store.directory import BLOCK, AlienFileError
from dd_pa.store.file_troubles import Troubles
from dd_pa.store.held_segment import HeldSegment
from dd_pa.store.orphans import Orphans
from dd_pa.store.record import DamagedRecordError, checked_body, encode
from dd_pa.store.segment import SegmentFiles, ack_name
from dd_pa.store.spool_writer import STEP

LEAST, MOST = 16, 64
"""Segments that become one."""

LARGEST = 1 << 20
"""Bytes of one that was made so, at most, which are in memory for a moment."""

COST = 16
"""Steps of a look that one segment counts for, as so many files are touched for it."""

REST = 60.0
"""Seconds after a failure of the disk."""

PLAN = "merging"
"""Name of the file, beside the janitor's, that says what is about to happen."""


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """If there is a segment `target`, it holds all that was left to do in `sources`."""

    target: str
    sources: tuple[str, ...]


_decode = msgspec.json.Decoder(Merge).decode


class Merger:
    """Merges, as a part of the janitor's round. For the delivery thread."""

    def __init__(
        self,
        destination: Destination,
        orphans: Orphans,
        troubles: Troubles,
        *,
        segment_bytes: int,
        is_wanted: Callable[[], bool],
        on_live: Callable[[HeldSegment], None],
        say: Callable[..., None],
        clock: Callable[[], float],
    ) -> None:
        self._destination, self._orphans, self._troubles = destination, orphans, troubles
        self._largest = min(segment_bytes, LARGEST)
        self._is_wanted, self._on_live, self._clock = is_wanted, on_live, clock
        self._say = say
        self._rests_until = 0.0
        self._unfit: set[str] = set()
        self._half_done = False

    def finish(self) -> Iterator[None]:
        """Bring to its end what a killed process left half done."""
        try:
            yield from self._finish_merge()
        except (OSError, AlienFileError) as error:
            self._half_done = True
            self._say("spool merging", "what a process left half merged cannot be finished now: %s", error)

    def _finish_merge(self) -> Iterator[None]:
        room = self._destination.room_of_the_janitor()
        try:
            file = room.open(PLAN)
        except FileNotFoundError:
            self._half_done = False
            return
        self._half_done = True
        with contextlib.suppress(DamagedRecordError, msgspec.DecodeError):  # the process was killed as it wrote it
            plan = _decode(checked_body(room.files.pread(file.fd, LARGEST, 0).strip(b"\n")))
            if self._destination.directory().has(plan.target):
                yield from self._clear(plan)
        room.remove(PLAN, file)
        self._half_done = False

    def _clear(self, plan: Merge) -> Iterator[None]:
        directory = self._destination.directory()
        for name in plan.sources:
            yield
            if directory.has(name) and (held := self._take(name)) is not None and self._unsettled(held) is not None:
                yield from self._remove([held])

    def merge(self, files: dict[str, int]) -> Iterator[None]:
        """Merge the small ones of these files, and correct what is known of their sizes."""
        self._unfit.intersection_update(files)
        for names in self._batches(files) if self._may_merge() else ():
            if not self._may_merge():
                return
            try:
                yield from self._merge_some(names, files)
            except (OSError, AlienFileError) as error:
                self._rests_until = self._clock() + REST
                self._say("spool merging", "small files of the spool stay as they are for now: %s", error)

    def _may_merge(self) -> bool:
        return not self._half_done and self._clock() >= self._rests_until and self._is_wanted()

    def _batches(self, files: dict[str, int]) -> Iterator[list[str]]:
        """Yield neighbours in age of about the same size: so no event is copied more than a few times."""
        kinds: defaultdict[int, list[str]] = defaultdict(list)
        for name in self._orphans.untried():
            size = files.get(name, self._largest)
            if size <= self._largest // 4 and name not in self._unfit:
                kinds[size.bit_length() // 4].append(name)
        for names in kinds.values():
            names.sort()
            for begin in range(0, len(names), MOST):
                if len(batch := names[begin : begin + MOST]) >= LEAST:
                    yield batch

    def _merge_some(self, names: Iterable[str], files: dict[str, int]) -> Iterator[None]:
        sources: list[HeldSegment] = []
        records: list[bytes] = []
        room = self._largest
        for name in names:
            for _ in range(COST):
                yield
            if files[name] <= room and (held := self._take(name)) is not None:
                found = self._unsettled(held)
                if found is not None:
                    sources.append(held)
                    records += found
                    room -= sum(map(len, found))
        if len(sources) > 1:
            yield from self._replace(sources, records, files)

    def _take(self, name: str) -> HeldSegment | None:
        held = self._orphans.take(name)
        if held is None:
            return None
        try:
            if held.reader.look_for_writer():
                return held
        except OSError as error:
            self._troubles.note(name, error)
            return None
        self._orphans.gone(name)
        self._on_live(held)
        return None

    def _unsettled(self, held: HeldSegment) -> list[bytes] | None:
        """Return the records that are left to do, or None if not all of it can be read: that one stays as it is."""
        try:
            return [encode(body) for body in held.left(self._destination.application_id)]
        except OSError as error:
            self._troubles.note(held.name, error)
        except DamagedRecordError:
            self._unfit.add(held.name)
        return None

    def _replace(self, sources: list[HeldSegment], records: list[bytes], files: dict[str, int]) -> Iterator[None]:
        stem = f"{sources[0].name[:13]}-{os.getpid()}-{secrets.token_hex(4)}"
        target, content = f"{stem}.seg", b"".join(records)
        self._half_done = True
        made = self._publish(stem, content, sources) if content else None
        for held in sources:
            files.pop(held.name, None)
            files.pop(ack_name(held.name), None)
        yield from self._remove(sources)
        if made is not None:
            files[target], files[ack_name(target)] = max(len(content), BLOCK), BLOCK
            room = self._destination.room_of_the_janitor()
            room.remove(PLAN, room.open(PLAN))
            del made  # until here nobody could take it
            self._orphans.see(target)
        self._half_done = False

    def _publish(self, stem: str, content: bytes, sources: list[HeldSegment]) -> SegmentFiles:
        room = self._destination.room_of_the_janitor()
        plan = Merge(target=f"{stem}.seg", sources=tuple(held.name for held in sources))
        line = encode(msgspec.json.encode(plan))
        file = room.create(PLAN)
        if room.files.write(file.fd, line) != len(line):
            raise OSError("what is about to be merged could be written down in part only")
        directory = self._destination.directory()
        started = _same([held.reader.started for held in sources])
        made = SegmentFiles(
            directory, self._destination.application_id, self._destination.intake, stem=stem, started=started
        )
        made.publish(own_reader=True, sync=True, content=content)
        return made

    def _remove(self, sources: list[HeldSegment]) -> Iterator[None]:
        """Remove segments whose events are elsewhere; of one that cannot be removed, the journal says so."""
        for held in sources:
            for _ in range(COST // 2):
                yield
            try:
                held.remove()
            except OSError as error:
                held.settle_all()
                self._orphans.let_go(held.name)
                self._say("spool merging", "a file of the spool that is done with cannot be removed (%s)", error)
            else:
                self._orphans.gone(held.name)


def _same(moments: list[float | None]) -> float | None:
    """Return the one of which all are, as good as."""
    known = [moment for moment in moments if moment is not None]
    return known[0] if len(known) == len(moments) and max(known) - min(known) <= STEP else None
