"""Answers as tables with bars."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dd_pa.query.envelope import Number
from dd_pa.query.numeric_answers import VALUE, Scalar, Timeseries
from dd_pa.query.rows import Rows
from dd_pa.query.schema.analytics import TimeseriesRequest
from dd_pa.query.schema.journey import Funnel
from dd_pa.query.schema.retention import RetentionCohort, RetentionGrid
from dd_pa.query.schema.sankey import Sankey
from dd_pa.query.terminal import cells
from dd_pa.query.terminal.question import Question

NARROW = 60
"""Columns of a terminal in which numbers leave no room for a bar."""

DAY = 86_400_000
_WHO = {"@usr.id": "users", "@account.id": "accounts"}
_OF_NOTHING = ("count", "cardinality", "sum")
"""What is 0 where nothing happened; other aggregations are nothing there."""


def show(console: Console, question: Question, request: Any, answer: Any) -> None:
    """Print an answer."""
    console.print(_heading(question), style="bold")
    match answer:
        case Funnel():
            table = _funnel(console, answer)
        case Timeseries():
            table = _timeseries(console, answer, request)
        case RetentionGrid():
            table = _retention(console, answer)
        case Sankey():
            table = _paths(console, answer)
        case Rows():
            table = _events(console, answer)
        case _:
            table = _scalar(console, answer)
    console.print(table if table.rows else "Nothing matched.")


def _heading(question: Question) -> Text:
    steps = question.funnel or question.retention
    what = " → ".join(steps.split(",")) if steps else question.paths or question.listed or question.compute
    filtered = f" of {question.query}" if question.query.strip() else ""
    every = f", every {question.interval}" if question.interval else ""
    return cells.text(f"{what}{filtered}, last {question.last}{every}")


def _scalar(console: Console, answer: Scalar) -> Table:
    table, rows = _table(), answer.rows
    names = list(rows[0]) if rows else []
    for name in names:
        _add_group(console, table, name) if name != VALUE else table.add_column(VALUE, justify="right")
    has_bars = len(rows) > 1 and _add_bars(console, table)
    most = cells.greatest(row.get(VALUE) for row in rows)
    for row in rows:
        table.add_row(*(cells.cell(row[name]) for name in names), *_bars(has_bars, row.get(VALUE), most))
    return table


def _timeseries(console: Console, answer: Timeseries, request: TimeseriesRequest) -> Table:
    """One line of blocks for each group; without groups, one row a time."""
    interval = request.query.compute.interval or 1
    times = range(request.from_ - request.from_ % interval, request.to, interval)
    lines = [(group, dict(zip(answer.times, values, strict=False))) for group, values in answer.lines()]
    if not answer.facets:
        nothing = 0 if request.query.compute.aggregation in _OF_NOTHING else None
        return _one_a_time(console, lines[0][1] if lines else {}, times, nothing)
    table = _table()
    for name in answer.facets:
        _add_group(console, table, name)
    adds_up = request.query.compute.aggregation in _OF_NOTHING
    table.add_column("total" if adds_up else "greatest", justify="right", no_wrap=True, min_width=9)
    begin, end = (cells.moment(at, interval) for at in (times[0], times[-1]))
    table.add_column(f"{begin} to {end} UTC" if console.width >= NARROW else f"from {begin}", no_wrap=True)
    width = max(10, console.width // 2)
    for group, known in lines:
        numbers = [value for value in known.values() if value is not None]
        total = sum(numbers) if adds_up else cells.greatest(numbers)
        drawn = cells.line([known.get(at) or 0 for at in times], width) if _can_draw(console) else ""
        table.add_row(*(cells.cell(group.get(name)) for name in answer.facets), cells.cell(total), drawn)
    return table


def _one_a_time(console: Console, known: dict[int, Number | None], times: range, nothing: Number | None) -> Table:
    """Show one row a time, from the first that there is to the last, gaps included."""
    table = _table()
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column(VALUE, justify="right")
    has_bars = _add_bars(console, table)
    most = cells.greatest(known.values())
    for at in (at for at in times if known and min(known) <= at <= max(known)):
        table.add_row(
            cells.moment(at, times.step), cells.cell(known.get(at, nothing)), *_bars(has_bars, known.get(at), most)
        )
    return table


def _funnel(console: Console, answer: Funnel) -> Table:
    table, rows = _table(), answer.rows
    table.add_column("step", overflow="fold")
    is_wide = console.width >= NARROW
    for name in ("reached", "of first", *(("of previous", "then took") if is_wide else ())):
        table.add_column(name, justify="right", no_wrap=True)
    has_bars = _add_bars(console, table)
    first = rows[0][VALUE] if rows else 0
    for number, row in enumerate(rows):
        reached = row[VALUE]
        table.add_row(
            cells.text(f"{number + 1}. {row['step']}"),
            cells.cell(reached),
            cells.share(reached, first),
            *(_since(rows, number) if is_wide else ()),
            *_bars(has_bars, reached, first),
        )
    return table


def _retention(console: Console, answer: RetentionGrid) -> Table:
    """One row a cohort, as many periods as there is room for; what is not over yet is dim."""
    table = _table()
    table.add_column("first", no_wrap=True)
    table.add_column(_WHO.get(answer.retention_entity or "", "who"), justify="right", no_wrap=True)
    cohorts = [cohort for cohort in answer.cohorts or () if cohort.cohort_size]
    periods = min(max((len(cohort.cells or ()) for cohort in cohorts), default=1) - 1, (console.width - 24) // 8)
    for number in range(1, periods + 1):
        table.add_column(f"+{number}", justify="right", no_wrap=True)
    for cohort in cohorts:
        begun = [(cell.cell_rate, cell.is_partial_data) for cell in (cohort.cells or [])[1 : periods + 1]]
        rates = [Text("" if rate is None else f"{rate:.0%}", style="dim" if part else "") for rate, part in begun]
        table.add_row(_cohort(cohort), cells.cell(cohort.cohort_size), *rates)
    return table


def _cohort(cohort: RetentionCohort) -> Text:
    if cohort.cohort_start_time is None:
        return cells.text(cohort.name or "all")
    return cells.moment(cohort.cohort_start_time, DAY)


def _paths(console: Console, answer: Sankey) -> Table:
    table, rows = _table(), answer.rows
    table.add_column("step", justify="right")
    for name in ("from", "to"):
        _add_group(console, table, name)
    table.add_column(VALUE, justify="right")
    has_bars = _add_bars(console, table)
    most = cells.greatest(row[VALUE] for row in rows)
    for row in sorted(rows, key=lambda row: (row["column"], -row[VALUE])):
        names = (cells.text(str(row[end])) for end in ("source", "target"))
        table.add_row(cells.cell(row["column"] + 1), *names, cells.cell(row[VALUE]), *_bars(has_bars, row[VALUE], most))
    return table


def _events(console: Console, rows: Rows) -> Table:
    table = _table()
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        _add_group(console, table, "time (UTC)" if name == "time" else name)
    for row in rows:
        table.add_row(*(_value(row.get(name)) for name in names))
    return table


def _value(value: Any) -> Text:
    if isinstance(value, datetime):
        return Text(f"{value:%m-%d %H:%M:%S}")
    return cells.text(", ".join(map(str, value))) if isinstance(value, list) else cells.cell(value)


def _since(rows: Rows, number: int) -> tuple[str, str]:
    """Return which part of the step before came to this one, and how long they took to the next one."""
    took_part = cells.share(rows[number][VALUE], rows[number - 1][VALUE]) if number else ""
    goes_on = number + 1 < len(rows) and rows[number + 1][VALUE]
    return took_part, cells.took(rows[number]["elapsed"]) if goes_on else ""


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)


def _add_group(console: Console, table: Table, name: str) -> None:
    table.add_column(cells.text(name), overflow="fold", max_width=max(16, console.width // 3))


def _add_bars(console: Console, table: Table) -> bool:
    """Add a column for bars if there is room; tell whether there is."""
    has_room = console.width >= NARROW and _can_draw(console)
    if has_room:
        table.add_column("", ratio=1, min_width=8)
        table.expand = True
    return has_room


def _bars(has_bars: bool, value: Any, most: float) -> list[Any]:
    return [cells.bar(value, most)] if has_bars else []


def _can_draw(console: Console) -> bool:
    return console.encoding.startswith("utf")
