"""What must hold, whatever happened."""

from __future__ import annotations

import itertools
import re

from dd_pa.delivery.destination_gate import LATER_BY, REJECTIONS
from dd_pa.store.janitor import STEPS
from dd_pa.store.spool_options import default_segment_bytes
from tests.simulation.books import Tracked
from tests.simulation.plan import BAD, Plan
from tests.simulation.shop import TIMEOUT, Shop

_LEFT = re.compile(r"/[0-9]{13}-([0-9]+)-[0-9a-f]{8}\.(?:seg|ack|new)$")

HEAL = 180.0
"""Seconds after the end of all trouble by which every good event has arrived."""

SETTLED = 100.0
"""Seconds after it from which a good event arrives within `SOON`."""

SOON = 20.0
LATE = 45.0
NAMED_WAIT = 30.0 * (1.0 + LATER_BY)
"""Seconds within which a good event arrives while bad ones fail beside it, and for which the intake may name a wait: a
process that hears it obeys, and comes a little later than all others, whichever event it was said to."""

USUALLY = 10.0
"""Seconds within which most of them do."""

QUIET = 60.0
"""Seconds for which a system without work is watched."""

HARMLESS = {*BAD, "storm", "alien", "other_version", "scripts", "orphans", "nfs", "big", "no_date"}
"""Trouble that does not excuse a good event for being late: each is about something else."""

MAX_WORK, WORK_PER_REQUEST, WORK_PER_SAVED = 6 * STEPS, 40, 3
"""File operations of a turn of the loop (a step of the janitor opens a file, looks who has it and reads its beginning),
for each request that may be in flight, and for each event that waits in memory when a process ends."""

MAX_OPEN = 400
"""Descriptors of a process."""

MAY_OVERFLOW = {"tight", "enospc", "eio", "big", "descriptors", "memory", "letters_fail"}
"""Trouble with which there may be no room for an event."""

MAX_TRACK_WORK = 60
"""File operations of one `track()`."""


def check_lateness(shop: Shop) -> None:
    """A good event arrives soon whatever the bad ones do."""
    if shop.plan.kinds <= HARMLESS:
        bound = LATE + allowance(shop)
        for event in _good(shop):
            if event.at + bound < shop.time():
                _check_late(shop, event, bound)
        _check_usual(shop, bound - LATE + USUALLY)


def allowance(shop: Shop) -> float:
    """Return the seconds that bad events may cost good ones: those that hang, and those that make it pause."""
    names = [event.name for event in shop.books.tracked.values() if not event.is_good]
    hangs, waits = names.count("bad.hang"), sum(name.endswith(" wait") for name in names)
    pauses = sum(name.removeprefix("bad.")[:3] in ("401", "403", "302", *BAD["bad_404"]) for name in names)
    cost = sum(min(60.0, 5.0 * 2.0 ** min(number, 9)) for number in range(pauses))
    rejected = sum(name.removeprefix("bad.") in BAD["bad_400"] for name in names)
    if rejected >= REJECTIONS:  # nobody can tell that from an address that rejects all, which pauses
        cost += 60.0 * rejected / max(1, shop.plan.concurrency // 8)
    return 3 * hangs * TIMEOUT / shop.plan.concurrency + NAMED_WAIT * waits + cost


def _check_usual(shop: Shop, bound: float) -> None:
    waits = sorted(
        (arrivals[0][0] if (arrivals := shop.intake.arrivals.get(event.id)) else shop.time()) - event.at
        for event in _good(shop)
    )
    if waits and waits[len(waits) // 2] > bound:
        shop.violated(f"half of the good events waited more than {waits[len(waits) // 2]:.0f} s")


def check_recovery(shop: Shop) -> None:
    """After the end of all trouble, every good event arrives, and new ones at once."""
    if allowance(shop) > HEAL / 2:
        return
    soon = SOON + (NAMED_WAIT if any(event.name.endswith(" wait") for event in shop.books.tracked.values()) else 0.0)
    for event in _good(shop):
        if shop.healed_at + SETTLED < event.at < shop.time() - soon:
            _check_late(shop, event, soon)
        elif event.at < shop.time() - HEAL / 2 and not _accounted(shop, event) and not _is_of_revoked(shop, event):
            shop.violated(f"{_name(event)} has not arrived {HEAL:g} s after the trouble ended")


def _check_late(shop: Shop, event: Tracked, bound: float) -> None:
    if _accounted(shop, event) or _is_of_revoked(shop, event):
        arrivals = shop.intake.arrivals.get(event.id)
        if arrivals and arrivals[0][0] - event.at > bound:
            shop.violated(f"{_name(event)} came {arrivals[0][0] - event.at:.0f} s late, more than {bound:.0f}")
        return
    shop.violated(f"{_name(event)} was not there after {bound:.0f} s")


def _accounted(shop: Shop, event: Tracked) -> bool:
    return shop.is_known(event) or bool(event.excused) or _is_unreadable(shop, event) or _was_unreadable(shop, event)


def _is_of_revoked(shop: Shop, event: Tracked) -> bool:
    """Tell whether only a process whose key is refused has it: its own, while it lives, and all where it is alone."""
    if shop.revoked is None:
        return False
    able = [place for place in shop.places if place is not shop.revoked and "spool_dir" not in place.settings]
    if not any(place.delivers_for_all or "delivery" not in place.settings for place in able):
        return True
    return event.process is not None and (event.process.alive or event.process.name.startswith("memory"))


def _is_unreadable(shop: Shop, event: Tracked) -> bool:
    """Tell whether its segment cannot be read, or the journal that says what of it is settled."""
    broken = [node for node in shop.faults.broken() if node.links]
    stems = tuple(node.origin.removesuffix(".ack") for node in broken if node.origin.endswith(".ack"))
    kept = [node for path, node in shop.spool_files() if path.endswith(".seg") and path.removesuffix(".seg") in stems]
    return any(event.id.encode() in node.data for node in (*broken, *kept))


def _was_unreadable(shop: Shop, event: Tracked) -> bool:
    """Tell whether it was on a page that could not be read when its segment was dropped; such are counted as pages."""
    gone = [node for node in shop.faults.broken() if not node.links]
    return shop.books.damaged > 0 and any(event.id.encode() in node.data for node in gone)


def _good(shop: Shop) -> list[Tracked]:
    return [event for event in shop.books.tracked.values() if event.is_good]


def _name(event: Tracked) -> str:
    owner = event.process.name if event.process else "an orphan"
    return f"{event.id[:6]} ({event.name} of {owner} at {event.at:.1f})"


def check_account(shop: Shop) -> None:
    """Every event arrived, was set aside or counted; and only a bad one was set aside."""
    letters = b"".join(bytes(node.data) for path, node in shop.spool_files() if "/rejected/" in path)
    others = b"".join(bytes(node.data) for path, node in shop.spool_files() if "/rejected/" not in path)
    for event in shop.books.tracked.values():
        if event.id in shop.intake.arrivals or event.excused:
            continue
        word = event.id.encode()
        reason = shop.books.dropped.get(event.id)
        aside = word in letters or _is_counted(shop, event)
        if reason is None and not aside:
            may_wait = not event.is_good or allowance(shop) > HEAL / 2
            if _is_unreadable(shop, event) or _was_unreadable(shop, event) or (word in others and may_wait):
                continue
            shop.violated(f"{_name(event)} {'still waits on disk' if word in others else 'is gone'}")
        elif event.is_good:
            _check_good(shop, event, reason, aside)


def _is_counted(shop: Shop, event: Tracked) -> bool:
    """Tell whether it was rejected in memory, which has no dead letters: there it is gone, and counted."""
    return event.id in shop.books.rejected and not shop.was_to_be_on_disk(event.process)


def _check_good(shop: Shop, event: Tracked, reason: str | None, aside: bool) -> None:
    if problem := _why_not(shop, event, reason, aside):
        shop.violated(f"{_name(event)} {problem}")


def _why_not(shop: Shop, event: Tracked, reason: str | None, aside: bool) -> str:
    """Return why a good event may not have ended like this."""
    match reason:
        case "expired" if not aside:
            return "was forgotten as expired, and not set aside"
        case "expired" | None if not _nobody_knows_its_age(shop, event):
            return f"was set aside though nothing is wrong with it ({reason})"
        case "overflow" if not shop.plan.kinds & MAY_OVERFLOW:
            return "was dropped for want of room, of which there is enough"
        case None | "expired" | "overflow" | "shutdown" | "damaged":
            return ""
    return f"was dropped: {reason}"


def _nobody_knows_its_age(shop: Shop, event: Tracked) -> bool:
    """Tell whether all that is known is what a wall clock showed that was, or may have been, wrong."""
    if not shop.books.steps:
        return False
    if event.process is None or (shop.plan.has("reboot") and event.off):  # no boot is known, or it is over
        return True
    if shop.plan.has("reboot") and shop.plan.has("no_date"):
        return True
    return bool(shop.plan.kinds & {"enospc", "eio", "descriptors"})  # it was in memory while the clock was set


def check_bodies(shop: Shop) -> None:
    """What was damaged is never sent."""
    for event in shop.intake.altered:
        shop.violated(f"{event[:6]} was sent though its record was damaged")


def check_sessions(shop: Shop) -> None:
    """No event is as old as to have lost its session."""
    for event in (shop.books.tracked[id] for id in shop.intake.stripped):
        if not _nobody_knows_its_age(shop, event):
            shop.violated(f"{_name(event)} lost its session")


def check_duplicates(shop: Shop) -> None:
    """None arrived twice, but for the moment of a crash, a lost answer or a disk that kept no journal."""
    if shop.plan.kinds & {"lost_answer"}:
        return
    for event, arrivals in shop.intake.arrivals.items():
        for (at, process), _ in itertools.pairwise(arrivals):
            crashed = process.died_at - at < 2.0
            if not crashed and not shop.faults.struck and not shop.plan.kinds & {"enospc", "stall", "slow_disk"}:
                shop.violated(f"{event[:6]} arrived again {arrivals[-1][0] - at:.1f} s after {process.name} brought it")


def check_bounds(shop: Shop) -> None:
    """What each may take of the machine."""
    if shop.intake.most_in_flight > shop.plan.concurrency:
        shop.violated(f"{shop.intake.most_in_flight} requests in flight, not {shop.plan.concurrency}")
    if shop.books.most_track_calls > MAX_TRACK_WORK:
        shop.violated(f"track() made {shop.books.most_track_calls} file operations")
    for process in shop.processes:
        saved = sum(event.process is process for event in shop.books.tracked.values()) if process.failed_calls else 0
        if process.most_work > MAX_WORK + WORK_PER_REQUEST * shop.plan.concurrency + WORK_PER_SAVED * saved:
            shop.violated(f"{process.name} made {process.most_work} file operations without a pause")
        if process.most_open > MAX_OPEN:
            shop.violated(f"{process.name} had {process.most_open} files open")


def check_neighbours(shop: Shop) -> None:
    """What belongs to others is left alone."""
    for node, content in shop.books.aliens:
        if node.links == 0 or bytes(node.data) != content:
            shop.violated(f"the alien file {node.origin} was touched")


def check_drops(shop: Shop) -> None:
    """Nothing is dropped for want of room while there is room."""
    if shop.plan.kinds & {"enospc", "eio", "descriptors", "memory", "big"}:
        return
    for at, size in shop.books.drop_sizes:
        if size < shop.plan.max_bytes // 2:
            shop.violated(
                f"an event was dropped at {at:.1f} for want of room, with {size} of {shop.plan.max_bytes} bytes"
            )


def disk_bound(plan: Plan) -> int:
    """Return the most bytes that a spool may have on disk, dead letters and all."""
    segments = (plan.workers + 3) * max(default_segment_bytes(plan.max_bytes), 130_000 if plan.has("big") else 0)
    return plan.max_bytes + segments + max(64 * 1024, plan.max_bytes // 16) + 64 * 1024


def check_disk(shop: Shop) -> None:
    """The spool keeps its bound."""
    if shop.faults.struck or shop.plan.kinds & {"stall", "enospc", "slow_disk", "alien"}:
        return
    used = sum(len(node.data) for _, node in shop.spool_files())
    if used > disk_bound(shop.plan):
        shop.violated(f"the spool takes {used} bytes of {shop.plan.max_bytes}")
    letters = sum(len(node.data) for path, node in shop.spool_files() if "/rejected/" in path)
    bound = max(64 * 1024, shop.plan.max_bytes // 16)
    if letters > bound + (shop.plan.workers + 3) * (bound // 8 + 4096):  # each writes to a segment of its own
        shop.violated(f"the dead letters take {letters} bytes of {bound}")


def check_quiet(shop: Shop, calls: int, wakes: int, processes: int) -> None:
    """A system without work makes none."""
    waits = any(not shop.is_known(event) and event.id in shop.intake.attempts for event in shop.books.tracked.values())
    if waits or shop.faults.faults:
        return
    per_process = calls / max(1, processes)
    if per_process > QUIET * 60:
        shop.violated(f"{per_process:.0f} file operations a minute by an idle process")
    if wakes / max(1, processes) > QUIET * 2:
        shop.violated(f"{wakes / processes:.0f} wakes a minute of an idle process")


def check_litter(shop: Shop) -> None:
    """Nothing of processes that are gone is left when all is delivered."""
    if shop.plan.kinds & {*BAD, "bad_file", "bad_block", "revoked", "other_version", "alien"}:
        return
    living = {process.pid for process in shop.living}
    for path, node in shop.spool_files():
        name = _LEFT.search(path)
        if name is not None and int(name[1]) not in living and "/rejected/" not in path:
            shop.violated(f"{path} is left behind, with {len(node.data)} bytes")


def check_scripts(shop: Shop) -> None:
    """A short program delivers its own event before it ends."""
    if shop.plan.kinds <= {"scripts", "alien", "orphans", "other_version", "nfs", "bad_400", "bad_404"}:
        for event, ended in shop.books.ended_scripts:
            arrivals = shop.intake.arrivals.get(event or "", [])
            if not arrivals or arrivals[0][0] > ended:
                shop.violated(f"a short program ended without having delivered its event {str(event)[:6]}")


FINAL = (
    check_account,
    check_bodies,
    check_sessions,
    check_duplicates,
    check_bounds,
    check_neighbours,
    check_drops,
    check_scripts,
)
