"""Rows in the order of one of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Row = TypeVar("Row")


def ordered(rows: list[Row], value: Callable[[Row], object], *, descending: bool) -> list[Row]:
    """Return rows by a value, numbers before text; those without it come last, either way."""
    given = [row for row in rows if value(row) is not None]
    given.sort(key=lambda row: _key(value(row)), reverse=descending)
    return given + [row for row in rows if value(row) is None]


def _key(value: object) -> tuple[int, float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, float(value), "")
    return (1, 0.0, str(value))
