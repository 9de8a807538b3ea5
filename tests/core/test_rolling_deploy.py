"""Processes of the release before and of this one on the same spool at once: what one writes, either delivers."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from pathlib import Path

import pytest

from tests.core.old_release import HEADER, RECORD, OldProcess
from tests.core.spools import Watched, event, ids


def test_what_the_old_release_left_is_delivered(tmp_path: Path) -> None:
    """Settled events are not, those that were torn are no loss, and nothing is left."""
    watched = Watched(tmp_path / "spool")
    old = OldProcess(watched.folder, 1)
    put = [uuid.uuid4().hex for _ in range(6)]
    for one in put:
        old.put(one)
    old.scan()
    sent = old.take(2)
    for one in sent:
        old.settle(one)
    old.kill()

    assert watched.deliver() == sorted(set(put) - set(sent))
    assert (watched.files, watched.dropped, watched.said) == ([], [], [])


def test_what_this_release_writes_the_old_one_reads(tmp_path: Path) -> None:
    """Header, records and journal are those that it knows, of a merged segment too."""
    watched = Watched(tmp_path / "spool", segment_bytes=700)
    put = watched.put(*(event(number) for number in range(40)))
    [sent] = watched.spool.take(1)
    watched.spool.settle(sent)
    watched.kill()
    merging = Watched(tmp_path / "spool")
    merging.healthy = False
    for _ in range(8):
        merging.tend()
    assert len(merging.segments()) < 20
    merging.kill()
    old = OldProcess(watched.folder, 1)
    old.scan()

    assert sorted(old.take(100)) == sorted(set(ids(put)) - {sent.id})


def test_the_format_is_that_of_the_old_release(tmp_path: Path) -> None:
    """The bytes are the same, but for the moment, and what is new at the end of the header."""
    watched = Watched(tmp_path / "spool")
    [put] = watched.put(event())
    header, rest = watched.segments()[0].read_bytes().split(b"\n", 1)

    assert header.startswith(HEADER.strip().rpartition(b":")[0])
    assert [record[2] for record in RECORD.finditer(b"\n" + rest)] == [put.body]


class Deploy:
    """Two processes of each release over one directory, in an order that a seed draws."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path, self.draws = path, random.Random(seed)
        self._folder = Watched(path).folder
        self._new = [self._start() for _ in range(2)]
        self._old = [OldProcess(self._folder, number) for number in range(2)]
        self._steps = 0
        self.put: set[str] = set()
        self.sent: Counter[str] = Counter()
        self.on_their_way: set[str] = set()
        """Those that were sent by a process that was killed before it could note the answer."""

        self.dropped: list[object] = []

    def _start(self) -> Watched:
        return Watched(self._path, segment_bytes=900)

    def step(self) -> None:
        """Have one process do one thing."""
        self._steps += 1
        do = (self.track, self.track, self.old, self.new, self.new, self.kill_old, self.kill_new, self.fail)
        self.draws.choice(do)(self.draws.randrange(2))

    def track(self, who: int) -> None:
        """Track an event in a process of each; the old one begins a new segment now and then."""
        [made] = self._new[who].put(event(self._steps))
        other = uuid.uuid4().hex
        self._old[who].put(other)
        self.put |= {made.id, other}
        if self.draws.random() < 0.5:
            self._old[who].rotate()

    def old(self, who: int) -> None:
        """Have an old process deliver some."""
        self._old[who].scan()
        for one in self._old[who].take(3):
            self.sent[one] += 1
            self._old[who].settle(one)

    def new(self, who: int) -> None:
        """Have a new process deliver some."""
        self._new[who].tend()
        for taken in self._new[who].spool.take(3) if self._new[who].healthy else ():
            self.sent[taken.id] += 1
            self._new[who].spool.settle(taken)

    def fail(self, who: int) -> None:
        """Have the intake refuse what a new process sends, or take it again."""
        self._new[who].healthy = not self._new[who].healthy

    def kill_old(self, who: int) -> None:
        """Kill an old process with requests in flight."""
        self._lose(self._old[who].take(2))
        self._old[who].kill()
        self._old[who] = OldProcess(self._folder, self._steps + 10)

    def kill_new(self, who: int) -> None:
        """Kill a new process with requests in flight."""
        self._lose(ids(self._new[who].spool.take(2)))
        self.dropped += self._new[who].dropped
        self._new[who].kill()
        self._new[who] = self._start()

    def _lose(self, some: list[str]) -> None:
        self.sent.update(some)
        self.on_their_way |= set(some)

    def end(self) -> Watched:
        """Kill all, and have one more deliver what is left."""
        for who in range(2):
            self._old[who].kill()
            self.dropped += self._new[who].dropped
            self._new[who].kill()
        last = Watched(self._path)
        self.sent.update(last.deliver(rounds=12))
        self.dropped += last.dropped
        return last


@pytest.mark.parametrize("seed", range(6))
def test_both_at_once_lose_nothing_and_double_nothing(seed: int, tmp_path: Path) -> None:
    """Whatever they do in which order, killed now and then: no more than was on its way goes twice.

    Nothing is set aside, and nothing is stuck.
    """
    deploy = Deploy(tmp_path / "spool", seed)
    for _ in range(200):
        deploy.step()
    last = deploy.end()

    assert deploy.put - set(deploy.sent) == set()
    assert {one for one, times in deploy.sent.items() if times > 1} <= deploy.on_their_way
    assert (deploy.dropped, last.segments()) == ([], [])
