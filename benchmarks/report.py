"""What a benchmark found: shown as tables in the terminal, and written into its part of `benchmarks/README.md`."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks import machine
from benchmarks.chart import Chart
from benchmarks.growth import Growth
from benchmarks.sdks import SDKS

HERE = Path(__file__).parent
ROOT = HERE.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text; the first column is a name, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Aim(NamedTuple):
    """What it has to come to, and what it came to."""

    what: str
    limit: str
    measured: str
    met: bool


def aims(*all_of_them: Aim) -> Table:
    """Return the table of a benchmark's aims."""
    rows = [[aim.what, aim.limit, aim.measured, "yes" if aim.met else "NO"] for aim in all_of_them]
    return Table(title="Aims", columns=["what", "aim", "here", "met"], rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """All that one benchmark says."""

    name: str
    """Its module."""

    text: str
    """How it was measured, in Markdown."""

    tables: Sequence[Table]
    charts: Sequence[Chart | Growth] = ()

    page: str = "benchmarks/README.md"
    """Where it is shown."""

    distributions: Sequence[str] = ()
    """What took part, if that was not the SDKs."""


Benchmark = Callable[[bool], Section | Sequence[Section]]
"""Told whether to be a small one."""


def run(benchmark: Benchmark, *, servers: Sequence[str] = ()) -> None:
    """Run one benchmark and write what it says; with `--small`, run a small one that is only shown.

    `servers` are programs that work for it and are not started by it.
    """
    small = "--small" in sys.argv
    watch, started = machine.Watch(servers), time.monotonic()
    found = benchmark(small)
    seconds, verdict = time.monotonic() - started, watch.verdict()
    sections = [found] if isinstance(found, Section) else found
    for section in sections:
        show(section)
        if not small:
            write(section, f"{seconds:.0f} s, {machine.described()}; {verdict}")
    print(f"{sections[0].name}: {seconds:.0f} s; {verdict}", flush=True)


def show(section: Section) -> None:
    for table in section.tables:
        shown = RichTable(title=table.title)
        for number, column in enumerate(table.columns):
            shown.add_column(column, justify="right" if number else "left", no_wrap=not number)
        for row in table.rows:
            shown.add_row(*row, style="bold green" if row[0].startswith("dd-pa") else "")
        Console(width=max(110, Console().width)).print(shown)


def write(section: Section, circumstances: str) -> None:
    """Put the section between its markers; raise `LookupError` if the file has none."""
    for chart in section.charts:
        (HERE / "charts" / f"{chart.name}.svg").write_text(chart.svg())
    begin, end = (f"<!-- {word}: {section.name} (made by `make bench`) -->" for word in ("begin", "end"))
    path = ROOT / section.page
    parts = re.split(f"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})", path.read_text(), flags=re.DOTALL)
    if len(parts) != 2:
        raise LookupError(f"{section.page} must have one {begin} and one {end}")
    path.write_text(parts[0] + _markdown(section, circumstances) + parts[1])


def _markdown(section: Section, circumstances: str) -> str:
    tables = [_table(table) for table in section.tables]
    folder = "charts" if section.page.startswith("benchmarks/") else "../benchmarks/charts"
    charts = [f"![{chart.title}]({folder}/{chart.name}.svg)" for chart in section.charts]
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    note = f"<sub>{when}, {circumstances}. {_versions(section)}.</sub>"
    return "\n\n".join([section.text.strip(), *charts, *tables, note]) + "\n"


def _table(table: Table) -> str:
    rows = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *table.rows]
    lines = [f"| {' | '.join(_bold(row))} |" for row in rows]
    return "\n".join([f"**{table.title}**", "", *lines])


def _bold(row: Sequence[str]) -> list[str]:
    return [f"**{row[0]}**" if row[0].startswith("dd-pa") else row[0], *row[1:]]


def _versions(section: Section) -> str:
    sdks = (*dict.fromkeys(name.split()[0] for name in SDKS), "hpack", "httpx")
    return ", ".join(f"{name} {version(name)}" for name in section.distributions or sdks)
