"""How fast what others left in the spool leaves: `python -m benchmarks.drain`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from typing import Any, NamedTuple

from benchmarks import child, spools
from benchmarks.report import Aim, Section, Table, aims, run
from dd_pa.store.destination import Destination
from dd_pa.store.memory import MemoryStore
from dd_pa.store.spool import Spool
from dd_pa.store.spool_options import SpoolOptions

ORPHANS = (10, 1000, 20_000)
AT_ONCE = 50
TEXT = f"""\
Segments of one event each, of processes that are gone: how many a second one process hands out and settles, {AT_ONCE}
at a time, with no transport between; the CPU time and the file operations of one of them; and the longest look of the
delivery thread, which never lists them all at once. These have no journal yet; making one is what takes longest.
"""


class Counted:
    """The calls of `os` that touch the spool, counted."""

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)

        def call(*values: Any, **options: Any) -> Any:
            self.calls += 1
            return real(*values, **options)

        setattr(self, name, call)
        return call


class Found(NamedTuple):
    """How so many orphans left."""

    rate: float
    """A second."""

    cpu: float
    """Seconds of each."""

    calls: float
    """File operations of each."""

    longest: float
    """Seconds of the longest look."""

    def shown(self) -> list[str]:
        """Return the cells of a row."""
        return [f"{self.rate:,.0f}", f"{self.cpu * 1e6:.0f}", f"{self.calls:.1f}", f"{self.longest * 1e3:.1f}"]


def measure(orphans: int) -> Found:
    """Measure in a fresh process."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        path = f"{directory}/spool"
        spools.leave_orphans(path, orphans)
        memory = MemoryStore(size=1000, drop_newest=False, on_overflow=lambda event: None)
        files = Counted()
        destination = Destination(path, "shop", spools.INTAKE, files)
        options = SpoolOptions(max_bytes=1 << 40)
        spool = Spool(destination, memory, options, on_dropped=lambda *why: None, say=lambda *what: None)
        started, cpu, longest, delivered = time.perf_counter(), time.process_time(), 0.0, 0
        while delivered < orphans:
            began = time.perf_counter()
            spool.tend()
            longest = max(longest, time.perf_counter() - began)
            taken = spool.take(AT_ONCE)
            for event in taken:
                spool.settle(event)
            delivered += len(taken)
        taken_in_all = time.perf_counter() - started, time.process_time() - cpu
        spool.close()
    return Found(orphans / taken_in_all[0], taken_in_all[1] / orphans, files.calls / orphans, longest)


def benchmark(small: bool) -> Section:
    counts = ORPHANS[:2] if small else ORPHANS
    found = {count: Found(*child.call("benchmarks.drain", count)) for count in counts}
    rows = [
        [
            f"{count:,} orphans",
            f"{one.rate:,.0f}",
            f"{one.cpu * 1e6:.0f}",
            f"{one.calls:.1f}",
            f"{one.longest * 1e3:.1f}",
        ]
        for count, one in found.items()
    ]
    columns = ["", "a second", "CPU µs of each", "file operations of each", "longest look, ms"]
    most = max(found)
    last, usual = found[most], found[1000]
    return Section(
        name="drain",
        distributions=("dd-pa",),
        text=TEXT,
        tables=[
            Table(title="Orphans of one event", columns=columns, rows=rows),
            aims(
                Aim(f"drain of {most:,}", "≥ 1,000 a second", f"{last.rate:,.0f}", last.rate >= 1000),
                Aim(f"file operations of {most:,}", "as of 1,000", f"{last.calls:.1f}", last.calls < usual.calls + 3),
            ),
        ],
    )


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].isdigit():
        child.answer(measure(int(sys.argv[1])))
    else:
        run(benchmark)
