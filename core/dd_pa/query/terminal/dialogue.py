from __future__ import annotations

import io
import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO, Any, cast

import httpx
from rich.console import Console

from dd_pa.errors import QueryError, SettingsError
from dd_pa.observe.log import printable
from dd_pa.query.client import QueryClient
from dd_pa.query.envelope import Query
from dd_pa.query.rows import Row, Rows
from dd_pa.query.schema.analytics import ListRequest
from dd_pa.query.terminal.csv_rows import write_csv
from dd_pa.query.terminal.question import Question
from dd_pa.query.terminal.tables import show
from dd_pa.settings.settings import Settings

NO_ANSWER = 1
WRONG = 2


def ask(
    settings: Settings,
    question: Question,
    *,
    out: IO[str],
    err: IO[str],
    transport: httpx.BaseTransport | None = None,
) -> int:
    """Ask, and print the answer to `out` or the problem to `err`. Return the status to exit with: 0, 1 or 2."""
    try:
        query = cast("Query[Any]", question.asked())
        with QueryClient(settings, transport=transport) as client:
            request = query.request(time.time_ns() // 1_000_000)
            answer = _timed(client.iterate(request)) if isinstance(request, ListRequest) else client.run(request)
    except QueryError as error:
        return _complain(err, str(error), NO_ANSWER)
    except (SettingsError, ValueError, ImportError) as error:
        return _complain(err, str(error), WRONG)
    rows = answer if isinstance(answer, Rows) else answer.rows
    if question.json:
        out.write(json.dumps(rows, default=str, indent=2) + "\n")
        return 0
    if question.csv:
        write_csv(rows, out)
        return 0
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")  # not every terminal has every letter
    show(Console(file=out, highlight=False), question, request, answer)
    return 0


def _timed(events: Iterable[Row]) -> Rows:
    """Return events with their time in front, as it is read."""
    return Rows({"time": _moment(row), **{name: row[name] for name in row if name != "timestamp"}} for row in events)


def _moment(row: Row) -> Any:
    at = row.get("timestamp")
    return datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int | float) else at


def _complain(err: IO[str], problem: str, status: int) -> int:
    err.write(f"{printable(problem)}\n")
    return status
