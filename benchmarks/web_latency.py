"""A web request with and without an event, in Django and Flask: `python -m benchmarks.web_latency`."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import child, far_intake, machine, sink
from benchmarks.chart import Bar, Chart
from benchmarks.report import Section, Table, run
from benchmarks.rounds import Spread, in_turns, spread
from benchmarks.web import kinds

ROUNDS, SECONDS, RATE, FAR = 5, 1.0, 120, 0.02
COMMON = (kinds.NONE, kinds.MEMORY, kinds.THREAD, kinds.OWN_PROCESS, *kinds.PEERS, kinds.ROW, kinds.OUTBOX)
SHOPS = {
    "Flask": (*COMMON, kinds.QUICK_SWITCH, kinds.SLOW_SWITCH),
    "Django": COMMON,
}
DELIVER = [str(Path(sys.executable).with_name("dd-pa")), "deliver"]
TEXT = f"""\
A page with a table of 100 rows under gunicorn (one worker, four threads), one event in each request, {RATE} requests a
second at a steady rate from another process, in {ROUNDS} rounds of {SECONDS:g} s for each shop, in turns, with another
first in each round. A request is timed from when it was due. *p50* and *p99* are those of a round: the least, and the
median of the rounds. *CPU* is that of the web process for one request, with all of its threads; waiting and other
processes play no part in it. Each shop is a process of its own, and two of one program differ by some percent: whether
an event shows is what the pairs below tell. The intake is {FAR * 1000:g} ms away. dd-pa posts over HTTP/2 and TLS,
peers over plain HTTP/1.1; Sentry brings its own instrumentation of the framework, which it turns on by itself.

*Own process*: `dd-pa deliver` does it, on the same two cores. *A row written*: the request inserts a row into SQLite
(which does not wait for the disk here); the outbox adds the event to that transaction, and a process that is not run
here would deliver it. *Switch interval*: `sys.setswitchinterval()`, with which a thread asks for the GIL; 5 ms is
Python's own and that of all other rows.
"""


class Round(NamedTuple):
    """One round of one shop, in milliseconds."""

    median: float
    p99: float
    cpu: float
    """Of one request."""


class Shop(NamedTuple):
    """A running one."""

    port: int
    worker: int
    """The process that answers."""


@contextlib.contextmanager
def shop(framework: str, kind: str, url: str, ca_file: str) -> Iterator[Shop]:
    """Run a shop, and the delivery process if it needs one."""
    port = sink.free_port()
    app = f"benchmarks.web.{framework.lower()}_shop:create_app()"
    command = child.command("gunicorn", app, "--bind", f"127.0.0.1:{port}", "--threads", 4, "--keep-alive", 60)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory, contextlib.ExitStack() as running:
        given = {"KIND": kind, "URL": url, "CA_FILE": ca_file, "DIRECTORY": directory}
        environ = {**os.environ, "DD_PA_TEST_RUN": "0", **{f"BENCH_{name}": value for name, value in given.items()}}
        master = running.enter_context(sink.serving(command, port, environ))
        if kind == kinds.OWN_PROCESS:
            running.enter_context(child.started(DELIVER, _settings(url, ca_file, directory)))
        yield Shop(port, _only_child(master))


def _only_child(master: int) -> int:
    while not (found := Path(f"/proc/{master}/task/{master}/children").read_text().split()):
        continue
    return int(found[0])


def _settings(url: str, ca_file: str, directory: str) -> dict[str, str]:
    own = {"APPLICATION_ID": "bench", "INTAKE_URL": url, "SPOOL_DIR": f"{directory}/spool", "CA_FILE": ca_file}
    return {**os.environ, "DD_API_KEY": "bench", **{f"DD_PA_{key}": value for key, value in own.items()}}


def measure(framework: str, rounds: int, seconds: float) -> dict[str, list[Round]]:
    """Run all shops of a framework beside each other, and ask them in turns."""
    with contextlib.ExitStack() as running:
        url, far = running.enter_context(sink.running(delay=FAR)), running.enter_context(far_intake.running(FAR))
        load = running.enter_context(child.contestants("benchmarks.web.load", {"load": ()}))["load"]
        shops = {}
        for kind in SHOPS[framework]:
            where = (url, "") if kind in kinds.PEERS else (far.url, far.ca_file)
            shops[kind] = running.enter_context(shop(framework, kind, *where))

        def turn(kind: str) -> Round:
            port, worker = shops[kind]
            before = machine.cpu_of(worker)
            taken = sorted(load.ask([port, RATE, seconds]))
            cpu = (machine.cpu_of(worker) - before) / len(taken) * 1000
            return Round(taken[len(taken) // 2], taken[len(taken) * 99 // 100], cpu)

        in_turns(list(shops), 1, turn)  # connections are made, and code is loaded
        return in_turns(list(shops), rounds, turn)


def benchmark(small: bool) -> Section:
    tables, bars = [], []
    for framework in SHOPS:
        found = measure(framework, 1 if small else ROUNDS, 0.3 if small else SECONDS)
        p99 = {kind: spread(one.p99 for one in rounds) for kind, rounds in found.items()}
        cpu = {kind: spread(one.cpu for one in rounds) for kind, rounds in found.items()}
        rows = [_row(kind, rounds, p99, cpu) for kind, rounds in found.items()]
        columns = [
            "",
            "p50 ms, least",
            "median",
            "p99 ms, least",
            "median",
            "p99 × without",
            "CPU ms",
            "more than without",
        ]
        tables.append(Table(title=f"A request of {framework}", columns=columns, rows=rows))
        bars += [
            Bar(f"{kind.split(',')[0]}, {framework}", p99[kind].least, "")
            for kind in found
            if kind not in kinds.SWITCHES
        ]
    return Section(
        name="web_latency",
        text=TEXT,
        tables=tables,
        charts=[Chart(name="web_latency", title="p99 of a web request, least of the rounds", unit="ms", bars=bars)],
        distributions=("dd-pa", "django", "flask", "gunicorn", "posthog", "sentry-sdk"),
    )


def _base(kind: str) -> str:
    return kinds.ROW if kind == kinds.OUTBOX else kinds.NONE


def _row(kind: str, rounds: list[Round], p99: dict[str, Spread], cpu: dict[str, Spread]) -> list[str]:
    median, base = spread(one.median for one in rounds), _base(kind)
    against = f"{p99[kind].least / p99[base].least:.2f}"
    more = f"{cpu[kind].least - cpu[base].least:+.2f}"
    return [kind, *median.shown(".2f"), *p99[kind].shown(".2f"), against, f"{cpu[kind].least:.2f}", more]


if __name__ == "__main__":
    run(benchmark)
