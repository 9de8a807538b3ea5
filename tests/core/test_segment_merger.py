"""Small segments that others left become few while nothing can be delivered: what that costs, what faults do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from dd_pa.store.janitor_duty import TURN
from dd_pa.store.segment_merger import LEAST, MOST
from tests.core.spools import Watched, event, ids
from tests.core.test_janitor import Counted, orphans
from tests.core.test_spool_crash import Disk, Recorder, torn


def merged(path: Path, *, files: Any = os, looks: int = 30, **options: Any) -> Watched:
    """Return a process that could deliver nothing so far."""
    watched = Watched(path, files=files, **options)
    watched.healthy = False
    for _ in range(looks):
        watched.tend()
    return watched


def test_small_segments_become_few(tmp_path: Path) -> None:
    """Each event is still there, once, and leaves when it can; nothing else is left."""
    expected = orphans(tmp_path / "spool", 300)
    watched = merged(tmp_path / "spool")

    assert len(watched.segments()) < LEAST + 300 / LEAST
    watched.healthy = True
    assert watched.deliver() == expected
    assert (watched.files, watched.dropped, watched.said) == ([], [], [])


def test_a_look_costs_the_same_however_many_were_left(tmp_path: Path) -> None:
    """While processes leave one after the other, neither the files nor the work of a second grow with their number."""
    files = Counted()
    watched = Watched(tmp_path / "spool", files=files)
    watched.healthy = False
    calls, expected = [], []
    for _ in range(60):
        expected += leave(watched, 20)
        before = files.calls
        for _ in range(8):  # of a second: a look that was cut short goes on
            watched.now += 0.05
            watched.spool.tend()
        watched.tend()
        calls.append(files.calls - before)
        assert len(watched.files) <= 2 * 2 * MOST

    assert max(calls[-20:]) <= max(calls[:20]) * 1.25
    watched.healthy = True
    assert watched.deliver(rounds=8) == sorted(expected)


def leave(watched: Watched, count: int) -> list[str]:
    """Be some processes that put an event each and are killed."""
    left = []
    for number in range(count):
        gone = Watched(watched.folder.parent)
        left += gone.put(event(number))
        gone.kill()
    return ids(left)


def test_a_process_that_delivers_merges_nothing(tmp_path: Path) -> None:
    """It would wait for the disk, to save nothing."""
    orphans(tmp_path / "spool", 100)
    watched = Watched(tmp_path / "spool")
    names = watched.segments()
    for _ in range(8):
        watched.tend()

    assert watched.segments() == names


def test_where_none_delivers_a_writer_merges(tmp_path: Path) -> None:
    """With `DELIVERY="process"`, and that process gone, a writer that begins a segment keeps order, once."""
    expected = orphans(tmp_path / "spool", 100)
    writer = Watched(tmp_path / "spool", reads=False)
    put = writer.put(event())

    assert len(writer.segments()) < 20
    writer.kill()
    assert Watched(tmp_path / "spool").deliver() == sorted([*expected, *ids(put)])


def test_what_is_written_or_damaged_stays_as_it_is(tmp_path: Path) -> None:
    """A living neighbour's segment is delivered from where it is; what is damaged is set aside when it is read."""
    living, writer = Watched(tmp_path / "spool"), Watched(tmp_path / "spool", reads=False)
    put = living.put(event(1)) + writer.put(event(2))
    expected = orphans(tmp_path / "spool", 40)
    bad = writer.segments()[20]
    bad.write_bytes(bad.read_bytes().replace(b"order.placed", b"order.PLACED"))
    watched = merged(tmp_path / "spool")
    put += living.put(event(3))
    put += writer.put(event(4))

    assert bad in watched.segments()
    watched.healthy = True
    delivered = watched.deliver() + living.deliver()
    assert len(set(expected) - set(delivered)) == 1
    assert set(ids(put)) <= set(delivered)
    assert watched.dropped == [("damaged", None)]


def test_settled_events_are_not_copied(tmp_path: Path) -> None:
    """What its journal calls settled stays so."""
    first = Watched(tmp_path / "spool")
    put = first.put(event(1), event(2))
    [taken] = first.spool.take(1)
    first.spool.settle(taken)
    first.kill()
    expected = orphans(tmp_path / "spool", 40)
    watched = merged(tmp_path / "spool")

    watched.healthy = True
    assert watched.deliver() == sorted({*ids(put), *expected} - {taken.id})


def test_every_stop_of_a_merge_is_recovered_from(tmp_path: Path) -> None:
    """A kill after any file operation, whole or torn, loses no event and doubles none."""
    expected = orphans(tmp_path / "spool", LEAST)
    folder = Watched(tmp_path / "spool").folder
    before = Disk([])
    before.files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    recorder = Recorder()
    shutil.copytree(tmp_path / "spool", tmp_path / "merged")
    watched = merged(tmp_path / "merged", files=recorder, looks=8)
    assert len(watched.segments()) == 1

    for end in range(len(recorder.operations) + 1):
        for number, stopped in enumerate(torn(recorder.operations[:end])):
            disk = Disk([])
            disk.files = dict(before.files)
            for operation in stopped:
                disk.do(operation)
            path = tmp_path / f"{end}-{number}"
            disk.lay_out(path / folder.name)
            next_one = Watched(path)

            assert (end, number, next_one.deliver()) == (end, number, expected)
            assert [name for name in next_one.files if name == ".seg"] == []
            next_one.spool.close()


def test_a_segment_that_cannot_be_removed_is_not_delivered_twice(tmp_path: Path) -> None:
    """Its journal says that it is settled, to the next process too."""
    expected = orphans(tmp_path / "spool", 40)
    bad = Watched(tmp_path / "spool").segments()[5]
    files = Counted(lambda name, values: name == "unlink" and values[0] == bad.name)
    watched = merged(tmp_path / "spool", files=files)
    assert bad in watched.segments()
    watched.healthy = True
    assert watched.deliver() == expected
    watched.kill()
    next_one = Watched(tmp_path / "spool")
    assert next_one.deliver() == []
    assert next_one.segments() == []


@pytest.mark.parametrize("call", ["fsync", "rename", "write"])
def test_a_disk_that_fails_leaves_them_as_they_are(call: str, tmp_path: Path) -> None:
    """Nothing is lost or twice, the bound is kept, and it is tried again later."""
    expected = orphans(tmp_path / "spool", 40)
    armed = [True]
    files = Counted(lambda name, values: bool(armed) and name == call)
    watched = merged(tmp_path / "spool", files=files)

    assert len(watched.segments()) == 40
    assert any("stay as they are" in said for said in watched.said)
    armed.clear()
    watched.now += 100
    for _ in range(8):
        watched.tend()
    assert len(watched.segments()) <= LEAST + 2
    watched.healthy = True
    assert watched.deliver() == expected


def test_it_ends_with_the_duty(tmp_path: Path) -> None:
    """Another process that can deliver does not wait until all is merged."""
    expected = orphans(tmp_path / "spool", 600)
    sick, well = Watched(tmp_path / "spool"), Watched(tmp_path / "spool")
    sick.healthy = False
    sick.tend()
    for _ in range(int(TURN // 2) + 4):
        well.tend()
        sick.tend()

    assert len(well.segments()) > 300
    assert well.deliver(rounds=8) == expected
