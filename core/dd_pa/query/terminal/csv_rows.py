"""Rows as CSV (RFC 4180): for spreadsheets, which must not take a value for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from typing import IO, Any

from dd_pa.query.rows import Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(rows: Iterable[Row], out: IO[str]) -> None:
    """Write rows under the names of all their columns; nothing where there is no row."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(out, lineterminator="\n")
    if names:
        writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return "" if value is None else value
    text = value.isoformat() if isinstance(value, datetime) else _joined(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _joined(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
