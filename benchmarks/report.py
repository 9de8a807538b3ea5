"""What a benchmark found: shown as tables in the terminal, and written into its part of `benchmarks/README.md`."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.chart import Chart
from benchmarks.sdks import SDKS

HERE = Path(__file__).parent


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
    charts: Sequence[Chart] = ()

    distributions: Sequence[str] = ()
    """What took part, if that was not the SDKs."""


def run(benchmark: Callable[[bool], Section]) -> None:
    """Run one benchmark and write its section; with `--small`, run a small one that is only shown."""
    small = "--small" in sys.argv
    started = time.monotonic()
    section = benchmark(small)
    seconds = time.monotonic() - started
    show(section)
    print(f"{section.name}: {seconds:.0f} s")
    if not small:
        write(section, seconds)


def show(section: Section) -> None:
    for table in section.tables:
        shown = RichTable(title=table.title)
        for number, column in enumerate(table.columns):
            shown.add_column(column, justify="right" if number else "left", no_wrap=not number)
        for row in table.rows:
            shown.add_row(*row, style="bold green" if row[0].startswith("dd-pa") else "")
        Console(width=max(110, Console().width)).print(shown)


def write(section: Section, seconds: float) -> None:
    """Put the section between its markers; raise `LookupError` if the file has none."""
    for chart in section.charts:
        (HERE / "charts" / f"{chart.name}.svg").write_text(chart.svg())
    begin, end = (f"<!-- {word}: {section.name} (made by `make bench`) -->" for word in ("begin", "end"))
    page = (HERE / "README.md").read_text()
    parts = re.split(f"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})", page, flags=re.DOTALL)
    if len(parts) != 2:
        raise LookupError(f"benchmarks/README.md must have one {begin} and one {end}")
    (HERE / "README.md").write_text(parts[0] + _markdown(section, seconds) + parts[1])


def _markdown(section: Section, seconds: float) -> str:
    tables = [_table(table) for table in section.tables]
    charts = [f"![{chart.title}](charts/{chart.name}.svg)" for chart in section.charts]
    return (
        "\n\n".join([section.text.strip(), *charts, *tables, f"<sub>{_circumstances(section, seconds)}</sub>"]) + "\n"
    )


def _table(table: Table) -> str:
    rows = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *table.rows]
    lines = [f"| {' | '.join(_bold(row))} |" for row in rows]
    return "\n".join([f"**{table.title}**", "", *lines])


def _bold(row: Sequence[str]) -> list[str]:
    return [f"**{row[0]}**" if row[0].startswith("dd-pa") else row[0], *row[1:]]


def _circumstances(section: Section, seconds: float) -> str:
    sdks = (*dict.fromkeys(name.split()[0] for name in SDKS), "hpack", "httpx")
    versions = [f"{name} {version(name)}" for name in section.distributions or sdks]
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    turn = min(timeit.repeat("s += 1", "s = 0", number=200_000, repeat=5)) / 200_000 * 1e9
    how_quiet = f"load {load:.1f} at the end, {turn:.0f} ns for one `s += 1` in a loop"
    return f"{when}, {seconds:.0f} s, {machine}, {how_quiet}. {', '.join(versions)}."
