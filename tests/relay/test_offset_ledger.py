"""What is committed of a partition: in whatever order events are settled, none is skipped."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dd_pa.relay.offset_ledger import LONGEST_NOTE, OffsetLedger


@dataclass
class Partition:
    """A partition with its offsets, what is committed of it, and what became of its events."""

    offsets: list[int]
    committed: tuple[int | None, str] = (None, "")
    settled: set[int] = field(default_factory=set)

    def read(self, ledger: OffsetLedger, count: int, read: int) -> list[int]:
        """Give the next messages to the ledger's deliverer; return those that it did not skip."""
        return [offset for offset in self.offsets[read : read + count] if ledger.add(offset)]

    def start(self) -> tuple[OffsetLedger, int]:
        """Have somebody take the partition over; return the ledger, and how many messages lie before."""
        ledger = OffsetLedger(*self.committed)
        return ledger, sum(offset < (self.committed[0] or 0) for offset in self.offsets)

    def commit(self, ledger: OffsetLedger) -> None:
        if ledger.position is not None:
            self.committed = (ledger.position, ledger.note())


steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, 20)),
        st.tuples(st.just("settle"), st.integers(0, 1_000)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("move"), st.just(0)),
    ),
    max_size=120,
)


@given(start=st.integers(0, 10**12), gaps=st.lists(st.integers(1, 3), max_size=60), steps=steps)
def test_nothing_is_skipped_whoever_has_the_partition(
    start: int, gaps: list[int], steps: list[tuple[str, int]]
) -> None:
    """Offsets may have gaps, a deliverer may lose the partition at any time, with or without a commit."""
    offsets = [start]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    partition = Partition(offsets)
    ledger, read = partition.start()
    held: list[int] = []
    for step, amount in [*steps, ("move", 0), ("read", len(offsets))]:
        if step == "read":
            fresh = partition.read(ledger, amount, read)
            read = min(read + amount, len(offsets))
            held += fresh
        elif step == "settle" and held:
            offset = held.pop(amount % len(held))
            ledger.settle(offset)
            partition.settled.add(offset)
        elif step == "commit":
            partition.commit(ledger)
        elif step == "move":
            ledger, read = partition.start()
            held = []
        assert ledger.position is None or not held or ledger.position <= min(held)
        assert all(offset in partition.settled for offset in offsets if offset < (partition.committed[0] or 0))
    assert set(held) >= set(offsets) - partition.settled  # whatever is left is given once more


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_what_was_settled_and_committed_does_not_go_again(done: list[bool]) -> None:
    partition = Partition(list(range(len(done))))
    ledger, _ = partition.start()
    partition.read(ledger, len(done), 0)
    for offset, settled in enumerate(done):
        if settled:
            ledger.settle(offset)
    partition.commit(ledger)
    heir, read = partition.start()
    assert partition.read(heir, len(done), read) == [offset for offset, settled in enumerate(done) if not settled]


def test_a_note_is_handed_on_by_who_has_not_read_as_far() -> None:
    ledger = OffsetLedger(0, "dd-pa:1,98,1,10")
    assert [offset for offset in range(3) if ledger.add(offset)] == [0]
    heir = OffsetLedger(ledger.position, ledger.note())
    assert [offset for offset in range(200) if heir.add(offset)] == [0, 99, *range(110, 200)]


def test_a_note_that_has_no_room_is_cut_and_the_rest_goes_again() -> None:
    ledger = OffsetLedger()
    for offset in range(10_000):
        ledger.add(offset)
    for offset in range(1, 10_000, 2):
        ledger.settle(offset)
    assert LONGEST_NOTE - 20 < len(ledger.note()) <= LONGEST_NOTE + len("dd-pa:")
    heir = OffsetLedger(ledger.position, ledger.note())
    again = [offset for offset in range(10_000) if heir.add(offset)]
    assert set(range(0, 10_000, 2)) < set(again)
    assert len(again) < 10_000


@pytest.mark.parametrize("note", ["", "somebody else's", "dd-pa:", "dd-pa:1", "dd-pa:1,x", "dd-pa:-1,5", "dd-pa:1,5 "])
def test_a_note_that_is_none_settles_nothing(note: str) -> None:
    ledger = OffsetLedger(0, note)
    assert [offset for offset in range(10) if ledger.add(offset)] == list(range(10))


def test_a_partition_that_begins_anew_is_read_whole() -> None:
    """It was made again, or has lost its end: the same offsets are other messages."""
    ledger = OffsetLedger(500, "dd-pa:1,100")
    assert [offset for offset in range(1_000) if ledger.add(offset)] == list(range(1_000))
    assert ledger.position == 0


def test_how_far_it_is_ahead() -> None:
    ledger = OffsetLedger()
    assert ledger.ahead == 0
    for offset in range(7, 20):
        ledger.add(offset)
    assert ledger.ahead == 13
    ledger.settle(7)
    ledger.settle(9)
    assert (ledger.position, ledger.ahead) == (8, 12)
    for offset in range(8, 20):
        ledger.settle(offset)
    assert (ledger.position, ledger.ahead, ledger.note()) == (20, 0, "")
