"""Read a request's JSON, saying exactly what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dd_pa.emulator.syntax import SearchError, parse_search
from dd_pa.emulator.tree import Node
from dd_pa.emulator.wildcard import unescaped

MAX_BODY = 256 * 1024
_MAX_INTEGER = 2**53
_MAX_LIST = 100


class BadRequest(ValueError):  # noqa: N818 - it is an answer to the client
    """The request is not understood; the text says which part and why."""


class Fields:
    """An object of the request, with the path that leads to it."""

    def __init__(self, members: Mapping[str, Any], path: str) -> None:
        self._given = members
        self.path = path

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) is not None

    def wrong(self, name: str, what: str) -> BadRequest:
        """Return the error for one of its members."""
        return BadRequest(f"{self.path}.{name} {what}")

    def member(self, name: str) -> Fields:
        """Return a member that is an object; raises where it is not given, too."""
        value = self._given.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object" if value is not None else "is required")
        return Fields(value, f"{self.path}.{name}")

    def optional(self, name: str) -> Fields:
        """Return a member that is an object; empty where it is not given."""
        return self.member(name) if name in self else Fields({}, f"{self.path}.{name}")

    def members(self, name: str) -> list[Fields]:
        """Return the objects of a list; empty where it is not given."""
        return [Fields(self._dict(value, name, n), f"{self.path}.{name}[{n}]") for n, value in self._list(name)]

    def _dict(self, value: object, name: str, number: int) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(f"{name}[{number}]", "must be an object")
        return value

    def _list(self, name: str) -> Iterator[tuple[int, object]]:
        value = self._given.get(name)
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
        value = self._given.get(name, default)
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
        value = self._given.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            what = f"must be a whole number from {low} to {high}"
            raise self.wrong(name, what if value is not None else "is required")
        return value

    def number(self, name: str) -> float:
        """Return a number above 0."""
        value = self._given.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e9:
            raise self.wrong(name, "must be a number above 0")
        return float(value)

    def flag(self, name: str) -> bool:
        """Return a boolean, False where it is not given."""
        value = self._given.get(name)
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

    def items(self) -> list[tuple[str, Fields]]:
        """Return all members, which must be objects."""
        return [(name, self.member(name)) for name in self._given]


def facet_path(text: str) -> str:
    """Return the path of a facet that was written with or without @, and with backslashes."""
    return unescaped(text.strip().removeprefix("@"))


def attributes_of(body: bytes, kind: str) -> Fields:
    """Return the attributes of a JSON:API request of this type. Raises BadRequest."""
    return data_of(body, kind).member("attributes")


def data_of(body: bytes, kind: str) -> Fields:
    """Return `data` of a JSON:API request of this type. Raises BadRequest."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(document, dict):
        raise BadRequest("the body must be a JSON object")
    data = Fields(document, "body").member("data")
    data.path = "data"
    if data.text("type", "") != kind:
        raise BadRequest(f'API input validation failed: data.type must be "{kind}"')
    return data


def window_of(fields: Fields) -> tuple[int, int]:
    """Return from and to, epoch milliseconds."""
    start, end = fields.integer("from", 0), fields.integer("to", 0)
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
