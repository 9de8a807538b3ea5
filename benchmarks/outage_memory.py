"""Memory of a process whose events nobody answers: `python -m benchmarks.outage_memory`."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks import child, sdks, sink
from benchmarks.chart import Bar, Chart
from benchmarks.growth import Growth
from benchmarks.report import Aim, Section, Table, aims, run

EVENTS, PATIENCE, WARM_UP, AT_ONCE = 100_000, 6.0, 1.0, 2
LARGE = 10_000
"""Bytes of each event of those that grow by tens."""

MEGABYTES = (1, 10, 100, 1_000)
TEXT = f"""\
{EVENTS:,} events against a server that takes connections and requests but never answers, each SDK in a fresh process:
growth of the resident memory to the last call, counted from {WARM_UP:g} s after a first event, when the code that sends
is loaded. Who blocks is stopped after {PATIENCE:g} s; then "fired" says how far it came. *Disk* is what the SDK keeps
in files. Little memory alone is no merit: those that keep it small without a disk drop the events, mostly beyond 10,000
(dd-pa in memory too).

dd-pa is also given events of {LARGE // 1000} kB, from 1 MB of them to 1 GB.
"""


class Case(NamedTuple):
    """What one process is given."""

    name: str
    events: int
    size: int
    """Bytes of each event; 0: as they are."""


class Found(NamedTuple):
    """What one process came to."""

    fired: int
    seconds: float
    growth: float
    """Megabytes."""

    disk: int
    """Kilobytes."""

    def row(self, name: str) -> list[str]:
        disk = f"{self.disk / 1000:,.1f}" if self.disk else "–"
        return [name, f"{self.fired:,}", f"{self.seconds:.1f}", f"{self.growth:,.1f}", disk]


def measure(name: str, place: sdks.Place, events: int, size: int) -> Found:
    """Fire events of about so many bytes (0: as they are) at a server that hangs; to be run in a fresh process."""
    sdk = sdks.SDKS[name](place)
    more = {f"note_{number}": "x" * 900 for number in range(size // 900)}
    fired = 0

    def fire(number_of_events: int) -> None:
        nonlocal fired
        for _ in range(number_of_events):
            sdk.fire(sdk.attributes() | more)
            fired += 1

    _for_at_most(WARM_UP, fire, 1)
    time.sleep(WARM_UP)
    before, started, fired = resident(), time.monotonic(), 0
    _for_at_most(5 * PATIENCE if size else PATIENCE, fire, events)
    seconds = time.monotonic() - started
    disk = sum(path.stat().st_size for path in Path(place.directory).rglob("*") if path.is_file())
    return Found(fired, seconds, (resident() - before) / 1e6, disk // 1000)


def _for_at_most(seconds: float, fire: Callable[[int], None], number_of_events: int) -> None:
    firing = threading.Thread(target=fire, args=(number_of_events,), daemon=True)
    firing.start()
    firing.join(seconds)


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def benchmark(small: bool) -> Section:
    def in_child(case: Case) -> Found:
        events = case.events // 100 if small else case.events
        with tempfile.TemporaryDirectory() as directory:
            return Found(*child.call("benchmarks.outage_memory", case.name, url, directory, events, case.size))

    ours = [name for name in sdks.OURS if "httpx" not in name]
    grown = [Case(name, megabytes * 1_000_000 // LARGE, LARGE) for name in ours for megabytes in MEGABYTES]
    cases = [*(Case(name, EVENTS, 0) for name in sdks.SDKS), *grown]
    with sink.running(hangs=True) as url, ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(cases, pool.map(in_child, cases), strict=True))
    growth = {name: [found[case].growth for case in grown if case.name == name] for name in ours}
    usual = {case.name: one for case, one in found.items() if not case.size}
    columns = ["SDK", "fired", "seconds", "growth MB", "disk MB"]
    return Section(
        name="outage_memory",
        text=TEXT,
        tables=[
            Table(
                title="Memory while the server hangs",
                columns=columns,
                rows=[one.row(name) for name, one in usual.items()],
            ),
            Table(
                title="Growth of memory by the bytes of the events, MB",
                columns=["", *(f"{megabytes:,} MB" for megabytes in MEGABYTES)],
                rows=[[name, *(f"{one:.1f}" for one in grew)] for name, grew in growth.items()],
            ),
            aims(
                *(_aim(name, usual[name], 10) for name in ours), *(_last(name, grew) for name, grew in growth.items())
            ),
        ],
        charts=[
            Chart(
                name="outage_memory",
                title=f"Growth of memory over {EVENTS:,} events that nobody answers",
                unit="MB",
                bars=[_bar(name, one) for name, one in usual.items()],
            ),
            Growth(
                name="outage_growth",
                title="Growth of memory by the bytes of the events that nobody answers",
                across="MB of events",
                up="MB of memory, 0.1 at least",
                lines={
                    name: [(megabytes, max(0.1, one)) for megabytes, one in zip(MEGABYTES, grew, strict=True)]
                    for name, grew in growth.items()
                },
            ),
        ],
    )


def _aim(name: str, found: Found, most: int) -> Aim:
    return Aim(f"{name}: growth, {EVENTS:,} events", f"≤ {most} MB", f"{found.growth:.1f} MB", found.growth <= most)


def _last(name: str, grew: list[float]) -> Aim:
    """A buffer in memory has a bound of 32 MiB; the allocator keeps some more."""
    most = 10 if "spool" in name else 48
    return Aim(f"{name}: growth, 1 GB of events", f"≤ {most} MB", f"{grew[-1]:.1f} MB", grew[-1] <= most)


def _bar(name: str, found: Found) -> Bar:
    blocked = f" (stuck at {found.fired:,})" if found.fired < EVENTS else ""
    return Bar(name, max(0.0, found.growth), f"{found.growth:,.0f}{blocked}")


if __name__ == "__main__":
    if len(sys.argv) == 6:
        name, url, directory, events, size = sys.argv[1:]
        child.answer(measure(name, sdks.Place(url=url, directory=directory), int(events), int(size)))
    else:
        run(benchmark)
