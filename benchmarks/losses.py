"""Events lost when a process ends, or forks: `python -m benchmarks.losses`."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from benchmarks import child, sdks, sink
from benchmarks.chart import Bar, Chart
from benchmarks.report import Aim, Section, Table, aims, run

EVENTS, FEW, PACE = 507, 107, 0.001
"""No multiples of a batch's size, or whoever sends by the batch would seem to leave no rest."""

AT_ONCE, FORKS_AT_ONCE = 3, 8
"""Processes that run beside each other: nothing is timed but the end, and not that of forks."""

QUIET = 11.0
"""Seconds without an arrival after which no more is expected of a living process; longer than each SDK's interval."""

ENDINGS = ("normal exit", "SIGTERM", "SIGKILL", "fork")
TEXT = f"""\
{EVENTS:,} events, about one a millisecond, against a healthy local server; then the process ends right after the last
call, and nothing else is called: no `flush()`, no `shutdown()`. *Normal exit*: the program's last line. *SIGTERM*,
*SIGKILL*: sent by another process, no handler installed by the program. *Fork*: the parent sends one event and forks,
as `gunicorn --preload` does; the child fires the {EVENTS:,} and lives on until nothing has arrived for {QUIET:g} s.
With the spool, what a dead process left is delivered by the next one: the program is started once more and fires one
event. (The others keep nothing that a second start could find.) *Twice*: events that arrived again. *Exit takes*:
seconds from the last call to the end of the process, at a normal exit.
"""


class Ended(NamedTuple):
    """What came of one process."""

    lost: int
    twice: int
    seconds: float
    """From the last call to the end of the process."""


def main(name: str, place: sdks.Place, label: str, ending: str, events: int) -> None:
    """Fire the events and come to the end; to be run in a fresh process."""
    sdk = sdks.SDKS[name](place)
    if ending == "fork":
        sdk.fire(sdk.attributes("ticket-parent-0"))
        sdk.flush()
        if os.fork():
            os.wait()
            return
    for number in range(events):
        time.sleep(PACE)
        sdk.fire(sdk.attributes(f"ticket-{label}-{number}"))
    print("fired", flush=True)
    if ending in ("SIGTERM", "SIGKILL", "fork"):
        signal.pause()


def end(name: str, *, ending: str, url: str, events: int) -> Ended:
    """Run one SDK to one end."""
    label = "".join(letter for letter in f"{name}{ending}".lower() if letter.isalnum())
    with tempfile.TemporaryDirectory() as directory:
        place = ("benchmarks.losses", name, url, directory)
        with child.started(child.command(*place, label, ending, events)) as process:
            assert process.stdout is not None
            process.stdout.readline()
            fired = time.monotonic()
            if ending == "fork":
                _await(url, label, events)
                os.killpg(process.pid, signal.SIGKILL)
            elif ending != "normal exit":
                process.send_signal(getattr(signal, ending))
            process.wait()
            seconds = time.monotonic() - fired
        if name in sdks.SPOOLED and ending != "fork":
            with child.started(child.command(*place, f"{label}again", "SIGKILL", 1)):
                _await(url, label, events)
        different, again = sink.ask(url, label)
    return Ended(events - different, again, seconds)


def _await(url: str, label: str, events: int) -> None:
    """Wait until all events have arrived, or none has for a while."""
    last, since = -1, time.monotonic()
    while last < events and time.monotonic() - since < QUIET:
        time.sleep(0.1)
        arrived, _ = sink.ask(url, label)
        if arrived > last:
            last, since = arrived, time.monotonic()


def benchmark(small: bool) -> Section:
    events = FEW if small else EVENTS
    names = [name for name in sdks.SDKS if "own process" not in name and "httpx" not in name]
    with sink.running() as url:
        ended = {
            ending: _side_by_side(names, partial(end, ending=ending, url=url, events=events), ending)
            for ending in ENDINGS
        }
    rows = [_row(name, [ended[ending][name] for ending in ENDINGS]) for name in names]
    lost = {name: sum(ended[ending][name].lost for ending in ENDINGS) for name in names}
    return Section(
        name="losses",
        text=TEXT,
        tables=[
            Table(title=f"Lost of {events:,} events", columns=["SDK", *ENDINGS, "twice", "exit takes"], rows=rows),
            aims(*(_aim(name, ended["SIGKILL"][name]) for name in names if name in sdks.SPOOLED)),
        ],
        charts=[
            Chart(
                name="losses",
                title=f"Events lost in all four, of {len(ENDINGS) * events:,}",
                unit="events",
                bars=[Bar(name, number, f"{number:,}") for name, number in lost.items()],
            )
        ],
    )


def _side_by_side(names: list[str], run_one: Callable[[str], Ended], ending: str) -> dict[str, Ended]:
    with ThreadPoolExecutor(FORKS_AT_ONCE if ending == "fork" else AT_ONCE) as pool:
        return dict(zip(names, pool.map(run_one, names), strict=True))


def _aim(name: str, ended: Ended) -> Aim:
    came_to = f"{ended.lost} lost, {ended.twice} twice"
    return Aim(f"{name}: SIGKILL", "0 lost, ≤ 100 twice", came_to, ended.lost == 0 and ended.twice <= 100)


def _row(name: str, ended: list[Ended]) -> list[str]:
    lost = [f"{one.lost:,}" for one in ended]
    return [name, *lost, f"{sum(one.twice for one in ended):,}", f"{ended[0].seconds:.1f}"]


if __name__ == "__main__":
    if len(sys.argv) == 7:
        name, url, directory, label, ending, events = sys.argv[1:]
        main(name, sdks.Place(url=url, directory=directory), label, ending, int(events))
    else:
        run(benchmark)
