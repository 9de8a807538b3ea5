"""How fast events are delivered and what one costs in processor time: `python -m benchmarks.throughput`.

Each SDK runs in a fresh process, fires events as fast as it takes them, for at most `PATIENCE` seconds, and then
flushes for as long again. The server waits 0, 20 or 80 ms before each answer.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks import child, far_intake, sdks, sink
from benchmarks.chart import Bar, Chart
from benchmarks.report import Aim, Section, Table, aims, run

DELAYS = (0, 20, 80)
"""Milliseconds."""

EVENTS, PATIENCE = 3_000, 4.0
HTTP2, HTTP1 = "HTTP/2, TLS", "HTTP/1.1"
TEXT = f"""\
{EVENTS:,} events fired as fast as the SDK takes them, then flushed, in a fresh process. The server answers after 0, 20
or 80 ms. Events are counted where they arrive: what the SDK dropped, or had not sent {PATIENCE:g} s after the last
call, is not among them. CPU is that of the whole process, calls whose event did not arrive included. dd-pa sends each
event by itself, because Datadog's API takes no batches (datadog-api-client does the same); the others send batches of
10 to 512.
"""


class Delivered(NamedTuple):
    """What one run gave."""

    events: int
    seconds: float
    cpu: float
    """Seconds of processor time of the whole process."""

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of processor time per event."""
        return self.cpu / self.events * 1e6 if self.events else float("inf")

    def shown(self) -> list[str]:
        return [f"{self.events:,}", f"{self.rate:,.0f}", f"{self.cost:,.0f}"]


Runs = dict[tuple[str, str], dict[int, Delivered]]
"""By SDK and protocol, then by delay."""


def measure(name: str, place: sdks.Place, events: int) -> tuple[float, float]:
    """Return seconds and processor seconds until all was sent or the time was over; to be run in a fresh process."""
    sdk = sdks.SDKS[name](place)
    sdk.fire(sdk.attributes("ticket-warm-0"))
    _wait_for(sdk.flush)
    started, cpu = time.monotonic(), time.process_time()
    for number in range(events):
        sdk.fire(sdk.attributes(f"ticket-{name_of_run(name)}-{number}"))
        if time.monotonic() - started > PATIENCE:
            break
    _wait_for(sdk.flush)
    return time.monotonic() - started, time.process_time() - cpu


def name_of_run(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum())


def _wait_for(flush: Callable[[], object]) -> None:
    waiting = threading.Thread(target=flush, daemon=True)
    waiting.start()
    waiting.join(PATIENCE)


def over_http1(delay: int, events: int, runs: Runs) -> None:
    with sink.running(delay=delay / 1000) as url:
        for name in sdks.SDKS:
            if "own process" in name:
                continue
            seconds, cpu = _in_child(name, url, "", events)
            arrived, _ = sink.ask(url, name_of_run(name))
            runs.setdefault((name, HTTP1), {})[delay] = Delivered(arrived, seconds, cpu)


def over_http2(delay: int, events: int, runs: Runs) -> None:
    with far_intake.running(delay / 1000) as intake:
        for name in sdks.SDKS:
            if name in sdks.PEERS or "own process" in name:
                continue
            intake.requests()
            seconds, cpu = _in_child(name, intake.url, intake.ca_file, events)
            runs.setdefault((name, HTTP2), {})[delay] = Delivered(intake.requests() - 1, seconds, cpu)


def _in_child(name: str, url: str, ca_file: str, events: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as directory:
        seconds, cpu = child.call("benchmarks.throughput", name, url, directory, ca_file, events)
    return seconds, cpu


def benchmark(small: bool) -> Section:
    runs: Runs = {}
    for delay in DELAYS:
        for deliver in (over_http2, over_http1):
            deliver(delay, 200 if small else EVENTS, runs)
    far = {
        f"{name}, {over.split(',')[0]}" if name not in sdks.PEERS else name: got[DELAYS[-1]]
        for (name, over), got in runs.items()
    }
    rates = [Bar(label, got.rate, f"{got.rate:,.0f}") for label, got in far.items()]
    cpu = [Bar(label, got.cost, f"{got.cost:,.0f}") for label, got in far.items() if got.events]
    return Section(
        name="throughput",
        text=TEXT,
        tables=[*(_table(delay, runs) for delay in DELAYS), aims(*_aims(runs))],
        charts=[
            Chart(name="throughput", title="Delivered, 80 ms away", unit="events per second", bars=rates),
            Chart(name="cpu", title="Processor time of one event, 80 ms away", unit="µs", bars=cpu, logarithmic=True),
        ],
    )


def _aims(runs: Runs) -> Iterator[Aim]:
    for (name, over), got in runs.items():
        if over == HTTP2:
            most = 650 if "httpx" in name else 130
            far = got[DELAYS[-1]]
            yield Aim(f"{name}: {DELAYS[-1]} ms away", "≥ 1,000 events/s", f"{far.rate:,.0f}", far.rate >= 1000)
            yield Aim(f"{name}: CPU per event", f"≤ {most} µs", f"{far.cost:,.0f} µs", far.cost <= most)


def _table(delay: int, runs: Runs) -> Table:
    rows = [[name, over, *got[delay].shown()] for (name, over), got in runs.items()]
    return Table(title=f"{delay} ms away", columns=["SDK", "over", "arrived", "events/s", "CPU µs/event"], rows=rows)


if __name__ == "__main__":
    if len(sys.argv) == 6:
        name, url, directory, ca_file, events = sys.argv[1:]
        place = sdks.Place(url=url, directory=directory, ca_file=ca_file or None)
        child.answer(measure(name, place, int(events)))
    else:
        run(benchmark)
