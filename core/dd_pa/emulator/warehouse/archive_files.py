"""The files of an export: which of them hold the events of a time, and the newest ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dd_pa.emulator.warehouse.extent import Extent, Stretch

_FIRST_STRETCH = 1_000_000
"""Events that are looked at first, where the newest are looked for; each time four times as many."""
_DAY_MS = 24 * 3600 * 1000


class Content(NamedTuple):
    """What is in one file: the times of its first and last event, and how many there are."""

    start: int
    end: int
    rows: int


_NOTHING = Content(1, 0, 0)


def by_time(files: Sequence[Path]) -> list[Path]:
    """Return files in the order of the hours that their folders name."""
    return sorted(files, key=lambda file: (file.parts[-3:], file))


class ArchiveFiles:
    """Knows what is in each of them. An event's number is `size` times that of its file, and its place in that."""

    def __init__(self, size: int, contents: Mapping[int, Content], count: int) -> None:
        """`contents` by number of the file; one without events may be left out."""
        self.size = size
        self.all = range(count)
        self._contents = [contents.get(number, _NOTHING) for number in self.all]

    def of(self, extent: Extent) -> range:
        """Return the files, which follow each other, that have all events of an extent; never none."""
        found = self.all
        if extent.numbers is not None:
            first, last = (number // self.size for number in extent.numbers)
            found = range(max(0, first), min(last + 1, len(self.all)))
        if extent.times is not None:
            start, end = extent.times
            has = [n for n in found if self._contents[n].start <= end and self._contents[n].end >= start]
            found = range(has[0], has[-1] + 1) if has else found[:0]
        return found or self.all[:1]

    def stretches(self, before: int) -> Iterator[Stretch]:
        """Return parts of the events with smaller numbers, the newest part first, each larger than the one before."""
        last, wanted = min(before, len(self.all) * self.size) - 1, _FIRST_STRETCH
        while last >= 0:
            file = last // self.size
            first, rows = file, self._contents[file].rows
            while first > 0 and rows < wanted:
                first -= 1
                rows += self._contents[first].rows
            start = min((one.start for one in self._contents[first : file + 1] if one.rows), default=0)
            yield Stretch(first * self.size, last, self._a_day_before(first, start) * self.size, start if first else 0)
            last, wanted = first * self.size - 1, wanted * 4

    def _a_day_before(self, first: int, start: int) -> int:
        while first > 0 and self._contents[first - 1].end >= start - _DAY_MS:
            first -= 1
        return first
