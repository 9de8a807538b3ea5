from __future__ import annotations

import io
import json
import time
from typing import IO, Any, cast

import httpx
from rich.console import Console

from dd_pa.errors import QueryError, SettingsError
from dd_pa.observe.log import printable
from dd_pa.query.client import QueryClient
from dd_pa.query.request import Query
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
            answer = client.run(request)
    except QueryError as error:
        return _complain(err, str(error), NO_ANSWER)
    except (SettingsError, ValueError, ImportError) as error:
        return _complain(err, str(error), WRONG)
    if question.json:
        out.write(json.dumps(answer.rows, default=str, indent=2) + "\n")
        return 0
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")  # not every terminal has every letter
    show(Console(file=out, highlight=False), question, request, answer)
    return 0


def _complain(err: IO[str], problem: str, status: int) -> int:
    err.write(f"{printable(problem)}\n")
    return status
