"""The quick way for attributes that have nothing wrong with them, as nearly all have.

One walk looks at each value once, and copies only where a value is written in another way than the encoder's. Whatever
it finds wrong it leaves to `AttributeCleaner`, the definition of what can be sent: that says what, and where.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Sequence
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

    def learn(self, names: Iterable[object]) -> None:
        """Look at names; raise `NotPlainError` if the cleaner should."""
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
    if len(attributes) > MAX_ATTRIBUTES:
        raise NotPlainError
    if not names.known.issuperset(attributes):
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
        walk = walk or _Walk(MAX_ATTRIBUTES - len(attributes))
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


class _Walk:
    """The walk through what is no scalar, or a rare one. It has the cleaner's bounds, and the cleaner's own count."""

    __slots__ = ("_cleaner",)

    def __init__(self, room: int) -> None:
        self._cleaner = AttributeCleaner(strict=True, room=room)

    def value(self, value: Any, kind: type, depth: int) -> Any:
        """Return a value as it is to be encoded; `depth` is that of what holds it."""
        read = _READERS.get(kind)
        return self._cleaner.value(value, _INSIDE, depth) if read is None else read(self, value, depth)

    def scalar(self, value: Any, kind: type) -> Any:
        """Return a value of an event that is none of its lists and mappings, which count as attributes."""
        read = _READERS.get(kind)
        if read is None or read is _Walk.container:
            raise NotPlainError
        return read(self, value, 1)

    def container(self, values: Any, depth: int) -> Any:
        """Return a dict, list or tuple of exactly that type; a dict with odd keys is the cleaner's."""
        before, found, named = self._cleaner.room, values, type(values) is dict
        self._enter(len(values), depth)
        for key, value in values.items() if named else enumerate(values):
            kind = type(value)
            if named and (type(key) is not str or not 0 < len(key) <= LONG):
                self._cleaner.room = before
                return self._cleaner.value(values, _INSIDE, depth)
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

    def _enter(self, members: int, depth: int) -> None:
        self._cleaner.room -= members
        if depth >= MAX_DEPTH or self._cleaner.room < 0:
            raise NotPlainError

    def text(self, value: str, depth: int) -> str:
        self._cleaner.count(value)
        return value

    def number(self, value: Decimal, depth: int) -> Any:
        if value.is_finite() and -MAX_DIGITS <= value.adjusted() <= MAX_DIGITS and len(str(value)) <= MAX_DIGITS:
            return value
        return self._cleaner.value(value, _INSIDE, depth)

    def moment(self, value: dt.datetime | dt.time, depth: int) -> str:
        return value.isoformat()

    def duration(self, value: dt.timedelta, depth: int) -> float:
        return value.total_seconds()

    def same(self, value: Any, depth: int) -> Any:
        """Return what the encoder writes as the cleaner would."""
        return value


_READERS: dict[type, Callable[[_Walk, Any, int], Any]] = {
    dict: _Walk.container,
    list: _Walk.container,
    tuple: _Walk.container,
    str: _Walk.text,
    Decimal: _Walk.number,
    dt.datetime: _Walk.moment,
    dt.time: _Walk.moment,
    dt.timedelta: _Walk.duration,
    dt.date: _Walk.same,
    uuid.UUID: _Walk.same,
}
