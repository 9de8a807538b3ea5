"""CPU of idle workers that share a spool: `python -m benchmarks.idle_spool`."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import child, spools
from benchmarks.growth import Growth
from benchmarks.report import Aim, Section, Table, aims, run
from dd_pa.capture.event import EventBuilder
from dd_pa.capture.identity_block import Identity
from dd_pa.delivery.alarm import TICK
from dd_pa.store.destination import Destination
from dd_pa.store.memory import MemoryStore
from dd_pa.store.spool import SCAN_EVERY, Spool
from dd_pa.store.spool_options import SpoolOptions

WORKERS = (1, 4, 16, 64, 256)
ORPHANS = (10, 1000, 20_000)
LOOKS = 20
WAIT = 10.0
"""Seconds of the spool's clock after which it is seen whether anything is still being merged."""

TEXT = """\
Idle workers, each with a segment of its own in one spool: the CPU time of a look, which an idle delivery thread makes
every two seconds, by the process that keeps order for all (the janitor) and by each of the others.

And a janitor that can deliver nothing, with segments of one event each that processes left: the CPU time of merging
them, once, how many are left of them, and the part of a core of a second from then on, with a look each second.
"""


def _spool(path: str, **options: Any) -> Spool:
    memory = MemoryStore(size=1000, drop_newest=False, on_overflow=lambda event: None)
    destination = Destination(path, "shop", spools.INTAKE)
    bounds = SpoolOptions(max_bytes=1 << 28)
    return Spool(destination, memory, bounds, on_dropped=lambda *why: None, say=lambda *what: None, **options)


def _worker(path: str) -> Spool:
    spool = _spool(path)
    event, _ = EventBuilder(spools.settings(path)).build("order.placed", {}, Identity(usr="u"))
    spool.put(event)
    spool.tend()
    return spool


def _share(spool: Spool) -> float:
    """Return the part of a core that the looks of one worker take."""
    used = 0.0
    for _ in range(LOOKS):
        time.sleep(SCAN_EVERY / 10)
        spool._scan_at = 0.0  # as if its second had passed
        before = resource.getrusage(resource.RUSAGE_SELF)
        spool.tend()
        after = resource.getrusage(resource.RUSAGE_SELF)
        used += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / LOOKS / (2 * SCAN_EVERY)


def measure(workers: int) -> tuple[float, float]:
    """Return what the janitor takes and what another worker takes, as parts of a core; in a fresh process."""
    with tempfile.TemporaryDirectory() as directory:
        spool = f"{directory}/spool"
        janitor, *others = (_worker(spool) for _ in range(workers))
        found = _share(janitor), _share(others[-1]) if others else 0.0
        for one in (janitor, *others):
            one.close()
    return found


def outage(orphans: int) -> tuple[float, int, float]:
    """Return the CPU seconds of merging, the segments that are left, and the part of a core from then on."""
    now = 0.0
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/spool"
        spools.leave_orphans(path, orphans)
        spool = _spool(path, can_deliver=lambda: False, clock=lambda: now)
        folder = Path(Destination(path, "shop", spools.INTAKE).path)
        before, last, left = time.process_time(), -1, orphans
        while left != last:
            last, until = left, now + WAIT
            while now < until:
                now += TICK
                spool.tend()
            left = sum(1 for _ in folder.glob("*.seg"))
        merging, before = time.process_time() - before, time.process_time()
        for _ in range(LOOKS):
            now += SCAN_EVERY
            spool.tend()
        share = (time.process_time() - before) / LOOKS / SCAN_EVERY
        spool.close()
    return merging, left, share


def benchmark(small: bool) -> Section:
    found = {count: child.call("benchmarks.idle_spool", count) for count in (WORKERS[:3] if small else WORKERS)}
    rows = [[f"{count} workers", f"{janitor:.3%}", f"{other:.3%}"] for count, (janitor, other) in found.items()]
    left = {count: child.call("benchmarks.idle_spool", "-", count) for count in (ORPHANS[:2] if small else ORPHANS)}
    merged = [[f"{count:,} orphans", f"{s:.2f}", f"{n:,}", f"{share:.3%}"] for count, (s, n, share) in left.items()]
    most, many = max(found), max(left)
    (janitor, other), then = found[most], left[many][2]
    return Section(
        name="idle_spool",
        distributions=("dd-pa",),
        text=TEXT,
        tables=[
            Table(title="CPU of idle workers", columns=["", "the janitor", "each other"], rows=rows),
            Table(
                title="CPU of a janitor that can deliver nothing",
                columns=["", "merging, s", "segments left", "then"],
                rows=merged,
            ),
            aims(
                Aim(f"an idle worker of {most}", "< 0.1 % of a core", f"{other:.3%}", other < 0.001),
                Aim(f"the janitor of {most}", "< 0.1 % of a core", f"{janitor:.3%}", janitor < 0.001),
                Aim(f"the janitor of {many:,} orphans", "< 0.1 % of a core", f"{then:.3%}", then < 0.001),
            ),
        ],
        charts=[
            Growth(
                name="idle_spool",
                title="Processor time of idle workers that share a spool",
                across="workers",
                up="percent of a core",
                lines={
                    "the janitor": [(count, one[0] * 100) for count, one in found.items()],
                    "each other": [(count, one[1] * 100) for count, one in found.items() if one[1]],
                },
            )
        ],
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["-", count]:
            child.answer(outage(int(count)))
        case [count] if count.isdigit():
            child.answer(measure(int(count)))
        case _:
            run(benchmark)
