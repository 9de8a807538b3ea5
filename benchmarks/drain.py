"""How fast what others left in the spool leaves: `python -m benchmarks.drain`."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from typing import Any, NamedTuple

from benchmarks import child, far_intake, sdks, spools
from benchmarks.growth import Growth
from benchmarks.report import Aim, Section, Table, aims, run
from dd_pa import Emitter, Settings
from dd_pa.store.destination import Destination
from dd_pa.store.memory import MemoryStore
from dd_pa.store.spool import Spool
from dd_pa.store.spool_options import SpoolOptions

ORPHANS = (10, 100, 1_000, 10_000, 100_000)
AT_ONCE, PATIENCE, ROUNDS = 50, 15.0, 3
TEXT = f"""\
Segments of one event each, of processes that are gone: how many a second one process hands out and settles, {AT_ONCE}
at a time, with no transport between; the CPU time and the file operations of one of them; and the longest look of the
delivery thread, which never lists them all at once. These have no journal yet; making one is what takes longest. Of
fewer than 10,000 the best of {ROUNDS} processes; of many, what left in the first {PATIENCE:g} s counts.

*A backlog in few segments* is what one process has left after an outage: those are then delivered over HTTP/2 and TLS
to a local intake, transport and all, from the start of the process that finds them.
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

    left: int
    """Of them, within the time."""

    rate: float
    """A second."""

    cpu: float
    """Seconds of each."""

    calls: float
    """File operations of each."""

    longest: float
    """Seconds of the longest look."""


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
        while delivered < orphans and time.perf_counter() - started < PATIENCE:
            began = time.perf_counter()
            spool.tend()
            longest = max(longest, time.perf_counter() - began)
            taken = spool.take(AT_ONCE)
            for event in taken:
                spool.settle(event)
            delivered += len(taken)
        taken_in_all = time.perf_counter() - started, time.process_time() - cpu
        spool.close()
    seconds, used = taken_in_all
    return Found(delivered, delivered / seconds, used / delivered, files.calls / delivered, longest)


def backlog(events: int, url: str, ca_file: str, path: str) -> float:
    """Return how many events a second leave, from the making of the emitter that finds them; in a fresh process."""
    common: dict[str, Any] = {"application_id": "shop", "api_key": "0" * 32, "intake_url": url, "ca_file": ca_file}
    emitter = Emitter(Settings(**common, spool_dir=path))
    started = time.perf_counter()
    emitter.track("order.placed", usr="u")
    while emitter.stats().delivered <= events:
        time.sleep(0.005)
    return events / (time.perf_counter() - started)


def leave_backlog(events: int, url: str, path: str) -> None:
    """Leave events as a process whose intake is down; in a fresh process."""
    common: dict[str, Any] = {"application_id": "shop", "api_key": "0" * 32, "intake_url": url}
    emitter = Emitter(Settings(**common, spool_dir=path, delivery="process"))
    for _ in range(events):
        emitter.track(sdks.NAME, sdks.NESTED, usr=sdks.USER, account=sdks.ACCOUNT, session=sdks.SESSION)


def _delivered(events: int, rounds: int) -> list[float]:
    rates = []
    with far_intake.running(0.0) as far:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
                child.call("benchmarks.drain", "leave", events, far.url, directory)
                rates.append(child.call("benchmarks.drain", "backlog", events, far.url, far.ca_file, directory))
    return rates


def benchmark(small: bool) -> Section:
    counts = ORPHANS[:2] if small else ORPHANS
    found = {count: _best(count, 1 if small or count >= 10_000 else ROUNDS) for count in counts}
    rows = [
        [
            f"{count:,} segments",
            f"{one.left:,}",
            f"{one.rate:,.0f}",
            f"{one.cpu * 1e6:.0f}",
            f"{one.calls:.1f}",
            f"{one.longest * 1e3:.1f}",
        ]
        for count, one in found.items()
    ]
    waiting = 500 if small else 20_000
    rates = _delivered(waiting, 1 if small else ROUNDS)
    columns = ["", "left in time", "a second", "CPU µs of each", "file operations of each", "longest look, ms"]
    most, usual = found[counts[-1]], found[counts[-1] if small else 1_000]
    return Section(
        name="drain",
        distributions=("dd-pa",),
        text=TEXT,
        tables=[
            Table(title="Segments of one event", columns=columns, rows=rows),
            Table(
                title="A backlog in few segments, delivered",
                columns=["", "most a second", "median"],
                rows=[[f"{waiting:,} events", f"{max(rates):,.0f}", f"{statistics.median(rates):,.0f}"]],
            ),
            aims(
                Aim(f"drain of {counts[-1]:,} segments", "≥ 1,000 a second", f"{most.rate:,.0f}", most.rate >= 1000),
                Aim(
                    f"file operations, {counts[-1]:,} segments",
                    f"≤ {usual.calls + 3:.0f}, as of 1,000",
                    f"{most.calls:.1f}",
                    most.calls < usual.calls + 3,
                ),
                Aim(
                    "a backlog, delivered nearby",
                    "≥ 5,000 events/s",
                    f"{max(rates):,.0f} events/s",
                    max(rates) >= 5_000,
                ),
            ),
        ],
        charts=[
            Growth(
                name="drain",
                title="How fast segments leave, by how many wait",
                across="segments of one event",
                up="segments a second; CPU µs of each",
                lines={
                    "segments a second": [(count, one.rate) for count, one in found.items()],
                    "CPU µs of each": [(count, one.cpu * 1e6) for count, one in found.items()],
                },
            )
        ],
    )


def _best(count: int, rounds: int) -> Found:
    return max((Found(*child.call("benchmarks.drain", count)) for _ in range(rounds)), key=lambda one: one.rate)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["leave", events, url, path]:
            leave_backlog(int(events), url, path)
            child.answer(None)
        case ["backlog", events, url, ca_file, path]:
            child.answer(backlog(int(events), url, ca_file, path))
        case [count] if count.isdigit():
            child.answer(measure(int(count)))
        case _:
            run(benchmark)
