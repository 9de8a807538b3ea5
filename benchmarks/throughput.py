"""How fast events are delivered and what one costs in processor time: `python -m benchmarks.throughput`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from benchmarks import child, far_intake, sdks, sink
from benchmarks.chart import Bar, Chart
from benchmarks.report import Aim, Section, Table, aims, run
from benchmarks.rounds import in_turns, spread

DELAYS = (0, 80)
"""Milliseconds."""

ROUNDS, EVENTS, PATIENCE = 3, 3_000, 3.0
HTTP2, HTTP1 = "HTTP/2, TLS", "HTTP/1.1"
TEXT = f"""\
{EVENTS:,} events fired as fast as the SDK takes them, then flushed; each SDK in a process of its own, in turns,
{ROUNDS} times. The server answers after 0 or 80 ms. Events are counted where they arrive: what the SDK dropped, or had
not sent {PATIENCE:g} s after the last call, is not among them. CPU is that of the whole process for the whole way, from
the call to the answer. dd-pa sends each event by itself, because Datadog's API takes no batches (datadog-api-client
does the same); the others send batches of 10 to 512 events. Figures are of the best round, and the median of all.

Peers are given plain HTTP/1.1 on this machine, which costs them no TLS. In production they use TLS too, once per batch.
"""


class Contest(NamedTuple):
    """One SDK over one protocol."""

    name: str
    over: str

    @property
    def label(self) -> str:
        return self.name if self.name in sdks.PEERS else f"{self.name}, {self.over.split(',')[0]}"


class Delivered(NamedTuple):
    """What one round gave."""

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


CONTESTS = [
    *(Contest(name, HTTP2) for name in sdks.OURS if "own process" not in name),
    Contest("dd-pa (memory)", HTTP1),
    *(Contest(name, HTTP1) for name in sdks.PEERS),
]
Runs = dict[Contest, list[Delivered]]


def measure(name: str, place: sdks.Place) -> None:
    """Take turns; to be run in a fresh process."""
    sdk = sdks.SDKS[name](place)
    sdk.fire(sdk.attributes("ticket-warm-0"))
    _wait_for(sdk.flush)

    def turn(question: Any) -> tuple[float, float] | None:
        if question is None:  # what is still on its way is to be in nobody's way
            _wait_for(sdk.flush)
            return None
        label, events = question
        started, cpu = time.monotonic(), time.process_time()
        for number in range(events):
            sdk.fire(sdk.attributes(f"ticket-{label}-{number}"))
            if time.monotonic() - started > PATIENCE:
                break
        _wait_for(sdk.flush)
        return time.monotonic() - started, time.process_time() - cpu

    child.take_turns(turn)


def _wait_for(flush: Callable[[], object]) -> None:
    waiting = threading.Thread(target=flush, daemon=True)
    waiting.start()
    waiting.join(PATIENCE)


def deliver(delay: int, rounds: int, events: int) -> Runs:
    """Measure all contests against servers that answer after so many milliseconds."""
    with contextlib.ExitStack() as running:
        url, intake = running.enter_context(sink.running(delay=delay / 1000)), far_intake.running(delay / 1000)
        far = running.enter_context(intake)
        arguments = {}
        for contest in CONTESTS:
            directory = running.enter_context(tempfile.TemporaryDirectory())
            where = (far.url, directory, far.ca_file) if contest.over == HTTP2 else (url, directory, "")
            arguments[contest.label] = (contest.name, *where)
        processes = running.enter_context(child.contestants("benchmarks.throughput", arguments))
        labels = {contest.label: contest for contest in CONTESTS}
        number = 0

        def turn(label: str) -> Delivered:
            nonlocal number
            number += 1
            seconds, cpu = processes[label].ask([f"run{number}", events])
            over_http2 = labels[label].over == HTTP2
            arrived = far.arrived(f"run{number}") if over_http2 else sink.ask(url, f"run{number}")[0]
            processes[label].ask(None)
            return Delivered(arrived, seconds, cpu)

        return {labels[label]: found for label, found in in_turns(list(labels), rounds, turn).items()}


def benchmark(small: bool) -> Section:
    rounds, events = (1, 100) if small else (ROUNDS, EVENTS)
    runs = {delay: deliver(delay, rounds, events) for delay in DELAYS}
    far = {contest.label: found for contest, found in runs[DELAYS[-1]].items()}
    rates = [Bar(label, _rate(found), f"{_rate(found):,.0f}") for label, found in far.items()]
    cpu = [Bar(label, _cost(found), f"{_cost(found):,.0f}") for label, found in far.items() if _arrived(found)]
    return Section(
        name="throughput",
        text=TEXT,
        tables=[*(_table(delay, found) for delay, found in runs.items()), aims(*_aims(runs))],
        charts=[
            Chart(name="throughput", title="Delivered, 80 ms away", unit="events per second", bars=rates),
            Chart(name="cpu", title="Processor time of one event, 80 ms away", unit="µs", bars=cpu, logarithmic=True),
        ],
    )


def _rate(found: list[Delivered]) -> float:
    return max(one.rate for one in found)


def _cost(found: list[Delivered]) -> float:
    return min(one.cost for one in found)


def _arrived(found: list[Delivered]) -> int:
    return min(one.events for one in found)


def _aims(runs: dict[int, Runs]) -> Iterator[Aim]:
    for name in ("dd-pa (memory)", "dd-pa (spool)"):
        ours = Contest(name, HTTP2)
        for delay, least in ((0, 5_000), (80, 1_200)):
            rate, cost = _rate(runs[delay][ours]), _cost(runs[delay][ours])
            where = f"{name}: {delay} ms away"
            yield Aim(where, f"≥ {least:,} events/s", f"{rate:,.0f} events/s", rate >= least)
            yield Aim(f"{where}, whole way", "≤ 100 µs of CPU an event", f"{cost:,.0f} µs", cost <= 100)
    for peer, part in (("posthog", 1 / 3), ("segment-analytics-python", 1.0)):
        ratio = _cost(runs[80][Contest("dd-pa (spool)", HTTP2)]) / _cost(runs[80][Contest(peer, HTTP1)])
        yield Aim(f"dd-pa (spool): CPU beside {peer}, 80 ms away", f"≤ {part:.2f} ×", f"{ratio:.2f} ×", ratio <= part)


def _table(delay: int, runs: Runs) -> Table:
    rows = []
    for contest, found in runs.items():
        cost = spread(one.cost for one in found)
        median = spread(one.rate for one in found).median
        rates = [f"{_rate(found):,.0f}", f"{median:,.0f}"]
        rows.append([contest.name, contest.over, f"{_arrived(found):,}", *rates, *cost.shown(",.0f")])
    columns = ["SDK", "over", "arrived, at least", "events/s, most", "median", "CPU µs/event, least", "median"]
    return Table(title=f"{delay} ms away", columns=columns, rows=rows)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [name, url, directory, ca_file]:
            measure(name, sdks.Place(url=url, directory=directory, ca_file=ca_file or None))
        case _:
            run(benchmark)
