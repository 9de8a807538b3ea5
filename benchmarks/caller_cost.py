"""What one event costs the thread that fires it: `python -m benchmarks.caller_cost`.

Each SDK runs in a process of its own, in turns, so that a noisy moment of the machine hits all of them; each call is
timed by itself.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks import child, sdks, sink
from benchmarks.chart import Bar, Chart
from benchmarks.report import Aim, Section, Table, aims, run

ROUNDS, BURSTS, CALLS, STEADY, PAUSE = 2, 5, 400, 600, 0.001
TEXT = f"""\
Each call is timed by itself, in {ROUNDS} fresh processes per SDK, in turns. *Burst*: {BURSTS} × {CALLS} calls in a row,
the queue emptied between. *Steady*: {STEADY} calls, one about every millisecond, with delivery going on beside them on
the same two cores and under the same GIL, so caches are cold and the worker sometimes holds the lock. The sink is a
local process that answers at once. dd-pa posts by its own HTTP/2 where the sink speaks it. The first row, a call that
does nothing, is what the machine and the clock put into each figure.
"""
NOTHING = "an empty call"
NAMES = [NOTHING, *sdks.SDKS]


def measure(name: str, place: sdks.Place, calls: int) -> tuple[list[int], list[int]]:
    """Return the nanoseconds of each call, in bursts and steady; to be run in a fresh process."""
    sdk = sdks.Sdk(fire=lambda _: None, flush=lambda: None) if name == NOTHING else sdks.SDKS[name](place)
    _fire(sdk, calls, 0)
    burst: list[int] = []
    for _ in range(BURSTS):
        sdk.flush()
        burst += _fire(sdk, calls, 0)
    sdk.flush()
    return burst, _fire(sdk, calls * STEADY // CALLS, PAUSE)


def _fire(sdk: sdks.Sdk, calls: int, pause: float) -> list[int]:
    attributes, costs = sdk.attributes(), []
    for _ in range(calls):
        if pause:
            time.sleep(pause)
        start = time.perf_counter_ns()
        sdk.fire(attributes)
        costs.append(time.perf_counter_ns() - start)
    return costs


def benchmark(small: bool) -> Section:
    burst: dict[str, list[int]] = {name: [] for name in NAMES}
    steady: dict[str, list[int]] = {name: [] for name in NAMES}
    with sink.running() as url:
        for _ in range(1 if small else ROUNDS):
            for name in NAMES:
                with tempfile.TemporaryDirectory() as directory:
                    costs = child.call("benchmarks.caller_cost", name, url, directory, 50 if small else CALLS)
                burst[name] += costs[0]
                steady[name] += costs[1]
    medians = {name: statistics.median(costs) / 1000 for name, costs in burst.items()}
    ours = medians["dd-pa (memory)"]
    columns = ["SDK", "burst median", "p99", "max", "× dd-pa in memory", "steady median", "p99", "max"]
    rows = [[name, *_figures(burst[name]), f"{medians[name] / ours:,.1f}", *_figures(steady[name])] for name in NAMES]
    return Section(
        name="caller_cost",
        text=TEXT,
        tables=[
            Table(title="Caller's cost of one event, µs", columns=columns, rows=rows),
            aims(*_aims(medians, steady)),
        ],
        charts=[
            Chart(
                name="caller_cost",
                title="What one event costs its caller (median)",
                unit="µs",
                bars=[Bar(name, medians[name], "") for name in sdks.SDKS],
                logarithmic=True,
            )
        ],
    )


def _aims(medians: dict[str, float], steady: dict[str, list[int]]) -> Iterator[Aim]:
    for name, limit in (("dd-pa (memory)", 2.5), ("dd-pa (spool)", 4.0)):
        if name not in medians:
            continue
        yield Aim(f"{name}: median", f"≤ {limit} µs", f"{medians[name]:.1f} µs", medians[name] <= limit)
        for peer, times in (("posthog", 10), ("sentry-sdk (logs)", 3), ("opentelemetry-sdk (logs)", 3)):
            ratio = medians[peer] / medians[name]
            yield Aim(f"{name}: cheaper than {peer.split()[0]}", f"≥ {times} ×", f"{ratio:.1f} ×", ratio >= times)
    if "dd-pa (spool)" in steady:
        p99 = _percentiles(steady["dd-pa (spool)"])[1]
        yield Aim("dd-pa (spool): p99, delivery running", "≤ 50 µs", f"{p99:.1f} µs", p99 <= 50)


def _percentiles(costs: list[int]) -> tuple[float, float, float]:
    """Return median, p99 and maximum in microseconds."""
    ordered = sorted(costs)
    return statistics.median(ordered) / 1000, ordered[len(ordered) * 99 // 100] / 1000, ordered[-1] / 1000


def _figures(costs: list[int]) -> list[str]:
    return [f"{figure:,.1f}" for figure in _percentiles(costs)]


if __name__ == "__main__":
    if len(sys.argv) == 5:
        name, url, directory, calls = sys.argv[1:]
        child.answer(measure(name, sdks.Place(url=url, directory=directory), int(calls)))
    else:
        run(benchmark)
