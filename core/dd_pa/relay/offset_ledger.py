"""Which messages of one partition are settled. Kafka keeps one number for a partition: where to read on."""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

MOST_AHEAD = 20_000
"""Messages of one partition that may be given out while one before them is not settled."""

LONGEST_NOTE = 3_000
"""Most characters of a note; brokers take 4,096 unless their operators say otherwise."""

_NOTE = re.compile(r"dd-pa:(\d{1,9}(?:,\d{1,9})*)", re.ASCII)


class OffsetLedger:
    """The messages that a deliverer was given of one partition, since it has the partition.

    `position` is the first offset that is not settled: what comes before it is done. One slow event holds it back,
    and no other event; `note` says which of those behind it are done, for whoever has the partition next.
    `start` and `note` are what was committed last, by whoever had it before.
    """

    def __init__(self, start: int | None = None, note: str = "") -> None:
        self._held: set[int] = set()
        self._heap: list[int] = []  # offsets that are or were held: a settled one leaves when it comes to the top
        self._end = start
        self._done = deque(() if start is None else _settled(start, note))

    @property
    def position(self) -> int | None:
        """The offset to read on at; None before the first message, if nobody has committed one either."""
        while self._heap and self._heap[0] not in self._held:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else self._end

    @property
    def ahead(self) -> int:
        """Number of offsets from the position to the last message."""
        return (self._end or 0) - (self.position or 0)

    @property
    def is_far_ahead(self) -> bool:
        """So much was given out behind an event that is not settled that no more may be."""
        return self.ahead >= MOST_AHEAD

    @property
    def reach(self) -> int:
        """The offset after the last one that is known to have been there."""
        return max((self._end or 0, *(done.stop for done in self._done)))

    def add(self, offset: int) -> bool:
        """Note a message that has arrived; return False if the note says that it is settled already."""
        if self._end is not None and offset < self._end:
            self._done.clear()  # the partition is read again, and may not be what it was: nothing is skipped
        self._end = offset + 1
        while self._done and self._done[0].stop <= offset:
            self._done.popleft()
        if self._done and offset in self._done[0]:
            return False
        if offset not in self._held:
            self._held.add(offset)
            heapq.heappush(self._heap, offset)
        return True

    def __contains__(self, offset: int) -> bool:
        """Tell whether a message was given and is not settled."""
        return offset in self._held

    def settle(self, offset: int) -> None:
        """Note that a message is done with."""
        self._held.discard(offset)

    def note(self) -> str:
        """Return lengths of runs from the position on, in turns held and settled; empty if nothing settled is behind.

        What has no room is left out, and is delivered again at worst.
        """
        lengths: list[str] = []
        size, at = 0, self.position or 0
        for start, stop in self._gaps():
            pair = [str(start - at), str(stop - start)]
            size += sum(map(len, pair)) + 2
            if size > LONGEST_NOTE:
                break
            lengths += pair
            at = stop
        return f"dd-pa:{','.join(lengths)}" if lengths else ""

    def _gaps(self) -> Iterator[tuple[int, int]]:
        """Return the stretches between held offsets and behind the last one, and those that are not yet passed."""
        held, end = sorted(self._held), self._end or 0
        for before, after in pairwise((*held, end)):
            if after > before + 1:
                yield before + 1, after
        for done in self._done:
            if done.stop > end:
                yield max(done.start, end), done.stop


def _settled(start: int, note: str) -> Iterator[range]:
    """Return the offsets that a note says are settled; none for one that somebody else has written."""
    found = _NOTE.fullmatch(note)
    lengths = [int(length) for length in found[1].split(",")] if found else []
    for held, settled in zip(lengths[::2], lengths[1::2], strict=False):
        yield range(start + held, start + held + settled)
        start += held + settled
