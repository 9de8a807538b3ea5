"""What a rate of events costs a process, and what that means for a site: `python -m benchmarks.rates`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks import child, far_intake, sdks, sink
from benchmarks.growth import Growth
from benchmarks.report import Aim, Section, Table, aims, run
from benchmarks.rounds import in_turns
from dd_pa import Emitter, Settings

ROUNDS, SECONDS = 2, 1.2
RATES = (1, 10, 100, 1_000, 10_000)
PAGE = "docs/cost.md"
TEXT = f"""\
A process fires events at a steady rate for {SECONDS:g} s, {ROUNDS} times in turns with the others; what it uses of a
core is taken as a whole, delivery included, less what the loop alone uses. The intake is 20 ms away.
"""
FOR_PEOPLE = """\
Measured with one event in each request, of five attributes and three ids, and an intake 20 ms away. *CPU* is what the
web process uses more than without events, as a part of one core, delivery included; with `DELIVERY = "process"` the
rest is done by `dd-pa deliver`. *Disk* is what waits while Datadog cannot be reached, within the standard
SPOOL_MAX_BYTES; when that is *full*, the oldest events make way for new ones. *Caught up* is how long the waiting
events take afterwards, beside the new ones.
"""
NOTHING = "no events"
NAMES = (NOTHING, "dd-pa (spool)", "dd-pa (spool, own process)", "posthog", "sentry-sdk (logs)")
HOUR = 3_600


def measure(name: str, place: sdks.Place) -> None:
    """Take turns; to be run in a fresh process."""
    sdk = sdks.Sdk(fire=lambda _: None, flush=lambda: None) if name == NOTHING else sdks.SDKS[name](place)
    sdk.fire(sdk.attributes())
    sdk.flush()

    def turn(question: Any) -> float:
        rate, seconds = question
        attributes, gap = sdk.attributes(), max(1 / rate, 0.002)
        started, cpu, fired = time.perf_counter(), time.process_time(), 0
        while (passed := time.perf_counter() - started) < seconds:
            while fired <= passed * rate:
                sdk.fire(attributes)
                fired += 1
            time.sleep(min(gap, seconds - passed + 0.001))
        used: float = (time.process_time() - cpu) / seconds
        sdk.flush()
        return used

    child.take_turns(turn)


def caught_up(events: int) -> float:
    """Return how many events a second leave when many wait."""
    name = "dd-pa (spool)"
    with far_intake.running(0.02) as far, tempfile.TemporaryDirectory() as directory:
        sdk = sdks.SDKS[name](sdks.Place(url=far.url, directory=directory, ca_file=far.ca_file))
        sdk.fire(sdk.attributes())
        sdk.flush()
        started = time.perf_counter()
        for _ in range(events):
            sdk.fire(sdk.attributes())
        sdk.flush()
        return events / (time.perf_counter() - started)


def shares(rates: Sequence[int], rounds: int, seconds: float) -> dict[str, dict[int, float]]:
    """Return the part of a core by SDK and rate, less what the loop uses."""
    found: dict[str, dict[int, float]] = {name: {} for name in NAMES}
    with contextlib.ExitStack() as running:
        url, far = running.enter_context(sink.running(delay=0.02)), running.enter_context(far_intake.running(0.02))
        arguments = {}
        for name in NAMES:
            directory = running.enter_context(tempfile.TemporaryDirectory())
            ours = name in sdks.OURS
            arguments[name] = (name, far.url if ours else url, directory, far.ca_file if ours else "")
        processes = running.enter_context(child.contestants("benchmarks.rates", arguments))
        for rate in rates:
            used = in_turns(NAMES, rounds, partial(_ask, processes, [rate, seconds]))
            for name, parts in used.items():
                found[name][rate] = max(0.0, min(parts) - min(used[NOTHING]))
    return found


def _ask(processes: dict[str, child.Contestant], question: list[float], name: str) -> float:
    used: float = processes[name].ask(question)
    return used


def event_bytes() -> int:
    """Return what an event takes in the spool."""
    settings = Settings(application_id="bench", api_key="bench", intake_url="http://127.0.0.1:9", spool_dir=None)
    event = Emitter(settings).integration.build(
        sdks.NAME, sdks.NESTED, usr=sdks.USER, account=sdks.ACCOUNT, session=sdks.SESSION
    )
    assert event is not None
    return len(event.body) + 11


def benchmark(small: bool) -> list[Section]:
    rates = RATES[2:4] if small else RATES
    found = shares(rates, 1 if small else ROUNDS, 0.3 if small else SECONDS)
    rows = [
        [name, *(f"{found[name][rate]:.1%}" for rate in rates), f"{found[name][rates[-1]] / rates[-1] * 1e6:,.0f}"]
        for name in NAMES[1:]
    ]
    most = found["dd-pa (spool)"][1_000] / 1_000 * 1e6
    table = Table(
        title="Part of a core by events a second",
        columns=["SDK", *(f"{rate:,}/s" for rate in rates), f"µs of each at {rates[-1]:,}/s"],
        rows=rows,
    )
    chart = Growth(
        name="rates",
        title="Processor time by events a second",
        across="events a second",
        up="percent of a core",
        lines={name: [(rate, found[name][rate] * 100) for rate in rates] for name in NAMES[1:]},
    )
    aim = Aim("dd-pa (spool): CPU of an event at 1,000/s", "≤ 100 µs", f"{most:.0f} µs", most <= 100)
    people = Section(
        name="site",
        text=FOR_PEOPLE,
        tables=[_site(found, child.call("benchmarks.rates", 200 if small else 10_000))],
        page=PAGE,
        distributions=("dd-pa",),
    )
    return [Section(name="rates", text=TEXT, tables=[table, aims(aim)], charts=[chart]), people]


def _site(found: dict[str, dict[int, float]], drains: float) -> Table:
    settings = Settings(application_id="bench", api_key="bench", intake_url="http://127.0.0.1:9")
    size, bound = event_bytes(), settings.spool_max_bytes
    rows = []
    for rate in (10, 100, 1_000):
        if rate in found["dd-pa (spool)"]:
            parts = [f"{found[name][rate]:.1%}" for name in ("dd-pa (spool)", "dd-pa (spool, own process)")]
            waiting = min(rate * HOUR, bound // size)
            until = _time(waiting / (drains - rate)) if drains > rate else "never"
            disk = f"{waiting * size / 1e6:,.0f} MB"
            rows.append([f"{rate:,} requests/s", *parts, disk, _time(bound / rate / size), until])
    columns = ["", "CPU", "CPU, DELIVERY = process", "disk after an hour's outage", "full after", "caught up in"]
    return Table(title="A process with one event in each request", columns=columns, rows=rows)


def _time(seconds: float) -> str:
    if seconds >= HOUR:
        return f"{seconds / HOUR:,.1f} h"
    return f"{seconds / 60:,.0f} min" if seconds >= 60 else f"{seconds:,.0f} s"


if __name__ == "__main__":
    match [word for word in sys.argv[1:] if word != "--small"]:
        case [name, url, directory, ca_file]:
            measure(name, sdks.Place(url=url, directory=directory, ca_file=ca_file or None))
        case [events]:
            child.answer(caught_up(int(events)))
        case _:
            run(benchmark)
