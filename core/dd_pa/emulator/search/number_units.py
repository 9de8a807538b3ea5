"""Numbers as searches and values write them, with or without a unit of time."""

from __future__ import annotations

import re

NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
    "w": 7 * 86400 * 10**9,
}
"""A duration is a number of nanoseconds, as Datadog's measures of time are."""

MAX_LENGTH = 400
"""Characters of a text that may be a number."""

MEASURE = rf"([+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{{1,3}})?)({'|'.join(NANOSECONDS)})?"
"""Digits and unit, as Python and RE2 both read it."""

_MEASURE = re.compile(MEASURE)


def number_of(text: str) -> float | None:
    """Read a number, None where the text is none."""
    found = _MEASURE.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        return None
    digits, unit = found.groups()
    return float(digits) * NANOSECONDS[unit] if unit else float(digits)
