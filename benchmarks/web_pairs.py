"""Whether an event shows in how long a web request takes: `python -m benchmarks.web_pairs`.

Two processes of one program differ by some percent, as a request with an event does from one without. So one process
answers both, in pairs of blocks that follow each other, and what is told is the difference within the pairs, with the
interval that they leave it.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks import child, far_intake, machine
from benchmarks.report import Aim, Section, Table, aims, run
from benchmarks.web import kinds
from benchmarks.web_latency import FAR, shop

PAIRS, SECONDS, UNCOUNTED, GAP = 46, 1.0, 0.1, 0.15
"""Of each contest; of a block, of its beginning that is not counted, and after it, for what it leaves to deliver."""

RATES = {"Flask": 240, "Django": 140}
"""Requests a second with which the process is busy for about a third of the time."""

CONTESTS = (("Flask", kinds.NONE), ("Flask", kinds.THREAD), ("Django", kinds.THREAD))
PARTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MOST, DRAWS, LIKELY = 0.05, 2_000, 0.95
TEXT = f"""\
The same page under gunicorn (one worker, four threads), with an event and without, in **one process**, as two
processes of one program differ by some percent. {PAIRS} pairs of blocks of {SECONDS:g} s, the first of them with an
event in every other pair, and the contests in turns; the first {UNCOUNTED * 1000:g} ms of a block are not counted, and
{GAP * 1000:g} ms after it belong to it, as what it leaves is delivered then. Requests come at a steady rate
({RATES["Flask"]} a second of Flask, {RATES["Django"]} of Django), and are timed from when they were due. The intake is
{FAR * 1000:g} ms away, over TLS.

Percentiles are those of a block, compared within its pair; what is told is the median of the pairs, so that some
seconds in which the machine did something else do not decide: of all requests of a side together, the slowest are those
of a few such seconds. What an event does less often than every other second does not show here. In brackets is the
interval that holds {LIKELY:.0%} of the medians of {DRAWS:,} draws of as many pairs from the pairs (bootstrap). *No
events* has the same page on both sides, and shows what the method makes of nothing: its intervals should hold 0. An aim
is met if the whole interval is below it, missed if it is above, and undecided else.
"""


class Block(NamedTuple):
    """One side of a pair."""

    taken: list[float]
    """Milliseconds of each request."""

    cpu: float
    """Milliseconds of the web process for one request."""


Pair = tuple[Block, Block]
"""With and without."""


class Interval(NamedTuple):
    """A figure, and where it lies by what the pairs tell."""

    found: float
    low: float
    high: float

    def shown(self, form: str) -> str:
        return f"{self.found:{form}} ({self.low:{form}} … {self.high:{form}})"

    def judged(self, most: float) -> str:
        return "met" if self.high <= most else "missed" if self.low > most else "undecided"


def percentiles(block: Block) -> list[float]:
    """Return those of PARTS, in milliseconds."""
    taken = sorted(block.taken)
    return [taken[int(len(taken) * part)] for part in PARTS.values()]


def more(pairs: Sequence[Pair], draw: random.Random) -> tuple[list[Interval], Interval]:
    """Return by which part the percentiles are more with an event, and by how many µs the CPU of a request is."""
    sides = [(percentiles(with_event), percentiles(without)) for with_event, without in pairs]
    parts = [[ours[part] / others[part] - 1 for ours, others in sides] for part in range(len(PARTS))]
    cpu = [(with_event.cpu - without.cpu) * 1000 for with_event, without in pairs]
    return [_median(found, draw) for found in parts], _median(cpu, draw)


def _median(found: Sequence[float], draw: random.Random) -> Interval:
    drawn = sorted(median(draw.choices(found, k=len(found))) for _ in range(DRAWS))
    cut = int(DRAWS * (1 - LIKELY) / 2)
    return Interval(median(found), drawn[cut], drawn[-1 - cut])


def measure(pairs: int, seconds: float) -> dict[tuple[str, str], list[Pair]]:
    """Run all shops beside each other, and ask them in turns."""
    with contextlib.ExitStack() as running:
        far = running.enter_context(far_intake.running(FAR))
        load = running.enter_context(child.contestants("benchmarks.web.load", {"load": ()}))["load"]
        blocks: dict[tuple[str, str], Callable[[str], Block]] = {}
        for framework, kind in CONTESTS:
            port, worker = running.enter_context(shop(framework, kind, far.url, far.ca_file))

            def block(path: str, port: int = port, worker: int = worker, rate: int = RATES[framework]) -> Block:
                before = machine.cpu_of(worker)
                taken = load.ask([port, rate, seconds, path])
                time.sleep(GAP)
                cpu = (machine.cpu_of(worker) - before) / len(taken) * 1000
                return Block(taken[int(rate * UNCOUNTED) :], cpu)

            blocks[framework, kind] = block
        found: dict[tuple[str, str], list[Pair]] = {contest: [] for contest in CONTESTS}
        for number in range(pairs + 1):
            for contest, ask in blocks.items():
                first, second = ("/", kinds.PLAIN) if number % 2 else (kinds.PLAIN, "/")
                sides = {path: ask(path) for path in (first, second)}
                found[contest].append((sides["/"], sides[kinds.PLAIN]))
        return {contest: pairs[1:] for contest, pairs in found.items()}  # connections are made, and code is loaded


def benchmark(small: bool) -> Section:
    found = measure(2 if small else PAIRS, 0.3 if small else SECONDS)
    rows, all_aims, draw = [], [], random.Random(14)
    for (framework, kind), pairs in found.items():
        parts, cpu = more(pairs, draw)
        without = [median(one) for one in zip(*(percentiles(pair[1]) for pair in pairs), strict=True)]
        shown = [f"{one:.2f}: {part.shown('+.1%')}" for one, part in zip(without, parts, strict=True)]
        rows.append(
            [f"{kind}, {framework}", f"{sum(len(pair[0].taken) for pair in pairs):,}", *shown, cpu.shown("+,.0f")]
        )
        if kind != kinds.NONE:
            judged, p99 = parts[-1].judged(MOST), parts[-1].shown("+.1%")
            what = f"{kind}, {framework}: p99 with an event"
            all_aims.append(Aim(what, f"≤ {MOST:+.0%}", f"{p99}: {judged}", judged == "met"))
    columns = ["", "requests of a side", *(f"{part} ms: more with an event" for part in PARTS), "CPU µs more"]
    return Section(
        name="web_pairs",
        text=TEXT,
        tables=[Table(title="A request with an event beside one without", columns=columns, rows=rows), aims(*all_aims)],
        distributions=("dd-pa", "django", "flask", "gunicorn"),
    )


if __name__ == "__main__":
    run(benchmark)
