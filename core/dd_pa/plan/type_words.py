"""Types of the plan in words, as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dd_pa.plan.model import Type


def type_words(kind: Type) -> str:
    """Return a type in words: `a text`, `one of 'a', 'b'`, `a list of whole numbers`."""
    if kind.values:
        return f"one of {value_words(kind.values)}"
    if kind.kind in ("list", "map"):
        return f"a {kind.kind} of {types_words(kind.items)}"
    return _FORMATS[kind.format] if kind.format else _KINDS[kind.kind]


def types_words(types: Iterable[Type]) -> str:
    """Return alternatives in words: `a text or null`."""
    return " or ".join(sorted(type_words(kind) for kind in types)) or "nothing"


def value_words(values: Iterable[Any]) -> str:
    """Return values as they stand in code."""
    return ", ".join(repr(value) for value in values)


def limit_words(kind: Type) -> str:
    """Return a type's limits as JSON Schema calls them: `minimum 1, maximum 5`."""
    return ", ".join(f"{name} {value}" for name, value in kind.limits.items()) or "none"


_FORMATS = {"date-time": "a date with time", "date": "a date", "time": "a time of day", "uuid": "a UUID"}
_KINDS = {
    "text": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "any": "anything",
}
