"""Read a request's JSON, saying exactly what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dd_pa.emulator.search.grammar import SearchError, parse_search
from dd_pa.emulator.search.tree import Node
from dd_pa.emulator.search.wildcard import unescaped

MAX_BODY = 256 * 1024
LAST_MS = 253_370_764_800_000
"""The year 9999: a calendar knows no later time, and no event has one."""
_MAX_INTEGER = 2**53
_MAX_LIST = 100


class BadRequest(ValueError):  # noqa: N818 - it is an answer to the client
    """The request is not understood; the text says which part and why."""


class Fields:
    """An object of the request, with the path that leads to it.

    It remembers what was asked of it: a member that nobody asked for changed nothing, and `refuse_unread` says so.
    """

    def __init__(self, members: Mapping[str, Any], path: str, read: set[str] | None = None) -> None:
        self._given = members
        self.path = path
        self._read = set() if read is None else read
        """Paths of members that were asked for, shared by all objects of the request."""

    def __contains__(self, name: str) -> bool:
        return self._value(name) is not None

    def _value(self, name: str, default: Any = None) -> Any:
        self._read.add(f"{self.path}.{name}")
        return self._given.get(name, default)

    def refuse_unread(self) -> None:
        """Raise BadRequest for a member, here or further in, that had no part in the answer."""
        _refuse_unread(self._given, self.path, self._read)

    def wrong(self, name: str, what: str) -> BadRequest:
        """Return the error for one of its members."""
        return BadRequest(f"{self.path}.{name} {what}")

    def member(self, name: str) -> Fields:
        """Return a member that is an object; raises where it is not given, too."""
        value = self._value(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object" if value is not None else "is required")
        return Fields(value, f"{self.path}.{name}", self._read)

    def optional(self, name: str) -> Fields:
        """Return a member that is an object; empty where it is not given."""
        return self.member(name) if name in self else Fields({}, f"{self.path}.{name}", self._read)

    def members(self, name: str) -> list[Fields]:
        """Return the objects of a list; empty where it is not given."""
        return [
            Fields(self._dict(value, name, n), f"{self.path}.{name}[{n}]", self._read) for n, value in self._list(name)
        ]

    def _dict(self, value: object, name: str, number: int) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(f"{name}[{number}]", "must be an object")
        return value

    def _list(self, name: str) -> Iterator[tuple[int, object]]:
        value = self._value(name)
        if value is None:
            return iter(())
        if not isinstance(value, list):
            raise self.wrong(name, "must be an array")
        if len(value) > _MAX_LIST:
            raise self.wrong(name, f"must have at most {_MAX_LIST} elements")
        return enumerate(value)

    def texts(self, name: str) -> list[str]:
        """Return the strings of a list; empty where it is not given."""
        found = []
        for number, value in self._list(name):
            if not isinstance(value, str):
                raise self.wrong(f"{name}[{number}]", "must be a string")
            found.append(value)
        return found

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string; without a default it must be given."""
        value = self._value(name, default)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "must be a string" if value is not None else "is required")
        return value

    def choice(self, name: str, values: Collection[str], default: str | None = None) -> str:
        """Return one of the words."""
        value = self.text(name, default)
        if value not in values:
            raise self.wrong(name, f"must be one of {', '.join(values)}")
        return value

    def integer(self, name: str, low: int, high: int = _MAX_INTEGER, default: int | None = None) -> int:
        """Return a whole number between two others."""
        value = self._value(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            what = f"must be a whole number from {low} to {high}"
            raise self.wrong(name, what if value is not None else "is required")
        return value

    def number(self, name: str) -> float:
        """Return a number above 0."""
        value = self._value(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e9:
            raise self.wrong(name, "must be a number above 0")
        return float(value)

    def flag(self, name: str) -> bool:
        """Return a boolean, False where it is not given."""
        value = self._value(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return bool(value)

    def facet(self, name: str, default: str | None = None) -> str:
        """Return the path of a facet, without @."""
        return facet_path(self.text(name, default)) or self._no_facet(name)

    def _no_facet(self, name: str) -> str:
        raise self.wrong(name, "must name a facet, as @usr.id")

    def search(self, name: str) -> Node:
        """Return a search, everything where it is not given."""
        try:
            return parse_search(self.text(name, ""))
        except SearchError as error:
            raise self.wrong(name, f"is not understood at column {error.column + 1}: {error.reason}") from None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of all members."""
        return iter(self._given)


def _refuse_unread(value: object, path: str, read: set[str]) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            inner = f"{path}.{name}"
            if inner not in read:
                raise BadRequest(f"{inner[:200]} has no meaning in this query: leave it out")
            _refuse_unread(member, inner, read)
    elif isinstance(value, list):
        for number, element in enumerate(value):
            _refuse_unread(element, f"{path}[{number}]", read)


def facet_path(text: str) -> str:
    """Return the path of a facet that was written with or without @, and with backslashes."""
    return unescaped(text.strip().removeprefix("@"))


def data_of(body: bytes, kind: str) -> Fields:
    """Return `data` of a JSON:API request of this type. Raises BadRequest."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(document, dict):
        raise BadRequest("the body must be a JSON object")
    for name in document.keys() - {"data"}:
        raise BadRequest(f"{name[:200]} has no meaning in this query: leave it out")
    data = Fields({"data": document.get("data")}, "body").member("data")
    data.path = "data"
    if data.text("type", "") != kind:
        raise BadRequest(f'API input validation failed: data.type must be "{kind}"')
    return data


def window_of(fields: Fields) -> tuple[int, int]:
    """Return from and to, epoch milliseconds."""
    start, end = fields.integer("from", 0, LAST_MS), fields.integer("to", 0, LAST_MS)
    if start >= end:
        raise fields.wrong("from", "must be before to")
    return start, end


_PERCENTILE = re.compile(r"pc([0-9]{1,2})")
_PLAIN = ("count", "cardinality", "avg", "median", "min", "max", "sum")


def aggregation_of(fields: Fields, default: str | None = None) -> str:
    """Return the name of an aggregation: count, cardinality, avg, median, min, max, sum or pc1 to pc99."""
    name = fields.text("aggregation", default)
    if name not in _PLAIN and not _PERCENTILE.fullmatch(name):
        raise fields.wrong("aggregation", f"must be one of {', '.join(_PLAIN)}, or pc and a number as in pc95")
    return name
