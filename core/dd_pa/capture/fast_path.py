"""The quick way for attributes that have nothing wrong with them, as nearly all have.

One walk looks at each value once, and copies only where a value is written in another way than the encoder's. Whatever
it finds wrong it leaves to `AttributeCleaner`, the definition of what can be sent: that says what, and where.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Any

from dd_pa.capture.attributes import (
    LONG,
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_INT,
    MIN_INT,
    RESERVED,
    AttributeCleaner,
)

MOST_NAMES = 2_000
"""Names that are remembered as good. An application has some dozens; who makes names up pays for looking at them."""

_LONGEST_NAME = 200

_INSIDE = "[]"
"""Stands for any path below the first level; the cleaner that says the true one starts from the beginning."""


class NotPlainError(Exception):
    """There may be something wrong with the attributes; the cleaner finds out."""


class GoodNames:
    """First-level names that were looked at and may be used. Safe to share between threads."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def learn(self, names: Collection[object]) -> None:
        """Look at names; raise `NotPlainError` if the cleaner should."""
        if len(names) > MAX_ATTRIBUTES:
            raise NotPlainError
        for name in names:
            if type(name) is not str or not 0 < len(name) <= LONG or name.partition(".")[0] in RESERVED:
                raise NotPlainError
            if len(name) <= _LONGEST_NAME:
                if len(self.known) >= MOST_NAMES:
                    self.known.clear()
                self.known.add(name)


def plain(attributes: dict[str, Any], names: GoodNames) -> dict[str, Any]:
    """Return what the encoder writes as the cleaner would have it: the attributes themselves, or a copy.

    Raises `NotPlainError`, `EventError`, or whatever code of the caller's own raises: then the cleaner decides.
    """
    room = MAX_ATTRIBUTES - len(attributes)
    if room < 0 or not names.known.issuperset(attributes):
        names.learn(attributes)
    found, walk = attributes, None
    for name, value in attributes.items():
        if type(name) is not str:  # a text that may claim to be equal to a known one
            raise NotPlainError
        kind = type(value)
        if (
            (kind is str and len(value) <= LONG)
            or (kind is int and MIN_INT <= value <= MAX_INT)
            or (kind is float and value - value == 0.0)  # not so for infinity and NaN
            or kind is bool
            or value is None
        ):
            continue
        if walk is None and kind is dict and len(value) <= room and _is_flat(value):  # needs no walk, as most of them
            room -= len(value)
            continue
        write = _WRITERS.get(kind)
        if write is not None:
            written = write(value)
        else:
            walk = walk or _Walk(room)
            written = walk.value(value, kind, 1)
        if written is not value:
            found = found if found is not attributes else attributes.copy()
            found[name] = written
    return found


def plain_column(values: Sequence[Any]) -> list[Any]:
    """Return what the encoder writes for a scalar of each of many events; raise what `plain` raises."""
    walk = _Walk(MAX_ATTRIBUTES)
    return [
        value
        if ((kind := type(value)) is str and len(value) <= LONG)
        or (kind is int and MIN_INT <= value <= MAX_INT)
        or (kind is float and value - value == 0.0)
        or kind is bool
        or value is None
        else walk.scalar(value, kind)
        for value in values
    ]


def _is_flat(values: dict[Any, Any]) -> bool:
    """Tell whether a mapping below the first level has texts for keys, and plain scalars for values."""
    for key, value in values.items():
        if type(key) is not str or not 0 < len(key) <= LONG:
            return False
        kind = type(value)
        if (
            (kind is str and len(value) <= LONG)
            or (kind is int and MIN_INT <= value <= MAX_INT)
            or (kind is float and value - value == 0.0)
            or kind is bool
            or value is None
        ):
            continue
        return False
    return True


def _number(value: Decimal) -> Decimal:
    if value.is_finite() and -MAX_DIGITS <= value.adjusted() <= MAX_DIGITS and len(str(value)) <= MAX_DIGITS:
        return value
    raise NotPlainError


def _same(value: Any) -> Any:
    """Return what the encoder writes as the cleaner would."""
    return value


_WRITERS: dict[type, Callable[[Any], Any]] = {
    Decimal: _number,
    dt.datetime: dt.datetime.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: dt.timedelta.total_seconds,
    dt.date: _same,
    uuid.UUID: _same,
}
"""How values that hold no others are to be encoded."""


class _Walk:
    """The walk through what holds other values, or is rare. It has the cleaner's bounds and its count."""

    __slots__ = ("_cleaner", "_room")

    def __init__(self, room: int) -> None:
        self._room = room
        self._cleaner: AttributeCleaner | None = None

    def value(self, value: Any, kind: type, depth: int) -> Any:
        """Return a value as it is to be encoded; `depth` is that of what holds it."""
        if kind is dict or kind is list or kind is tuple:
            return self._container(value, depth)
        write = _WRITERS.get(kind)
        return self._cleaned(value, kind, depth) if write is None else write(value)

    def scalar(self, value: Any, kind: type) -> Any:
        """Return a value of an event that is none of its lists and mappings, which count as attributes."""
        if kind is str or kind in _WRITERS:
            return self.value(value, kind, 1)
        raise NotPlainError

    def _cleaned(self, value: Any, kind: type, depth: int) -> Any:
        """Leave a value to the cleaner, which is made when it is first needed: few events have such a one."""
        cleaner = self._cleaner = self._cleaner or AttributeCleaner(strict=True)
        if kind is str:
            cleaner.count(value)
            return value
        cleaner.room = self._room
        written = cleaner.value(value, _INSIDE, depth)
        self._room = cleaner.room
        return written

    def _container(self, values: Any, depth: int) -> Any:
        """Return a dict, list or tuple of exactly that type; a dict with odd keys is the cleaner's."""
        before, found, named = self._room, values, type(values) is dict
        self._room -= len(values)
        if depth >= MAX_DEPTH or self._room < 0:
            raise NotPlainError
        for key, value in values.items() if named else enumerate(values):
            kind = type(value)
            if named and (type(key) is not str or not 0 < len(key) <= LONG):
                self._room = before
                return self._cleaned(values, dict, depth)
            if (
                (kind is str and len(value) <= LONG)
                or (kind is int and MIN_INT <= value <= MAX_INT)
                or (kind is float and value - value == 0.0)
                or kind is bool
                or value is None
            ):
                continue
            written = self.value(value, kind, depth + 1)
            if written is not value:
                found = found if found is not values else values.copy() if named else list(values)
                found[key] = written  # pyright: ignore[reportArgumentType, reportCallIssue] # a list by number, a dict by name
        return found
