"""What a test expects of an event, and in what an event differs from it."""

from __future__ import annotations

import difflib
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import ANY

import msgspec

from dd_pa.capture.attributes import AttributeCleaner
from dd_pa.capture.foreign_values import is_record, record
from dd_pa.errors import EventError
from dd_pa.testing.tracked_event import TrackedEvent

UNSAID: Any = object()
"""The default of an id that a test does not look at; None says that there must be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The event that an assertion looks for."""

    name: str
    attributes: Mapping[str, Any] | None
    exact: bool
    links: Mapping[str, Any]

    def differences(self, event: TrackedEvent) -> list[str]:
        """Return a line for each thing in which the event differs; none if it is the one looked for."""
        found = [] if event.name == self.name else [f"name: expected {self.name!r}, was {event.name!r}"]
        if self.attributes is not None or self.exact:
            found += _compare("", self.attributes or {}, event.attributes, exact=self.exact)
        for name, expected in self.links.items():
            if expected is not UNSAID:
                found += _compare_link(name, expected, getattr(event, name))
        return found

    def distance(self, event: TrackedEvent) -> tuple[float, int]:
        """Return how far an event is from the one looked for: first its name, then what differs."""
        likeness = difflib.SequenceMatcher(a=self.name, b=event.name).ratio()
        return 1 - likeness, len(self.differences(event))

    def __str__(self) -> str:
        links = [f"{name}={value!r}" for name, value in self.links.items() if value is not UNSAID]
        attributes = [] if self.attributes is None else [("exactly " if self.exact else "") + repr(self.attributes)]
        return " ".join([repr(self.name), *attributes, *links])


def _compare_link(name: str, expected: Any, actual: str | None) -> Iterator[str]:
    wanted = str(expected) if isinstance(expected, (int, uuid.UUID)) else expected
    if actual is None if expected is ANY else not _equals(wanted, actual):
        yield _differs(name, wanted, actual)


def _compare(path: str, expected: Any, actual: Any, *, exact: bool) -> Iterator[str]:
    if expected is ANY:
        return
    if is_record(expected):  # all of its members, which may be sets and matchers
        expected, exact = record(expected), True
    if isinstance(expected, Mapping) and isinstance(actual, dict):
        yield from _compare_mappings(path, {str(key): value for key, value in expected.items()}, actual, exact=exact)
    elif isinstance(expected, (list, tuple)) and isinstance(actual, list) and len(expected) == len(actual):
        for number, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _compare(f"{path}[{number}]", one, other, exact=exact)
    elif not _equals(
        _as_on_the_wire(expected), _in_order(actual) if isinstance(expected, (set, frozenset)) else actual
    ):
        yield _differs(path, expected, actual)


def _compare_mappings(path: str, expected: dict[str, Any], actual: dict[str, Any], *, exact: bool) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for key, value in expected.items():
        if key in actual:
            yield from _compare(prefix + key, value, actual[key], exact=exact)
        else:
            yield f"{prefix}{key}: expected {value!r}, is missing"
    if exact:
        yield from (f"{prefix}{key}: not expected, was {actual[key]!r}" for key in actual if key not in expected)


def _equals(expected: Any, actual: Any) -> bool:
    """Compare as JSON does, in which true is no 1."""
    numbers = (bool, int, float)
    if type(expected) in numbers and type(actual) in numbers and isinstance(expected, bool) != isinstance(actual, bool):
        return False
    return bool(expected == actual)


def _as_on_the_wire(value: Any) -> Any:
    """Return a value as an event carries it; what no event can carry is a matcher, such as pytest's `approx`."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    try:
        cleaned = AttributeCleaner(strict=True).clean({"value": value})
        sent = json.loads(msgspec.json.Encoder(decimal_format="number").encode(cleaned))["value"]
    except EventError:
        return value
    return _in_order(sent) if isinstance(value, (set, frozenset)) else sent


def _in_order(sent: Any) -> Any:
    """Return the items of a set, which are sent in any order, in the same order each time."""
    return sorted(sent, key=repr) if isinstance(sent, list) else sent


def _differs(path: str, expected: Any, actual: Any) -> str:
    return f"{path}: expected {expected!r}, was {actual!r}"
