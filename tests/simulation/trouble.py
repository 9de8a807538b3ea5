"""Brings the plan's trouble about: each kind is one function that arranges what is to happen when."""

from __future__ import annotations

import errno
import json
import random
import re
from collections.abc import Callable
from zlib import crc32

from dd_pa import Emitter
from dd_pa.process import forks
from tests.simulation.books import Tracked
from tests.simulation.disk import Node
from tests.simulation.faults import ALL, READING, WRITING, FileFault
from tests.simulation.intake import OLD_KEY
from tests.simulation.plan import Errand
from tests.simulation.process import Process
from tests.simulation.shop import START, URL, Place, Shop

Arrange = Callable[[Shop, random.Random], None]
HOUR = 3600.0


def moments(shop: Shop, draws: random.Random, most: int) -> list[float]:
    """Return some moments of the time of trouble."""
    return sorted(START + draws.uniform(0, shop.plan.lasts) for _ in range(draws.randint(1, most)))


def span(shop: Shop, draws: random.Random) -> tuple[float, float]:
    """Return a beginning and an end within the time of trouble."""
    begins = draws.uniform(0, shop.plan.lasts)
    return START + begins, START + min(shop.plan.lasts, begins + draws.choice((1.0, 10.0, 60.0)))


def flaky(shop: Shop, draws: random.Random) -> None:
    shop.intake.flaky = draws.choice((0.05, 0.3))


def lost(shop: Shop, draws: random.Random) -> None:
    shop.intake.lost = draws.choice((0.01, 0.1))


def lost_answer(shop: Shop, draws: random.Random) -> None:
    shop.intake.lost_answer = draws.choice((0.02, 0.2))


def revoked(shop: Shop, draws: random.Random) -> None:
    """One worker goes on with a key that ends."""
    place = draws.choice(shop.places)
    place.settings["api_key"] = OLD_KEY
    shop.revoked = place
    shop.intake.revoked_from = draws.uniform(0, shop.plan.lasts)


def clock(shop: Shop, draws: random.Random) -> None:
    """The wall clock is set; mostly forth and back."""

    def stepping(step: float) -> Callable[[], None]:
        def act() -> None:
            shop.note("clock", f"steps by {step:+.0f} s")
            shop.books.steps.append((shop.time(), step))
            shop.machine.wall += step

        return act

    for moment in moments(shop, draws, 4):
        step = draws.choice((-1, 1)) * draws.choice((60.0, HOUR, 5 * HOUR, 30 * HOUR, 24 * 10 * HOUR))
        shop.scheduler.at(moment, stepping(step))


def reboot(shop: Shop, draws: random.Random) -> None:
    """The machine is started again, and its clock is wrong for a while."""

    def act() -> None:
        if shop.healed:
            return
        for process in shop.living:
            shop.killed(process)
        shop.reboots += 1
        shop.machine.boot(f"boot {shop.reboots}")
        step = draws.choice((0.0, 12 * 365 * 24 * HOUR, 30 * 24 * HOUR, 5 * HOUR, -5 * HOUR, -24 * 365 * HOUR))
        shop.machine.wall = shop.machine.true + step
        shop.books.steps.append((shop.time(), step))
        shop.note("clock", f"is {step:+.0f} s off after a reboot")
        shop.scheduler.at(shop.scheduler.now + draws.choice((1.0, 5.0, 30.0)), corrected)

    def corrected() -> None:
        shop.note("clock", "is right")
        shop.machine.wall = shop.machine.true

    for moment in moments(shop, draws, 3):
        shop.scheduler.at(moment, act)


def eio(shop: Shop, draws: random.Random) -> None:
    begins, ends = span(shop, draws)
    calls = draws.choice((ALL, WRITING, READING))
    chance = draws.choice((0.01, 0.2, 1.0))
    shop.faults.faults.append(FileFault(calls=calls, error=errno.EIO, chance=chance, begins=begins, ends=ends))


def enospc(shop: Shop, draws: random.Random) -> None:
    """The disk is full for a while, but for a few bytes."""
    begins, ends = span(shop, draws)

    def fill() -> None:
        shop.disk.capacity = shop.disk.used + draws.randrange(3000)
        shop.note("disk", "is full")

    def empty() -> None:
        shop.disk.capacity = 1 << 40
        shop.note("disk", "has room")

    shop.scheduler.at(begins, fill)
    shop.scheduler.at(ends, empty)


def bad_file(shop: Shop, draws: random.Random) -> None:
    """A file cannot be opened any more, or not read."""
    for moment in moments(shop, draws, 3):
        calls = frozenset({draws.choice(("open", "read"))})
        error = draws.choice((errno.EIO, errno.EACCES))
        shop.scheduler.at(moment, _spoiling(shop, draws, calls, error, 0))


def bad_block(shop: Shop, draws: random.Random) -> None:
    for moment in moments(shop, draws, 3):
        shop.scheduler.at(moment, _spoiling(shop, draws, frozenset({"read"}), errno.EIO, draws.choice((1, 500, 5000))))


def _spoiling(shop: Shop, draws: random.Random, calls: frozenset[str], error: int, beyond: int) -> Callable[[], None]:
    def act() -> None:
        nodes = [node for path, node in shop.spool_files() if path.endswith((".seg", ".ack"))]
        if nodes:
            node = draws.choice(nodes)
            shop.faults.faults.append(FileFault(calls=calls, error=error, node=node, beyond=beyond))
            shop.note("disk", f"{node.origin} fails with {errno.errorcode[error]} beyond {beyond} at {sorted(calls)}")

    return act


def letters_fail(shop: Shop, draws: random.Random) -> None:
    """Only the dead letters cannot be written."""
    begins, ends = span(shop, draws)
    shop.faults.faults.append(
        FileFault(
            calls=draws.choice((WRITING, frozenset({"write"}), ALL)),
            error=draws.choice((errno.ENOSPC, errno.EACCES, errno.EIO)),
            name=re.compile("rejected"),
            begins=begins,
            ends=ends,
        )
    )


def list_fail(shop: Shop, draws: random.Random) -> None:
    begins, ends = span(shop, draws)
    shop.faults.faults.append(
        FileFault(calls=frozenset({"listdir"}), error=errno.EIO, chance=0.7, begins=begins, ends=ends)
    )


def descriptors(shop: Shop, draws: random.Random) -> None:
    """There are no more descriptors."""
    begins, ends = span(shop, draws)
    calls = frozenset({"open", "create"})
    shop.faults.faults.append(FileFault(calls=calls, error=errno.EMFILE, chance=0.8, begins=begins, ends=ends))


def nfs(shop: Shop, draws: random.Random) -> None:
    shop.disk.needs_writable_lock = True


def kill(shop: Shop, draws: random.Random) -> None:
    """Some process ends at once: at a moment, or within a call."""

    def act() -> None:
        if shop.healed or not shop.living:
            return
        process = draws.choice(shop.living)
        if draws.random() < 0.5:
            shop.killed(process)
        else:
            process.dies_after = draws.randrange(60)

    for moment in moments(shop, draws, 8):
        shop.scheduler.at(moment, act)


def kill_within(shop: Shop, draws: random.Random) -> None:
    """Some process is killed between two file operations that belong together."""

    def act() -> None:
        if not shop.healed:
            shop.calls.doom = draws.choice(("rename", "unlink", "unlink", "create")), draws.randint(0, 1)

    for moment in moments(shop, draws, 8):
        shop.scheduler.at(moment, act)


def rot(shop: Shop, draws: random.Random) -> None:
    """A byte of a record changes on the disk."""

    def act() -> None:
        waiting = [node for path, node in shop.spool_files() if path.endswith(".seg") and "/rejected/" not in path]
        for node in draws.sample(waiting, min(3, len(waiting))):
            found = list(_RECORD.finditer(node.data))
            if found:
                match = draws.choice(found)
                node.data[match.start(2)] = ord("y")
                event = shop.books.tracked.get(match[1].decode())
                if event is not None and not shop.is_known(event):
                    event.excused = "its record was damaged"
                shop.note("disk", f"damages {match[1][:6].decode()}")

    for moment in moments(shop, draws, 6):
        shop.scheduler.at(moment, act)


_RECORD = re.compile(rb'"event_id":"([0-9a-f]{32})"[^\n]*?"filling":"(x)')


def ends(shop: Shop, draws: random.Random) -> None:
    """Workers are told to end, as at a deployment."""

    def act() -> None:
        draws.choice(shop.places).ends_in_order = True

    for moment in moments(shop, draws, 4):
        shop.scheduler.at(moment, act)


def stall(shop: Shop, draws: random.Random) -> None:
    """A process is stopped for a while."""

    def act() -> None:
        if shop.living and not shop.healed:
            process = draws.choice(shop.living)
            process.stalled_until = min(shop.scheduler.now + draws.choice((3.0, 30.0)), START + shop.plan.lasts)
            shop.note("stall", process.name)

    for moment in moments(shop, draws, 4):
        shop.scheduler.at(moment, act)


def alien(shop: Shop, draws: random.Random) -> None:
    """Files of others are among ours."""

    def act() -> None:
        directory = destination(shop)
        if directory is None:
            return
        content = draws.choice((b"", b"garbage", b'{"format":2,"application_id":"shop"}\n', b"\0" * 5000))
        node = put_file(shop, directory, content, draws)
        node.uid = draws.choice((node.uid, node.uid + 1))
        if content:
            shop.books.aliens.append((node, content))

    for moment in moments(shop, draws, 5):
        shop.scheduler.at(moment, act)


def destination(shop: Shop) -> Node | None:
    """Return the directory of the shop's events."""
    spool = shop.disk.root.names["sim"].names.get("spool")
    return next(iter(spool.names.values()), None) if spool is not None else None


def put_file(shop: Shop, directory: Node, content: bytes, draws: random.Random) -> Node:
    """Make a file that looks like a segment of a process that is gone."""
    name = f"{int(shop.machine.wall_time() * 1000):013d}-{draws.randrange(9, 99)}-{draws.getrandbits(32):08x}.seg"
    node = shop.disk.open(directory, name, 0o102 | 0o100, 0o600).node
    node.data[:] = content
    return node


def segment_of(bodies: list[bytes]) -> bytes:
    """Return a segment of the shop with these bodies."""
    header = {"format": 1, "application_id": "shop", "intake": URL, "created": 0}
    records = [b"\n%08x %b\n" % (crc32(body), body) for body in bodies]
    return json.dumps(header, separators=(",", ":")).encode() + b"\n" + b"".join(records)


def body_of(event: str, occurred_at: object, **more: object) -> bytes:
    body = {
        "type": "server",
        "application": {"id": "shop"},
        "event": {"name": "good"},
        "dd_pa": {"event_id": event, "occurred_at": occurred_at},
        "usr": {"id": "u-1"},
        "note": "SECRET",
    }
    return json.dumps(body | more, separators=(",", ":")).encode()


def inherited(shop: Shop, draws: random.Random, odd: list[bytes], count: int) -> None:
    """Leave a segment with odd records and good events."""
    directory = destination(shop)
    if directory is None:
        return
    now = int(shop.machine.wall_time() * 1000)
    ids = [f"{draws.getrandbits(128):032x}" for _ in range(count)]
    bodies = [*odd, *(body_of(event, now) for event in ids)]
    put_file(shop, directory, segment_of(bodies), draws)
    for event in ids:
        shop.books.tracked[event] = Tracked(id=event, name="good", at=shop.time(), process=None, size=0)
    shop.note("orphan", f"with {len(odd)} odd records and {[event[:6] for event in ids][:5]}")


def other_version(shop: Shop, draws: random.Random) -> None:
    """Another version's process left records that this one would not write."""

    def act() -> None:
        now = int(shop.machine.wall_time() * 1000)
        old = now - int(5 * HOUR * 1000)
        kinds: list[tuple[object, dict[str, object]]] = [
            (10**400, {}),
            (-5, {}),
            (old, {"session": "s-1"}),
            (old, {"session": {"uuid": "s-1"}}),
            (old, {"session": [1]}),
            (old, {"session": None}),
            (now, {"usr": None}),
            (2**62, {}),
        ]
        chosen = draws.sample(kinds, draws.randint(1, 3))
        odd = [body_of(f"odd{draws.getrandbits(100):029x}", moment, **more) for moment, more in chosen]
        shop.books.odd_records += len(odd)
        inherited(shop, draws, odd, draws.randint(0, 5))

    for moment in moments(shop, draws, 3):
        shop.scheduler.at(moment, act)


def orphans(shop: Shop, draws: random.Random) -> None:
    """Many small segments of processes that are gone."""

    def act() -> None:
        for _ in range(shop.plan.orphans):
            inherited(shop, draws, [], 1)

    shop.scheduler.at(moments(shop, draws, 1)[0], act)


def slow_disk(shop: Shop, draws: random.Random) -> None:
    shop.calls.cost = draws.choice((0.0003, 0.002))


def scripts(shop: Shop, draws: random.Random) -> None:
    """Short programs that track one event and end."""

    def run(name: str) -> None:
        process = shop.begin(name)

        def live() -> None:
            emitter = shop.emitter(process)
            event = shop.track(process, emitter, Errand(at=0.0, name="good", size=10))
            emitter.close()
            shop.script_ended(process, event)

        shop.scheduler.spawn(live, process, "main")

    for number, moment in enumerate(moments(shop, draws, 6)):
        shop.scheduler.at(moment, lambda number=number: run(f"script{number}"))  # type: ignore[misc]


def deliverer(shop: Shop, draws: random.Random) -> None:
    """A process of its own delivers; the workers only write."""
    for place in shop.places:
        if "spool_dir" not in place.settings:
            place.settings["delivery"] = "process"
    shop.places.append(Place(name="deliverer", errands=[], delivers_for_all=True))


def memory(shop: Shop, draws: random.Random) -> None:
    """One worker has no spool."""
    place = shop.places[0]
    place.name = "memory"
    place.settings["spool_dir"] = None


def fork(shop: Shop, draws: random.Random) -> None:
    """Workers fork children, mostly while a thread opens a file; they track events and outlive their parents."""

    def begin(parent: Process) -> None:
        place = next((place for place in shop.places if place.process is parent), None)
        if place is not None and (emitter := place.emitter) is not None and not place.delivers_for_all:
            shop.scheduler.spawn(lambda: forking(shop, parent, emitter, draws.randint(0, 5)), parent, "forking")

    def now() -> None:
        if (process := draws.choice(shop.places).process) is not None:
            begin(process)

    def while_opening() -> None:
        shop.calls.on_open = begin

    for moment in moments(shop, draws, 6):
        shop.scheduler.at(moment, draws.choice((now, while_opening, while_opening)))


def forking(shop: Shop, parent: Process, emitter: Emitter, events: int) -> None:
    """Fork as the interpreter does: its hooks before, in the child and in the parent."""
    getattr(forks, "_before", lambda: None)()
    child = shop.begin(f"{parent.name}-child")
    shop.forked += 1
    child.generation = shop.forked
    shop.calls.inherit(parent, child)
    shop.note("fork", child.name)
    done: list[bool] = []
    shop.scheduler.spawn(lambda: living_child(shop, child, emitter, events, done), child, "main")
    while not done:
        shop.scheduler.park(0.001)
    getattr(forks, "_after_in_parent", lambda: None)()


def living_child(shop: Shop, child: Process, emitter: Emitter, events: int, done: list[bool]) -> None:
    inherited = [one for reference in list(forks._inherited.values()) if (one := reference()) is not None]
    numbers = [one.fd for one in inherited]  # type: ignore[attr-defined]
    lock = getattr(forks, "held_up", None)
    forks.generation = child.generation - 1
    shop.calls.switching, switching = 0.0, shop.calls.switching
    forks.forked()
    shop.calls.switching = switching
    for one, number in zip(inherited, numbers, strict=True):  # the parent's objects are the same ones here
        one.fd = number  # type: ignore[attr-defined]
    if lock is not None:
        forks.held_up = lock
    done.append(True)
    for _ in range(events):
        shop.track(child, emitter, Errand(at=0.0, name="good", size=10))
        shop.scheduler.park(3.0)
    while True:
        shop.scheduler.park(60.0)


_ARRANGED: dict[str, Arrange] = {
    arrange.__name__: arrange
    for arrange in (
        memory,
        deliverer,
        flaky,
        lost,
        lost_answer,
        revoked,
        clock,
        reboot,
        eio,
        enospc,
        bad_file,
        bad_block,
        letters_fail,
        list_fail,
        descriptors,
        nfs,
        kill,
        kill_within,
        rot,
        ends,
        stall,
        fork,
        alien,
        other_version,
        orphans,
        slow_disk,
        scripts,
    )
}


def arrange(shop: Shop) -> None:
    """Arrange everything that the plan asks for."""
    for kind, act in _ARRANGED.items():
        if shop.plan.has(kind):
            act(shop, shop.plan.draws(kind))


def heal(shop: Shop) -> None:
    """End all trouble that is not for ever."""
    shop.healed, shop.healed_at = True, shop.time()
    shop.note("heal", "all is well but for bad events and bad files")
    shop.faults.heal(keep_bad_files=True)
    shop.disk.capacity = 1 << 40
    shop.calls.cost = 1e-5
    shop.intake.flaky = shop.intake.lost = shop.intake.lost_answer = 0.0
    shop.intake.outages = []
    shop.calls.doom = None
    for process in shop.living:
        process.dies_after = None
