"""What one event costs the thread that fires it: `python -m benchmarks.caller_cost`."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from benchmarks import child, far_intake, sdks, sink
from benchmarks.chart import Bar, Chart
from benchmarks.report import Aim, Section, Table, aims, run
from benchmarks.rounds import Spread, in_turns, spread

ROUNDS, CALLS, PACED, PAUSE = 15, 200, 40, 0.001
TEXT = f"""\
Each SDK lives in a process of its own and is asked in turns, {ROUNDS} times, with another first in each round. A turn
is {CALLS} calls in a row, of which the CPU time of the calling thread is taken as a whole (waiting plays no part in it,
and neither does what other threads do; a batch that the caller itself sends does), and then {PACED} calls, one about
every millisecond, each timed by the clock on the wall, with delivery going on beside them under the same GIL. Then the
queue is emptied. *Least* is that of the {ROUNDS} turns, which no other load can make smaller; × is the ratio of the
least ones. dd-pa posts over HTTP/2 and TLS, the others over plain HTTP/1.1, to local processes that answer at once.

The first row, a call that does nothing, is what the loop and the clock put into each figure. dd-pa has checked and
encoded the event when `track()` returns; Sentry and OpenTelemetry do that later, on another thread, which is in the
tables of delivery below. *Own process*: another process delivers, and this one only writes.
"""
NOTHING = "an empty call"
OURS = ("dd-pa (memory)", "dd-pa (spool)", "dd-pa (spool, own process)")
NAMES = [NOTHING, *OURS, *sdks.PEERS]

PLAIN: dict[str, Any] = {"order_id": "o-123456", "total": 89.5, "items": 3, "currency": "EUR", "express": True}
ATTRIBUTES: dict[str, dict[str, Any] | None] = {
    "five plain ones": PLAIN,
    "none": None,
    "one of them a Decimal": PLAIN | {"total": Decimal("89.50")},
    "one of them a datetime": PLAIN | {"express": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
    "one of them a UUID": PLAIN | {"order_id": uuid.UUID(int=7)},
    "one of them a tuple": PLAIN | {"items": (1, 2, 3)},
    "one of them a long text": PLAIN | {"order_id": "x" * 1_100},
    "one with a dotted name": {**PLAIN, "order.kind": "b2b"},
    "five in two dicts": sdks.NESTED,
    "20 plain ones": {f"field_{number}": f"value {number}" for number in range(20)},
    "200 plain ones": {f"field_{number}": f"value {number}" for number in range(200)},
    "200, one a Decimal": {f"field_{number}": f"value {number}" for number in range(199)} | {"total": Decimal("89.50")},
}


class Turn(NamedTuple):
    """What one turn of an SDK gave."""

    cpu: float
    """Microseconds of the calling thread, of one call."""

    waits: list[float]
    """Microseconds on the wall of each paced call."""


def measure(name: str, place: sdks.Place, calls: int) -> None:
    """Take turns; to be run in a fresh process."""
    sdk = sdks.Sdk(fire=lambda _: None, flush=lambda: None) if name == NOTHING else sdks.SDKS[name](place)
    attributes = sdk.attributes()
    for _ in range(calls):
        sdk.fire(attributes)
    sdk.flush()

    def turn(calls: int) -> Turn:
        waits = []
        before = time.thread_time_ns()
        for _ in range(calls):
            sdk.fire(attributes)
        cpu = time.thread_time_ns() - before
        for _ in range(PACED):
            time.sleep(PAUSE)
            start = time.perf_counter_ns()
            sdk.fire(attributes)
            waits.append((time.perf_counter_ns() - start) / 1000)
        sdk.flush()
        return Turn(cpu / calls / 1000, waits)

    child.take_turns(turn)


def by_attributes(rounds: int, calls: int) -> dict[str, float]:
    """Return the least CPU microseconds of `track()` in memory by what the attributes are; in a fresh process."""
    from dd_pa import Emitter, Settings

    enough: dict[str, Any] = {"spool_dir": None, "buffer_size": 10_000_000, "buffer_max_bytes": 1 << 32}
    settings = Settings(application_id="bench", api_key="bench", intake_url="http://127.0.0.1:9", **enough)
    emitter = Emitter(settings)

    def cost(attributes: Mapping[str, Any] | None) -> float:
        before = time.thread_time_ns()
        for _ in range(calls):
            emitter.track(sdks.NAME, attributes, **sdks.WHO)
        return (time.thread_time_ns() - before) / calls / 1000

    found = in_turns(list(ATTRIBUTES), rounds, lambda name: cost(ATTRIBUTES[name]))
    return {name: min(costs) for name, costs in found.items()}


def benchmark(small: bool) -> Section:
    rounds, calls = (2, 20) if small else (ROUNDS, CALLS)
    with contextlib.ExitStack() as running:
        url, intake = running.enter_context(sink.running()), running.enter_context(far_intake.running(0.0))
        where = {name: running.enter_context(tempfile.TemporaryDirectory()) for name in NAMES}
        arguments = {
            name: (
                name,
                intake.url if name in OURS else url,
                where[name],
                intake.ca_file if name in OURS else "",
                calls,
            )
            for name in NAMES
        }
        all_of_them = running.enter_context(child.contestants("benchmarks.caller_cost", arguments))
        turns = in_turns(NAMES, rounds, lambda name: Turn(*all_of_them[name].ask(calls)))
    cpu = {name: spread(turn.cpu for turn in found) for name, found in turns.items()}
    waits = {name: sorted(wait for turn in found for wait in turn.waits) for name, found in turns.items()}
    kinds = child.call("benchmarks.caller_cost", rounds * 3, calls)
    columns = ["SDK", "CPU µs, least", "median", "× dd-pa in memory", "× dd-pa on disk", "beside delivery: p50", "p99"]
    return Section(
        name="caller_cost",
        text=TEXT,
        tables=[
            Table(
                title="Caller's cost of one event, µs",
                columns=columns,
                rows=[_row(name, cpu, waits[name]) for name in NAMES],
            ),
            Table(
                title="CPU of `track()` in memory, by its attributes, µs",
                columns=["attributes", "least", "× five plain ones"],
                rows=[[name, f"{cost:.1f}", f"{cost / kinds['five plain ones']:.2f}"] for name, cost in kinds.items()],
            ),
            aims(*_aims(cpu, kinds)),
        ],
        charts=[
            Chart(
                name="caller_cost",
                title="CPU that one event costs its caller (least of the rounds)",
                unit="µs",
                bars=[Bar(name, cpu[name].least, "") for name in NAMES if name != NOTHING],
                logarithmic=True,
            )
        ],
    )


def _row(name: str, cpu: dict[str, Spread], waits: list[float]) -> list[str]:
    ours = [f"{cpu[name].least / cpu[base].least:,.1f}" for base in ("dd-pa (memory)", "dd-pa (spool)")]
    return [name, *cpu[name].shown(), *ours, *(f"{waits[len(waits) * part // 100]:,.0f}" for part in (50, 99))]


def _aims(cpu: dict[str, Spread], kinds: dict[str, float]) -> Iterator[Aim]:
    limits = (
        ("dd-pa (memory)", 4.5, {"posthog": 8, "sentry-sdk (logs)": 3, "opentelemetry-sdk (logs)": 3}),
        ("dd-pa (spool)", 7.5, {"sentry-sdk (logs)": 2, "opentelemetry-sdk (logs)": 2}),
    )
    for name, most, peers in limits:
        cost = cpu[name].least
        yield Aim(f"{name}: CPU of a call", f"≤ {most} µs", f"{cost:.1f} µs", cost <= most)
        for peer, times in peers.items():
            ratio = cpu[peer].least / cost
            yield Aim(f"{name}: cheaper than {peer.split()[0]}", f"≥ {times} ×", f"{ratio:.1f} ×", ratio >= times)
    ratio = kinds["one of them a Decimal"] / kinds["five plain ones"]
    yield Aim("dd-pa: one Decimal", "≤ 1.3 × a plain event", f"{ratio:.2f} ×", ratio <= 1.3)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [name, url, directory, ca_file, calls]:
            measure(name, sdks.Place(url=url, directory=directory, ca_file=ca_file or None), int(calls))
        case [rounds, calls]:
            child.answer(by_attributes(int(rounds), int(calls)))
        case _:
            run(benchmark)
