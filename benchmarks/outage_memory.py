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
from benchmarks.report import Aim, Section, Table, aims, run

EVENTS, MANY, PATIENCE, WARM_UP, AT_ONCE = 100_000, 1_000_000, 15.0, 1.0, 3
TEXT = f"""\
{EVENTS:,} events against a server that takes connections and requests but never answers, each SDK in a fresh process:
growth of the resident memory to the last call, counted from {WARM_UP:g} s after a first event, when the code that sends
is loaded. Who blocks is stopped after {PATIENCE:g} s; then "fired" says how far it came. *Disk* is what the SDK keeps
in files. Little memory alone is no merit: those that keep it small without a disk drop the events, mostly beyond 10,000
(dd-pa in memory too). dd-pa is also given {MANY:,} events, and ten times as long.
"""


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


def measure(name: str, place: sdks.Place, events: int) -> Found:
    """Fire events at a server that hangs; to be run in a fresh process."""
    sdk = sdks.SDKS[name](place)
    fired = 0

    def fire(number_of_events: int) -> None:
        nonlocal fired
        for _ in range(number_of_events):
            sdk.fire(sdk.attributes())
            fired += 1

    _for_at_most(WARM_UP, fire, 1)
    time.sleep(WARM_UP)
    before, started, fired = resident(), time.monotonic(), 0
    _for_at_most(PATIENCE * max(1, events // EVENTS), fire, events)
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
    def in_child(case: tuple[str, int]) -> Found:
        name, events = case
        with tempfile.TemporaryDirectory() as directory:
            found = child.call("benchmarks.outage_memory", name, url, directory, events // 100 if small else events)
        return Found(*found)

    many = [(name, MANY) for name in sdks.SDKS if name not in sdks.PEERS and "httpx" not in name]
    cases = [*((name, EVENTS) for name in sdks.SDKS), *many]
    with sink.running(hangs=True) as url, ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(cases, pool.map(in_child, cases), strict=True))
    return Section(
        name="outage_memory",
        text=TEXT,
        tables=[
            Table(
                title="Memory while the server hangs",
                columns=["SDK", "fired", "seconds", "growth MB", "disk MB"],
                rows=[one.row(name) for (name, _), one in found.items()],
            ),
            aims(*(_aim(name, events, found[name, events]) for name, events in many)),
        ],
        charts=[
            Chart(
                name="outage_memory",
                title=f"Growth of memory over {EVENTS:,} events that nobody answers",
                unit="MB",
                bars=[_bar(name, one) for (name, events), one in found.items() if events == EVENTS],
            )
        ],
    )


def _aim(name: str, events: int, found: Found) -> Aim:
    return Aim(f"{name}: growth, {events:,} events", "≤ 10 MB", f"{found.growth:.1f} MB", found.growth <= 10)


def _bar(name: str, found: Found) -> Bar:
    blocked = f" (stuck at {found.fired:,})" if found.fired < EVENTS else ""
    return Bar(name, max(0.0, found.growth), f"{found.growth:,.0f}{blocked}")


if __name__ == "__main__":
    if len(sys.argv) == 5:
        name, url, directory, events = sys.argv[1:]
        child.answer(measure(name, sdks.Place(url=url, directory=directory), int(events)))
    else:
        run(benchmark)
