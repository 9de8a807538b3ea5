"""What the spool does with files that are not as it left them, and with a disk that fails."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest

from dd_pa.store.trusted_directory import spool_path
from tests.core.spools import Watched, event, events, ids

ALIEN = "0000000000000-1-0000000a.seg"


def left_behind(path: Path, count: int = 5) -> tuple[list[str], Path]:
    """Leave a segment of a process that is gone; return the ids in it and its path."""
    gone = Watched(path)
    put = gone.put(*events(count))
    [segment] = gone.segments()
    gone.spool.close()
    return ids(put), segment


def test_the_next_process_delivers_what_the_last_left(tmp_path: Path) -> None:
    """Nothing is left on disk when everything is delivered."""
    expected, _ = left_behind(tmp_path / "spool")
    watched = Watched(tmp_path / "spool")

    assert watched.deliver() == expected
    assert watched.files == []
    assert watched.spool.balance == -5


def test_two_processes_never_deliver_the_same_segment(tmp_path: Path) -> None:
    """A segment belongs to one of them until it lets it go."""
    expected, _ = left_behind(tmp_path / "spool")
    first, second = Watched(tmp_path / "spool"), Watched(tmp_path / "spool")
    first.tend()

    assert second.deliver() == []
    [one, *_] = first.spool.take(1)
    first.spool.settle(one)
    first.spool.close()
    assert sorted([one.id, *second.deliver()]) == expected


def test_a_living_process_keeps_its_segment(tmp_path: Path) -> None:
    """Neighbours leave alone what its own process delivers."""
    owner, neighbour = Watched(tmp_path / "spool"), Watched(tmp_path / "spool")
    put = owner.put(*events(3))

    assert neighbour.deliver() == []
    assert owner.deliver() == ids(put)


def test_a_process_that_does_not_read_is_delivered_by_another(tmp_path: Path) -> None:
    """With DELIVERY="process" web workers only write, and one process delivers while they do."""
    writer, deliverer = Watched(tmp_path / "spool", reads=False), Watched(tmp_path / "spool", for_all=True)
    put = writer.put(*events(3))
    assert deliverer.deliver() == ids(put)
    later = writer.put(*events(2))

    assert (deliverer.deliver(), writer.spool.balance) == (ids(later), 5)


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """Directory 0700 and files 0600, under an open umask and under a closed one."""
    modes = set()
    for number, umask in enumerate((0o000, 0o777)):
        before = os.umask(umask)
        try:
            watched = Watched(tmp_path / str(number) / "spool")
            watched.put(event())
        finally:
            os.umask(before)
        modes |= {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / str(number)).rglob("*")}

    assert modes == {(True, 0o700), (False, 0o600)}


def symlink(path: Path) -> Path:
    """A directory behind a symbolic link."""
    (path / "real").mkdir()
    (path / "link").symlink_to(path / "real")
    return path / "link"


def below_symlink(path: Path) -> Path:
    """A directory whose parent is a symbolic link."""
    return symlink(path) / "spool"


def group_writable(path: Path) -> Path:
    """A directory in which others can write."""
    (path / "open").mkdir()
    (path / "open").chmod(0o770)
    return path / "open"


def below_writable(path: Path) -> Path:
    """A directory that others can replace."""
    (path / "open").mkdir()
    (path / "open").chmod(0o777)
    return path / "open" / "spool"


def foreign(path: Path) -> Path:
    """Another user's directory."""
    (path / "theirs").mkdir(mode=0o700)
    os.chown(path / "theirs", 65534, 65534)
    return path / "theirs"


def plain_file(path: Path) -> Path:
    """No directory."""
    (path / "file").touch()
    return path / "file"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=make.__name__)
        for make in (symlink, below_symlink, group_writable, below_writable, foreign, plain_file)
    ],
)
def test_a_place_that_cannot_be_trusted_is_not_used(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """Events wait in memory, and the log says why and how to mend it."""
    if os.geteuid() != 0 and make is foreign:
        pytest.skip("only root can make another user's directory")
    place = make(tmp_path)
    watched = Watched(place)
    put = watched.put(event(), event())

    assert watched.deliver() == ids(put)
    assert len([said for said in watched.said if "memory" in said and ("SPOOL_DIR" in said or "chmod" in said)]) == 1
    assert list(tmp_path.rglob("*.seg")) == []


def make_symlink(path: Path, segment: Path) -> None:
    """A link to a good segment."""
    shutil.copy(segment, path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def make_hardlink(path: Path, segment: Path) -> None:
    """A second name of a good segment."""
    shutil.copy(segment, path.parent.parent / "elsewhere")
    path.hardlink_to(path.parent.parent / "elsewhere")


def make_fifo(path: Path, segment: Path) -> None:
    """A pipe, whose opening would block."""
    os.mkfifo(path)


def make_directory(path: Path, segment: Path) -> None:
    """A directory."""
    path.mkdir()


def make_other_version(path: Path, segment: Path) -> None:
    """A segment of a later release."""
    path.write_bytes(segment.read_bytes().replace(b'"format":1', b'"format":2', 1))


def make_other_application(path: Path, segment: Path) -> None:
    """A segment of another application."""
    path.write_bytes(segment.read_bytes().replace(b'"application_id":"shop"', b'"application_id":"shed"', 1))


def make_zeros(path: Path, segment: Path) -> None:
    """Nothing but zeros, a gigabyte of them, sparse."""
    path.touch()
    os.truncate(path, 1 << 30)


def make_gzip(path: Path, segment: Path) -> None:
    """Something compressed."""
    path.write_bytes(b"\x1f\x8b\x08\x00" + os.urandom(2000))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=make.__name__.removeprefix("make_"))
        for make in (
            make_symlink,
            make_hardlink,
            make_fifo,
            make_directory,
            make_other_version,
            make_other_application,
            make_zeros,
            make_gzip,
        )
    ],
)
def test_alien_files_are_left_alone(make: Callable[[Path, Path], None], tmp_path: Path) -> None:
    """Delivery goes on beside them; they are said once, stay, and count for no bound."""
    expected, segment = left_behind(tmp_path / "spool")
    alien = segment.parent / ALIEN
    make(alien, segment)
    before = alien.lstat()
    watched = Watched(tmp_path / "spool", max_bytes=1 << 20)

    assert watched.deliver() == expected
    assert (alien.lstat().st_ino, alien.lstat().st_size) == (before.st_ino, before.st_size)
    assert watched.dropped == []
    assert [said for said in watched.said if ALIEN in said] == [
        f"a file in the spool is none of ours, and is left alone: {ALIEN!r}"
    ]


def test_an_empty_segment_is_removed(tmp_path: Path) -> None:
    """A loss of power can leave a name without contents."""
    expected, segment = left_behind(tmp_path / "spool")
    (segment.parent / ALIEN).touch()
    watched = Watched(tmp_path / "spool")

    assert (watched.deliver(), watched.files) == (expected, [])


def test_a_damaged_record_is_set_aside(tmp_path: Path) -> None:
    """It is never sent, the others are, and it can be seen among the dead letters."""
    gone = Watched(tmp_path / "spool")
    put = gone.put(event(1, secret="damaged"), event(2))
    [segment] = gone.segments()
    gone.spool.close()
    segment.write_bytes(segment.read_bytes().replace(b"damaged", b"demaged"))
    watched = Watched(tmp_path / "spool")

    assert watched.deliver() == [put[1].id]
    assert watched.dropped == [("damaged", None)]
    assert watched.files == []
    [letters] = (segment.parent / "rejected").glob("*.seg")
    assert b'"reason":"damaged"' in letters.read_bytes()


@pytest.mark.parametrize(
    "moment", ["9" * 400, "-1", "-" + "9" * 30, "1.5", "true", "null", '"1"', "253402300800000", "1e300"]
)
def test_a_moment_that_no_clock_shows_is_damage(tmp_path: Path, moment: str) -> None:
    """Nothing that reckons with it raises: the record is set aside, and the others are delivered."""
    expected, segment = left_behind(tmp_path / "spool")
    record = b'{"application":{"id":"shop"},"event":{"name":"a.b"},"dd_pa":{"event_id":"e","occurred_at":%b}}'
    record %= moment.encode()
    with segment.open("ab") as file:
        file.write(b"\n%08x %b\n" % (crc32(record), record))
    watched = Watched(tmp_path / "spool")
    watched.tend()
    taken = watched.spool.take(10)

    assert ids(taken) == expected
    assert (watched.spool.oldest() or 0) / 1000 > 0
    assert watched.dropped == [("damaged", None)]
    for one in taken:
        watched.spool.settle(one)
    watched.tend()
    [letters] = (segment.parent / "rejected").glob("*.seg")
    assert b'"reason":"damaged"' in letters.read_bytes()


def test_an_event_of_another_application_is_never_sent(tmp_path: Path) -> None:
    """Each event's application is looked at, not only the segment's."""
    other = Watched(tmp_path / "other", application_id="shop")
    other.put(event(1))
    [segment] = other.segments()
    other.spool.close()
    lines = segment.read_bytes()
    expected, mine = left_behind(tmp_path / "spool")
    record = lines.split(b"\n")[2][9:].replace(b'"id":"shop"', b'"id":"shed"')
    with mine.open("ab") as file:
        file.write(b"\n%08x %b\n" % (crc32(record), record))
    watched = Watched(tmp_path / "spool")

    assert watched.deliver() == expected
    assert watched.dropped == [("damaged", None)]


@pytest.mark.parametrize(
    "cut", [pytest.param(1, id="newline"), pytest.param(50, id="half"), pytest.param(200, id="all")]
)
def test_a_torn_record_is_skipped(cut: int, tmp_path: Path) -> None:
    """What a killed or failing write left is no event, and spoils none."""
    gone = Watched(tmp_path / "spool")
    put = gone.put(*events(3))
    [segment] = gone.segments()
    gone.spool.close()
    os.truncate(segment, segment.stat().st_size - cut)
    watched = Watched(tmp_path / "spool")

    assert watched.deliver() == ids(put[:2])
    assert (watched.dropped, watched.files) == ([], [])


def test_a_line_without_end_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """A gigabyte without a newline is set aside once; the record behind it is delivered."""
    gone = Watched(tmp_path / "spool")
    put = gone.put(event(1))
    [segment] = gone.segments()
    before = segment.stat().st_size
    put += gone.put(event(2))
    gone.spool.close()
    second = segment.read_bytes()[before:]
    with segment.open("r+b") as file:
        file.truncate(before)
        file.seek(before)
        file.write(b"\nx")
        file.seek(200 << 20, os.SEEK_CUR)
        file.write(b"\n" + second)
    watched = Watched(tmp_path / "spool")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert watched.deliver(rounds=80) == ids(put)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20_000
    assert watched.dropped == [("damaged", None)]
    assert watched.files == []


def test_two_applications_share_a_directory(tmp_path: Path) -> None:
    """Nothing crosses from one to the other, and each finds its own again."""
    expected, _ = left_behind(tmp_path / "spool")
    shed = Watched(tmp_path / "spool", application_id="shed")
    assert shed.deliver() == []

    assert Watched(tmp_path / "spool").deliver() == expected


def test_the_oldest_segments_go_when_the_spool_is_full(tmp_path: Path) -> None:
    """Each lost event is counted; what is left is the newest, and within the bound."""
    watched = Watched(tmp_path / "spool", max_bytes=64_000, segment_bytes=4_000)
    put = []
    for number in range(600):
        put += watched.put(event(number))
        watched.spool.tend()
    watched.tend()
    dropped = [event.id for reason, event in watched.dropped if event is not None and reason == "overflow"]

    assert watched.spool.bytes <= 64_000
    assert dropped == [event.id for event in put[: len(dropped)]]
    assert watched.deliver() == ids(put[len(dropped) :])
    assert watched.spool.pending == 0


def test_a_process_that_only_writes_keeps_the_bound(tmp_path: Path) -> None:
    """While nobody delivers, the writers themselves drop the oldest segments."""
    watched = Watched(tmp_path / "spool", max_bytes=64_000, segment_bytes=4_000, reads=False)
    for number in range(600):
        watched.put(event(number))
    watched.now += 5
    watched.put(event(600))

    assert watched.spool.bytes <= 64_000
    assert {reason for reason, _ in watched.dropped} == {"overflow"}


def test_drop_newest_refuses_events_until_there_is_room(tmp_path: Path) -> None:
    """What was kept stays; a delivered segment makes room."""
    watched = Watched(tmp_path / "spool", max_bytes=32_000, segment_bytes=4_000, drop_newest=True)
    kept = []
    for number in range(400):
        one = event(number)
        if watched.spool.put(one):
            kept.append(one)
        watched.spool.tend()

    assert 400 - len(kept) == len(watched.dropped) > 0
    assert watched.deliver() == ids(kept)
    assert watched.spool.put(event())


def test_a_removed_directory_is_made_again(tmp_path: Path) -> None:
    """What was open is still delivered, and later events are safe again."""
    watched = Watched(tmp_path / "spool")
    first = watched.put(event(1))
    shutil.rmtree(tmp_path / "spool")
    watched.now += 2
    [later] = watched.put(event(2))

    assert watched.deliver() == ids([*first, later])
    watched.put(event(3))
    assert len(watched.segments()) == 1


def test_a_working_directory_that_is_gone_costs_no_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a deployment removes the release from which a process was started."""
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path / "release")
    (tmp_path / "release").rmdir()
    watched = Watched(tmp_path / "spool")
    watched.put(event(1))

    assert len(watched.segments()) == 1
    assert spool_path("auto").startswith("/")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir(mode=0o700)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "none", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_costs_no_event(small_disk: Path) -> None:
    """What does not fit waits in memory, said once a time; when there is room again, it goes to disk."""
    watched = Watched(small_disk / "spool", segment_bytes=1 << 20)
    (small_disk / "others").write_bytes(b"x" * 100_000)
    put = watched.put(*events(900))
    assert 0 < watched.memory.pending < 900
    assert not watched.spool.durable
    assert any("memory" in said for said in watched.said)
    (small_disk / "others").unlink()
    watched.now += 2
    put += watched.put(event())
    watched.tend()

    assert watched.memory.waiting == 0
    assert watched.deliver() == ids(put)


def test_a_read_only_disk_costs_no_event(small_disk: Path) -> None:
    """Events written before are delivered, later ones wait in memory."""
    expected, _ = left_behind(small_disk / "spool")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    watched = Watched(small_disk / "spool")
    put = watched.put(event())

    assert watched.deliver() == ids(put)
    subprocess.run(["mount", "-o", "remount,rw,size=256k", str(small_disk)], check=True)
    assert watched.deliver() == expected


def test_many_small_segments_open_few_files(tmp_path: Path) -> None:
    """A backlog of hundreds of segments is taken in turns."""
    expected: list[str] = []
    for _ in range(60):
        gone = Watched(tmp_path / "spool")
        expected += ids(gone.put(event()))
        gone.spool.close()
    watched = Watched(tmp_path / "spool")
    watched.tend()
    opened = len(os.listdir("/proc/self/fd"))
    watched.spool.close()

    assert opened - len(os.listdir("/proc/self/fd")) <= 2 * 16 + 3
    assert Watched(tmp_path / "spool").deliver(rounds=8) == sorted(expected)


def test_what_a_crash_left_between_two_steps_is_swept(tmp_path: Path) -> None:
    """An unpublished segment and a journal without a segment go, when nobody had them for long."""
    watched = Watched(tmp_path / "spool")
    folder = watched.folder
    for name in ("0000000000000-1-0000000b.new", "0000000000000-1-0000000c.ack"):
        (folder / name).touch()
    watched.tend()
    watched.now += 50
    young = folder / "0000000000000-1-0000000d.new"
    young.touch()
    watched.tend()
    watched.now += 10
    watched.tend()

    assert [path.name for path in folder.iterdir() if path.is_file()] == [young.name]


def test_close_leaves_nothing_that_is_delivered(tmp_path: Path) -> None:
    """A process that ends in order leaves no files behind, and what it could not deliver to the next."""
    watched = Watched(tmp_path / "spool")
    put = watched.put(*events(2))
    [first] = watched.spool.take(1)
    watched.spool.settle(first)
    watched.spool.close()

    assert (watched.spool.pending, watched.spool.waiting) == (1, 1)
    second = Watched(tmp_path / "spool")
    assert second.deliver() == [put[1].id]
    assert second.files == []
