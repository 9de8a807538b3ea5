"""Checks what is encoded against the plan, at the speed of a decoder: types of msgspec, made of the plan's."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

import msgspec

from dd_pa.capture.attributes import MAX_INT, MIN_INT
from dd_pa.plan.model import Field, Type

_FORMATS: dict[str, Any] = {"date-time": dt.datetime, "date": dt.date, "time": dt.time, "uuid": uuid.UUID}
_SCALARS: dict[str, Any] = {
    "text": str,
    "integer": Annotated[int, msgspec.Meta(ge=MIN_INT, le=MAX_INT)],
    "number": float,
    "boolean": bool,
    "null": None,
    "any": Any,
}
KEYWORDS = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "pattern": "pattern",
}
"""Limits of values: what JSON Schema calls them, and what msgspec does."""


def decoder(name: str, fields: Mapping[str, Field]) -> msgspec.json.Decoder[Any]:
    """Return what raises `msgspec.ValidationError` for attributes that are not as these fields say."""
    return msgspec.json.Decoder(_object(name, fields))


def _object(name: str, fields: Mapping[str, Field]) -> type[msgspec.Struct]:
    """Return a class of as many members, and no other; named by numbers, as fields need not be identifiers."""
    members: list[Any] = []
    for number, field in enumerate(fields.values()):
        wire = alternatives(field.types)
        members.append((f"f{number}", wire) if field.required else (f"f{number}", wire, None))
    rename = {f"f{number}": shown for number, shown in enumerate(fields)}
    return msgspec.defstruct(name, members, rename=rename, kw_only=True, gc=False, eq=False, forbid_unknown_fields=True)


def alternatives(types: Sequence[Type]) -> Any:
    """Return what stands for a value that may have several types."""
    objects = [kind for kind in types if kind.kind in ("object", "map")]
    texts = [kind for kind in types if kind.kind == "text"]
    numbers = [kind for kind in types if kind.kind in ("integer", "number")]
    lists = [kind for kind in types if kind.kind == "list"]
    rest = [_SCALARS[kind.kind] for kind in types if kind.kind in ("boolean", "null", "any")]
    groups = [*_texts(texts, with_pattern=not objects and not lists), *_numbers(numbers), *rest]
    if objects:
        groups.append(_mapping(objects[0]) if len(objects) == 1 else dict[str, Any])
    if lists:
        groups.append(_list(lists))
    return Union[tuple(groups)]  # noqa: UP007 - of as many as there are


def _texts(texts: list[Type], *, with_pattern: bool) -> list[Any]:
    """Return one type for texts: msgspec tells no two kinds of them apart.

    Its decoders of a text with a pattern, or else a list or an object, damage the memory when they are freed (0.22).
    """
    if len(texts) != 1:
        return [str] if texts else []
    (kind,) = texts
    if kind.values:
        return [Literal[kind.values]]
    limits = {name: limit for name, limit in kind.limits.items() if with_pattern or name != "pattern"}
    return [_limited(_FORMATS[kind.format] if kind.format else str, limits)]


def _numbers(numbers: list[Type]) -> list[Any]:
    if len(numbers) == 1 and not (numbers[0].kind == "number" and numbers[0].values):
        (kind,) = numbers
        if kind.values:
            return [Literal[kind.values]]
        return [_limited(float, kind.limits) if kind.kind == "number" else _whole(kind.limits)]
    kinds = {kind.kind for kind in numbers}
    return [_SCALARS["number" if "number" in kinds else "integer"]] if numbers else []


def _whole(limits: Mapping[str, Any]) -> Any:
    """Return what stands for a whole number: within its own limits, and those of 64 bits."""
    least = {} if limits.keys() & {"minimum", "exclusiveMinimum"} else {"minimum": MIN_INT}
    most = {} if limits.keys() & {"maximum", "exclusiveMaximum"} else {"maximum": MAX_INT}
    return _limited(int, {**least, **most, **limits})


def _mapping(kind: Type) -> Any:
    if kind.kind == "map":
        return _limited(dict[str, alternatives(kind.items)], kind.limits)  # type: ignore[misc]
    return _object("Object", kind.fields)


def _list(lists: list[Type]) -> Any:
    if len(lists) > 1:
        return list[Any]
    (kind,) = lists
    return _limited(list[alternatives(kind.items)] if kind.items else list[Any], kind.limits)  # type: ignore[misc]


def _limited(wire: Any, limits: Mapping[str, Any]) -> Any:
    if not limits:
        return wire
    given: dict[str, Any] = {}
    for name, value in limits.items():
        given[KEYWORDS.get(name) or ("min_length" if name.startswith("min") else "max_length")] = value
    return Annotated[wire, msgspec.Meta(**given)]
