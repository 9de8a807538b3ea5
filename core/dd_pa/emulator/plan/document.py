"""Read the lock file of a plan, which applications write and send."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1
MAX_BYTES = 4 * 1024 * 1024

_KINDS = frozenset({"text", "integer", "number", "boolean", "null", "list", "map", "object", "any"})
_MAX_DEPTH = 40


class PlanFileError(Exception):
    """A plan cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """One of the types that a value may have."""

    kind: str
    format: str = ""
    values: tuple[object, ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None
    items: tuple[Type, ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an event, or of an object in it."""

    types: tuple[Type, ...]
    required: bool = True
    description: str = ""
    personal: bool = False
    deprecated: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredEvent:
    """One event of a plan."""

    name: str
    fields: Mapping[str, Field]
    description: str = ""
    owner: str = ""
    deprecated: Mapping[str, str] | None = None
    source: str = ""
    """The class that declares it."""


def read_file(path: Path) -> list[DeclaredEvent]:
    """Return the events of a lock file. Raises PlanFileError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise PlanFileError(f"{path} has more than {MAX_BYTES:,} bytes")
    try:
        return read(json.loads(content))
    except (ValueError, RecursionError):
        raise PlanFileError(
            f"{path} is no JSON; after a merge conflict let dd-pa events check --update write it"
        ) from None
    except PlanFileError as error:
        raise PlanFileError(f"{path}: {error}") from None


def read(document: object) -> list[DeclaredEvent]:
    """Return the events of a lock file's content. Raises PlanFileError."""
    version = document.get("version") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(version, int) or not isinstance(document.get("events"), list):
        raise PlanFileError("this is no lock file of events, which dd-pa events check --update writes")
    if version > VERSION:
        raise PlanFileError(f"it is of version {version}, and this emulator knows {VERSION}: update dd-pa")
    return [_event(given) for given in document["events"]]


def _event(given: object) -> DeclaredEvent:
    found = _object(given, "an event")
    name = found.get("name")
    if not isinstance(name, str) or not name:
        raise PlanFileError("an event has no name")
    return DeclaredEvent(
        name=name,
        fields=_fields(found.get("fields", {}), name, 0),
        description=_text(found, "description", name),
        owner=_text(found, "owner", name),
        deprecated=_deprecated(found, name),
        source=_text(found, "source", name),
    )


def _fields(given: object, where: str, depth: int) -> dict[str, Field]:
    if depth > _MAX_DEPTH:
        raise PlanFileError(f"{where} lies deeper than {_MAX_DEPTH} levels")
    return {name: _field(each, f"{where}.{name}", depth) for name, each in _object(given, f"fields of {where}").items()}


def _field(given: object, where: str, depth: int) -> Field:
    found = _object(given, where)
    return Field(
        types=_types(found.get("types"), where, depth),
        required=found.get("required", True) is not False,
        description=_text(found, "description", where),
        personal=found.get("personal") is True,
        deprecated=_deprecated(found, where),
    )


def _types(given: object, where: str, depth: int) -> tuple[Type, ...]:
    if not isinstance(given, list):
        raise PlanFileError(f"{where} has no list of types")
    return tuple(_type(_object(each, where), where, depth) for each in given)


def _type(given: dict[str, Any], where: str, depth: int) -> Type:
    kind, values = given.get("kind"), given.get("values", [])
    if kind not in _KINDS or not isinstance(values, list):
        raise PlanFileError(f"{where} is of an unknown type")
    limits = _object(given.get("limits", {}), where)
    return Type(
        kind=kind,
        format=_text(given, "format", where),
        values=tuple(values),
        limits={name: limit for name, limit in limits.items() if isinstance(limit, int | float)},
        pattern=_pattern(limits.get("pattern"), where),
        items=_types(given.get("items", []), where, depth + 1) if depth <= _MAX_DEPTH else (),
        fields=_fields(given.get("fields", {}), where, depth + 1),
    )


def _pattern(given: object, where: str) -> re.Pattern[str] | None:
    try:
        return re.compile(given) if isinstance(given, str) else None
    except re.error as error:
        raise PlanFileError(f"{where} has a pattern that is none: {error}") from None


def _object(given: object, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise PlanFileError(f"{where} is no object")
    return given


def _text(given: Mapping[str, object], name: str, where: str) -> str:
    found = given.get(name, "")
    if not isinstance(found, str):
        raise PlanFileError(f"{name} of {where} is no text")
    return found


def _deprecated(given: Mapping[str, object], where: str) -> Mapping[str, str] | None:
    found = given.get("deprecated")
    if found is None:
        return None
    known = _object(found, f"deprecated of {where}")
    return {name: _text(known, name, where) for name in ("until", "use")}


def words(types: Sequence[Type]) -> str:
    """Return types as people read them: `a list of texts or null`."""
    return " or ".join(sorted(_word(kind) for kind in types)) or "nothing"


def _word(kind: Type) -> str:
    if kind.values:
        return f"one of {', '.join(map(repr, kind.values))}"
    if kind.kind in ("list", "map"):
        return f"a {kind.kind} of {words(kind.items)}" if kind.items else f"a {kind.kind}"
    return _FORMATS.get(kind.format) or _WORDS[kind.kind]


_FORMATS = {"date-time": "a date with time", "date": "a date", "time": "a time of day", "uuid": "a UUID"}
_WORDS = {
    "text": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "any": "anything",
}
