"""Where an event differs from what is declared of it."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dd_pa.emulator.plan.document import Field, Type, words
from dd_pa.emulator.plan.misspelling import meant_attribute

MOST_FINDINGS = 20

_PSEUDONYM = re.compile(r"[0-9a-f]{32}")


class Finding(NamedTuple):
    """One difference."""

    path: str
    """`order.lines[2].sku`; empty for the event itself."""
    problem: str


def differences(attributes: Mapping[str, object], fields: Mapping[str, Field]) -> list[Finding]:
    """Return where attributes are not as these fields say: at most 20, in the order of the fields."""
    return [found for found, _ in zip(_object("", attributes, fields), range(MOST_FINDINGS), strict=False)]


def _object(path: str, value: Mapping[str, object], fields: Mapping[str, Field]) -> Iterator[Finding]:
    for name, field in fields.items():
        where = f"{path}.{name}" if path else name
        if name in value:
            yield from _field(where, value[name], field)
        elif field.required and not field.personal:
            yield Finding(where, "is missing")
    unknown = [name for name in value if name not in fields]
    if unknown:
        free = [name for name in fields if name not in value]
        for name in unknown:
            near = meant_attribute(name, free)
            yield Finding(f"{path}.{name}" if path else name, f"is not declared{f'; {near} is' if near else ''}")


def _field(path: str, value: object, field: Field) -> Iterator[Finding]:
    if field.personal and _is_pseudonym(value):
        return
    yield from _value(path, value, field.types)


def _is_pseudonym(value: object) -> bool:
    """Say whether this may be the hash of personal data, or those of a list's values."""
    if isinstance(value, list):
        return all(each is None or _is_pseudonym(each) for each in value)
    return isinstance(value, str) and _PSEUDONYM.fullmatch(value) is not None


def _value(path: str, value: object, types: Sequence[Type]) -> Iterator[Finding]:
    fitting = [kind for kind in types if _KINDS[kind.kind](value)]
    if not fitting:
        yield Finding(path, f"is {_shown(value)}, and not {words(types)}")
        return
    found: list[list[Finding]] = []
    for kind in fitting:
        found.append(list(_inside(path, value, kind)))
        if not found[-1]:
            return
    yield from min(found, key=len)


def _inside(path: str, value: Any, kind: Type) -> Iterator[Finding]:
    if kind.kind == "object":
        yield from _object(path, value, kind.fields)
    elif kind.kind == "map" and kind.items:
        for name, each in value.items():
            yield from _value(f"{path}.{name}", each, kind.items)
    elif kind.kind == "list" and kind.items:
        for number, each in enumerate(value):
            yield from _value(f"{path}[{number}]", each, kind.items)
    elif (kind.values and value not in kind.values) or (kind.format and not _is_of_format(value, kind.format)):
        yield Finding(path, f"is {_shown(value)}, and not {words([kind])}")
    if kind.limits or kind.pattern:
        yield from (Finding(path, problem) for problem in _beyond(value, kind))


def _is_of_format(value: str, name: str) -> bool:
    try:
        _FORMATS[name](value)
    except ValueError:
        return False
    return True


def _beyond(value: Any, kind: Type) -> Iterator[str]:
    size = value if isinstance(value, int | float) else len(value)
    for name, limit in kind.limits.items():
        if name in _LIMITS and not _LIMITS[name](size, limit):
            yield f"is beyond {name} {limit:g}"
    if kind.pattern is not None and isinstance(value, str) and not kind.pattern.search(value):
        yield f"is {_shown(value)}, and does not match {kind.pattern.pattern}"


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:39]}…")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),  # type: ignore[arg-type]
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "list": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, dict),
    "object": lambda value: isinstance(value, dict),
    "any": lambda value: True,
}
_FORMATS: Mapping[str, Callable[[str], object]] = {
    "date-time": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "uuid": uuid.UUID,
}
_LIMITS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": lambda value, limit: value >= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
    "multipleOf": lambda value, limit: limit == 0 or value % limit == 0,
    "minLength": lambda value, limit: value >= limit,
    "maxLength": lambda value, limit: value <= limit,
    "minItems": lambda value, limit: value >= limit,
    "maxItems": lambda value, limit: value <= limit,
    "minProperties": lambda value, limit: value >= limit,
    "maxProperties": lambda value, limit: value <= limit,
}
