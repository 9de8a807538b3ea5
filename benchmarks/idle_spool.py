"""CPU of idle workers that share a spool: `python -m benchmarks.idle_spool`."""

from __future__ import annotations

import resource
import sys
import tempfile
import time

from benchmarks import child, spools
from benchmarks.report import Aim, Section, Table, aims, run
from dd_pa.capture.event import EventBuilder
from dd_pa.capture.identity import Identity
from dd_pa.store.destination import Destination
from dd_pa.store.memory import MemoryStore
from dd_pa.store.spool import SCAN_EVERY, Spool
from dd_pa.store.spool_options import SpoolOptions

WORKERS = (1, 4, 16, 64, 256)
LOOKS = 40
TEXT = """\
Idle workers, each with a segment of its own in one spool: the CPU time of a look, which an idle delivery thread makes
every two seconds, by the process that keeps order for all (the janitor) and by each of the others.
"""


def _worker(path: str) -> Spool:
    memory = MemoryStore(size=1000, drop_newest=False, on_overflow=lambda event: None)
    destination = Destination(path, "shop", spools.INTAKE)
    options = SpoolOptions(max_bytes=1 << 28)
    spool = Spool(destination, memory, options, on_dropped=lambda *why: None, say=lambda *what: None)
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


def benchmark(small: bool) -> Section:
    found = {count: child.call("benchmarks.idle_spool", count) for count in (WORKERS[:3] if small else WORKERS)}
    rows = [[f"{count} workers", f"{janitor:.3%}", f"{other:.3%}"] for count, (janitor, other) in found.items()]
    most = max(found)
    janitor, other = found[most]
    return Section(
        name="idle_spool",
        text=TEXT,
        tables=[
            Table(title="CPU of idle workers", columns=["", "the janitor", "each other"], rows=rows),
            aims(
                Aim(f"an idle worker of {most}", "< 0.1 % of a core", f"{other:.3%}", other < 0.001),
                Aim(f"the janitor of {most}", "< 0.1 % of a core", f"{janitor:.3%}", janitor < 0.001),
            ),
        ],
    )


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].isdigit():
        child.answer(measure(int(sys.argv[1])))
    else:
        run(benchmark)
