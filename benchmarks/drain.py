"""How fast what others left in the spool leaves: `python -m benchmarks.drain`."""

from __future__ import annotations

import sys
import tempfile
import time

from benchmarks import child, spools
from benchmarks.report import Aim, Section, Table, aims, run
from dd_pa.store.destination import Destination
from dd_pa.store.memory import MemoryStore
from dd_pa.store.spool import Spool
from dd_pa.store.spool_options import SpoolOptions

ORPHANS = (10, 100, 1000, 10_000, 100_000)
AT_ONCE = 50
TEXT = f"""\
Segments of one event each, of processes that are gone: how many a second one process hands out and settles, {AT_ONCE}
at a time, with no transport between; and the longest look of its delivery thread, which never lists them all at once.
"""


def measure(orphans: int) -> tuple[float, float]:
    """Return orphans a second, and the seconds of the longest look; in a fresh process."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        path = f"{directory}/spool"
        spools.leave_orphans(path, orphans)
        memory = MemoryStore(size=1000, drop_newest=False, on_overflow=lambda event: None)
        destination = Destination(path, "shop", spools.INTAKE)
        options = SpoolOptions(max_bytes=1 << 40)
        spool = Spool(destination, memory, options, on_dropped=lambda *why: None, say=lambda *what: None)
        started, longest, delivered = time.perf_counter(), 0.0, 0
        while delivered < orphans:
            began = time.perf_counter()
            spool.tend()
            longest = max(longest, time.perf_counter() - began)
            taken = spool.take(AT_ONCE)
            for event in taken:
                spool.settle(event)
            delivered += len(taken)
        rate = orphans / (time.perf_counter() - started)
        spool.close()
    return rate, longest


def benchmark(small: bool) -> Section:
    found = {count: child.call("benchmarks.drain", count) for count in (ORPHANS[:3] if small else ORPHANS)}
    rows = [[f"{count:,} orphans", f"{fast:,.0f}", f"{longest * 1e3:.1f}"] for count, (fast, longest) in found.items()]
    most = max(found)
    rate, _ = found[most]
    return Section(
        name="drain",
        text=TEXT,
        tables=[
            Table(title="Orphans of one event", columns=["", "a second", "longest look, ms"], rows=rows),
            aims(Aim(f"drain of {most:,}", "as of 100, or half", f"{rate:,.0f} a second", rate >= found[100][0] / 2)),
        ],
    )


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].isdigit():
        child.answer(measure(int(sys.argv[1])))
    else:
        run(benchmark)
