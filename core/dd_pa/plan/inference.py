"""What events must be like, from what they were: the way from names as texts to classes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dd_pa.capture.attributes import RESERVED
from dd_pa.plan.model import NULL, Field, Format, Plan, PlannedEvent, Type, merged

MOST_FIELDS = 40
"""Different names in an object beyond which it is a mapping, if none of them is there more often than not."""

_ENOUGH = 30
"""Values from which on few different ones are an enumeration."""

_MOST_VALUES = 6
_LEAST_TIMES = 3
_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,40}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_OWN = RESERVED | {"dd"}


def infer(bodies: Iterable[object]) -> Plan:
    """Return a plan that all these events are on; whatever is no event is passed over.

    An event is what goes to the intake, or what other tools export: `{"event": name, "properties": {…}}`.
    """
    seen: dict[str, _Shape] = {}
    for body in bodies:
        found = _named(body)
        if found is not None:
            seen.setdefault(found[0], _Shape()).take(found[1])
    return Plan({name: PlannedEvent(name=name, fields=seen[name].fields()) for name in sorted(seen)})


def _named(body: object) -> tuple[str, Mapping[str, Any]] | None:
    if not isinstance(body, dict):
        return None
    event, properties = body.get("event"), body.get("properties")
    name = event.get("name") if isinstance(event, dict) else event
    if not isinstance(name, str) or not name:
        return None
    if isinstance(event, dict):
        return name, {key: value for key, value in body.items() if key.partition(".")[0] not in _OWN}
    kept = properties if isinstance(properties, dict) else {}
    return name, {key: value for key, value in kept.items() if not key.startswith("$")}


class _Shape:
    """All values that were seen at one place."""

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._kinds: set[str] = set()
        self._texts: dict[str, int] = {}
        self._formats: list[tuple[Format, Callable[[str], bool]]] = list(_FORMATS)
        self._items = self._objects = 0
        self._item: _Shape | None = None
        self._fields: dict[str, _Shape] = {}
        self._times: dict[str, int] = {}

    def take(self, value: object) -> None:
        """Learn of one value."""
        if isinstance(value, dict):
            self._kinds.add("object")
            self._objects += 1
            for name, each in value.items():
                self._times[name] = self._times.get(name, 0) + 1
                self._fields.setdefault(name, _Shape(name)).take(each)
        elif isinstance(value, list):
            self._kinds.add("list")
            self._item = self._item or _Shape(self._name)
            for each in value:
                self._item.take(each)
        elif isinstance(value, str):
            self._kinds.add("text")
            self._texts[value] = self._texts.get(value, 0) + 1
            self._formats = [pair for pair in self._formats if pair[1](value)]
        else:
            self._kinds.add(_kind(value))

    def types(self) -> tuple[Type, ...]:
        """Return what a value may be."""
        found: list[Type] = [_PLAIN[kind] for kind in sorted(self._kinds) if kind in _PLAIN]
        if "text" in self._kinds:
            found.append(self._text())
        if self._item is not None:
            found.append(Type(kind="list", items=self._item.types() or (Type(kind="any"),)))
        if "object" in self._kinds:
            found.append(self._object())
        return merged(found)

    def _text(self) -> Type:
        if self._formats:
            return Type(kind="text", format=self._formats[0][0])
        if self._name == "currency" and all(_CURRENCY.fullmatch(text) for text in self._texts):
            return Type(kind="text", limits={"pattern": "^[A-Z]{3}$"})
        is_few = sum(self._texts.values()) >= _ENOUGH and 1 < len(self._texts) <= _MOST_VALUES
        if is_few and all(times >= _LEAST_TIMES and _WORD.fullmatch(text) for text, times in self._texts.items()):
            return Type(kind="text", values=tuple(sorted(self._texts)))
        return Type(kind="text")

    def _object(self) -> Type:
        is_map = len(self._fields) > MOST_FIELDS and max(self._times.values()) * 2 <= self._objects
        if not is_map:
            return Type(kind="object", fields=self.fields())
        kinds = [kind for shape in self._fields.values() for kind in shape.types()]
        return Type(kind="map", items=merged(kinds))

    def fields(self) -> dict[str, Field]:
        """Return the fields of an object."""
        return {
            name: Field(types=shape.types(), required=self._times[name] == self._objects)
            for name, shape in self._fields.items()
        }


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    return "integer" if isinstance(value, int) else "number"


def _is_moment(text: str) -> bool:
    try:
        return "T" in text and bool(dt.datetime.fromisoformat(text))
    except ValueError:
        return False


def _is_day(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


_PLAIN = {"null": NULL, **{kind: Type(kind=kind) for kind in ("boolean", "integer", "number")}}
_FORMATS: tuple[tuple[Format, Callable[[str], bool]], ...] = (
    ("date", _is_day),
    ("date-time", _is_moment),
    ("uuid", lambda text: _UUID.fullmatch(text) is not None),
)
