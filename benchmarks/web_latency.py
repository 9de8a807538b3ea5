"""The p99 of a web request, with and without events: `python -m benchmarks.web_latency`."""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import child, sdks, sink
from benchmarks.chart import Bar, Chart
from benchmarks.report import Aim, Section, Table, aims, run
from benchmarks.web_app import NONE

ROUNDS, SECONDS, RATE = 7, 2.0, 120
OWN_PROCESS = "dd-pa (spool, own process)"
DELIVER = [str(Path(sys.executable).with_name("dd-pa")), "deliver"]
OURS = ("dd-pa (memory)", "dd-pa (spool)", "dd-pa (spool, httpx)", OWN_PROCESS)
SHOPS = [NONE, *(name for name in OURS if name in sdks.SDKS), "posthog", "sentry-sdk (logs)"]
TEXT = f"""\
A Flask page of about 2 ms under gunicorn (one worker, four threads), one event per request, {RATE} requests per second
at a steady rate from another process, in {ROUNDS} rounds of {SECONDS:g} s per shop, in turns and in changing order. p99
is the median of the rounds' p99, because one disturbed round would decide it otherwise. Shop, load generator, sink
and delivery share the machine's two cores.
"""


@contextlib.contextmanager
def shop(name: str, url: str) -> Iterator[int]:
    """Run a shop, and the delivery process if it needs one; give its port."""
    port = sink.free_port()
    command = child.command(
        "gunicorn", "benchmarks.web_app:create_app()", "--bind", f"127.0.0.1:{port}", "--threads", 4, "--keep-alive", 60
    )
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as running:
        environ = {**os.environ, "BENCH_SDK": name, "BENCH_URL": url, "BENCH_DIRECTORY": directory}
        running.enter_context(sink.serving(command, port, environ))
        if name == OWN_PROCESS:
            running.enter_context(child.started(DELIVER, _settings(url, directory)))
        yield port


def _settings(url: str, directory: str) -> dict[str, str]:
    own = {"APPLICATION_ID": "bench", "INTAKE_URL": url, "SPOOL_DIR": directory, "DELIVERY": "process"}
    return {**os.environ, "DD_API_KEY": "bench", **{f"DD_PA_{key}": value for key, value in own.items()}}


def benchmark(small: bool) -> Section:
    seconds: dict[str, list[list[float]]] = {name: [] for name in SHOPS}
    with sink.running() as url, contextlib.ExitStack() as running:
        ports = {name: running.enter_context(shop(name, url)) for name in SHOPS}
        for number in range(1 if small else ROUNDS):
            turn = number % len(SHOPS)
            for name in SHOPS[turn:] + SHOPS[:turn]:
                taken = child.call("benchmarks.load", ports[name], RATE, SECONDS)
                seconds[name].append(sorted(taken))
    p99 = {
        name: statistics.median(taken[len(taken) * 99 // 100] for taken in rounds) * 1000
        for name, rounds in seconds.items()
    }
    rows = [_row(name, seconds[name], p99) for name in SHOPS]
    columns = ["events with", "median ms", "p99 ms", "max ms", "p99 against none"]
    return Section(
        name="web_latency",
        text=TEXT,
        tables=[Table(title="A web request under load", columns=columns, rows=rows), aims(*_aims(p99))],
        charts=[
            Chart(
                name="web_latency",
                title="p99 of a web request that fires one event",
                unit="ms",
                bars=[Bar(name, value, f"{value:.2f}") for name, value in p99.items()],
            )
        ],
    )


def _aims(p99: dict[str, float]) -> Iterator[Aim]:
    if OWN_PROCESS in p99:
        more = p99[OWN_PROCESS] / p99[NONE] - 1
        yield Aim(f"{OWN_PROCESS}: p99 against no events", "≤ +5%", f"{more:+.0%}", more <= 0.05)


def _row(name: str, rounds: list[list[float]], p99: dict[str, float]) -> list[str]:
    median = statistics.median(second for taken in rounds for second in taken) * 1000
    worst = max(taken[-1] for taken in rounds) * 1000
    return [name, f"{median:.2f}", f"{p99[name]:.2f}", f"{worst:.1f}", f"{p99[name] / p99[NONE] - 1:+.0%}"]


if __name__ == "__main__":
    run(benchmark)
