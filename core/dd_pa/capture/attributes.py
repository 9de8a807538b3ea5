"""Attributes as a caller gives them, made plain JSON values that are safe to encode.

`is_plain` is the quick test that nearly every event passes; `AttributeCleaner` is the careful walk for the rest. In
strict mode it raises at the first problem; otherwise it leaves the bad value out and remembers that it did. Both are
bounded in what they look at and in what they let through, whatever aliases, endless iterators or long texts there are.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import islice, repeat
from typing import Any

from dd_pa.errors import EventError

RESERVED = frozenset(
    [
        "type",
        "application",
        "event",
        "usr",
        "account",
        "session",
        "dd_pa",
        "_dd",
        "view",
        "action",
        "date",
        "service",
        "env",
        "version",
        "source",
        "ddtags",
    ]
)
"""First segments of attribute names that are ours or Datadog's: `usr.id` would be the same facet as the user's id."""

MAX_DEPTH = 20
MAX_ATTRIBUTES = 988
"""Datadog documents 1,000 attributes for RUM events; twelve are left for the structure that every event carries."""

MAX_BYTES = 1_000_000
"""Largest encoded event. Datadog documents 1 MB for RUM events and 5 MB for a request."""

MIN_INT, MAX_INT = -(2**63), 2**63 - 1
MAX_DIGITS = 64

LONG = 1000
"""Longest text that passes as plain; with longer ones an event could be far over `MAX_BYTES` before that is noticed."""

_OMIT = object()
_NO_KEYS = repeat("[]")


def is_plain(attributes: dict[str, Any]) -> bool:
    """Tell whether attributes can be encoded as they are: exact JSON types, within the limits, no reserved name."""
    return (
        _weigh(attributes, 1) <= MAX_ATTRIBUTES
        and RESERVED.isdisjoint(attributes)
        and "." not in "".join(attributes)  # a dotted name may begin with a reserved one
    )


def _weigh(container: dict[str, Any] | list[Any], depth: int) -> float:
    """Return the number of attributes; infinite if one is not plain, or if there are too many to go on counting."""
    weight: float = len(container)
    if depth > MAX_DEPTH:
        return math.inf
    for key, value in container.items() if isinstance(container, dict) else zip(_NO_KEYS, container, strict=False):
        kind = type(value)
        if type(key) is not str or not 0 < len(key) <= LONG:
            return math.inf
        if (
            (kind is str and len(value) <= LONG)
            or (kind is int and MIN_INT <= value <= MAX_INT)
            or (kind is float and value - value == 0)  # not so for infinity and NaN
            or kind is bool
            or value is None
        ):
            continue
        if kind is dict or kind is list:
            weight += _weigh(value, depth + 1)
            if weight <= MAX_ATTRIBUTES:
                continue
        return math.inf
    return weight


def shallow_copy(attributes: object) -> dict[Any, Any]:
    """Return the first attributes, one more than an event can have; raise `EventError` if they cannot be read."""
    if attributes is None:
        return {}
    if not isinstance(attributes, Mapping):
        raise EventError("attributes", f"must be a mapping, not {type(attributes).__name__}")
    try:
        return dict(islice(attributes.items(), MAX_ATTRIBUTES + 1))
    except EventError:
        raise
    except Exception as error:  # code of the caller's own
        raise EventError("attributes", f"could not be read: {type(error).__name__}") from error


class AttributeCleaner:
    """One walk over the attributes of one event."""

    def __init__(self, *, strict: bool) -> None:
        self.repairs: list[str] = []
        """What was left out or replaced, and why: `order.total: is not a finite number`."""

        self._strict = strict
        self._room = MAX_ATTRIBUTES
        self._characters = MAX_BYTES

    def clean(self, attributes: object) -> dict[str, Any]:
        """Return a plain copy.

        Raises `EventError` in strict mode; otherwise only if `attributes` is no mapping at all, or longer than an
        event may be.
        """
        if not isinstance(attributes, Mapping):
            raise EventError("attributes", f"must be a mapping, not {type(attributes).__name__}")
        clean = self._value(attributes, "", 0)
        return {} if clean is _OMIT else dict(clean)

    def _problem(self, path: str, problem: str, cause: Exception | None = None) -> object:
        error = EventError(path or "attributes", problem)
        if self._strict:
            raise error from cause
        self.repairs.append(str(error)[:200])
        return _OMIT

    def _value(self, value: Any, path: str, depth: int) -> Any:
        try:
            return self._any(value, path, depth)
        except EventError:
            raise
        except Exception as error:  # code of the caller's own: a property, `items()`, `__str__` of a lazy text
            return self._problem(path, f"could not be read: {type(error).__name__}", error)

    def _any(self, value: Any, path: str, depth: int) -> Any:
        if isinstance(value, enum.Enum):
            return self._value(value.value, path, depth)
        if isinstance(value, (dict, Mapping, list, tuple, set, frozenset)) or _is_dataclass(value):
            return self._container(value, path, depth + 1)
        return self._scalar(value, path)

    def _container(self, value: Any, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return self._problem(path, f"lies deeper than {MAX_DEPTH} levels")
        if _is_dataclass(value):
            value = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return self._mapping(value, path, depth)
        return self._sequence(value, path, depth)

    def _mapping(self, values: Mapping[Any, Any], path: str, depth: int) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for key, value in values.items():
            if self._is_full(path):
                break
            name = self._key(key, path)
            if name is None:
                continue
            where = _joined(path, name)
            item = self._value(value, where, depth) if name not in clean else self._problem(where, "is given twice")
            if item is not _OMIT:
                clean[name] = item
        return clean

    def _sequence(self, values: Iterable[Any], path: str, depth: int) -> list[Any]:
        clean = []
        for index, value in enumerate(values):
            if self._is_full(path):
                break
            item = self._value(value, f"{path}[{index}]", depth)
            if item is not _OMIT:
                clean.append(item)
        return clean

    def _is_full(self, path: str) -> bool:
        self._room -= 1
        if self._room < 0:
            self._problem(path, f"an event can have {MAX_ATTRIBUTES} attributes, lists and mappings counted")
        return self._room < 0

    def _key(self, key: object, path: str) -> str | None:
        name = _key_text(key)
        if name is None:
            self._problem(path, f"has a key that is no text but {type(key).__name__}")
            return None
        self._count(name)
        if not name or not _encodable(name):
            self._problem(path, "has a key with half of a surrogate pair" if name else "has an empty key")
            return None
        if not path and name.partition(".")[0] in RESERVED:
            self._problem(_joined("", name), "is a reserved name; choose another, such as order.type for type")
            return None
        return name

    def _count(self, text: str) -> None:
        self._characters -= len(text)
        if self._characters < 0:
            raise EventError("", f"the event has more than {MAX_BYTES:,} bytes")

    def _scalar(self, value: Any, path: str) -> Any:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, (int, float, Decimal)):
            return self._number(value, path)
        if isinstance(value, dt.timedelta):
            return self._number(value.total_seconds(), path)
        if isinstance(value, (dt.datetime, dt.date, dt.time)):
            return self._text(value.isoformat(), path)
        if isinstance(value, uuid.UUID) or _is_lazy_text(value):
            return self._text(str(value), path)
        return self._problem(path, f"{type(value).__name__} cannot be sent; give a text, a number or a mapping")

    def _text(self, value: str, path: str) -> Any:
        text = str.__str__(value)
        self._count(text)
        if _encodable(text):
            return text
        self._problem(path, "has half of a surrogate pair, which is no text")
        return text.encode("utf-8", "replace").decode()

    def _number(self, value: float | Decimal, path: str) -> Any:
        """Return a number of an exact type, with no code of a subclass run."""
        if isinstance(value, int):
            whole = int.__index__(value)
            return whole if MIN_INT <= whole <= MAX_INT else self._problem(path, "needs more than 64 bits; send a text")
        if isinstance(value, float):
            number = float.__float__(value)
            return number if math.isfinite(number) else self._problem(path, "is not a finite number")
        exact = Decimal(value)
        if not exact.is_finite():
            return self._problem(path, "is not a finite number")
        if len(exact.as_tuple().digits) > MAX_DIGITS or abs(exact.adjusted()) > MAX_DIGITS:
            return self._problem(path, f"has more than {MAX_DIGITS} digits; send a text")
        return exact


def _joined(path: str, name: str) -> str:
    """Return the path of a key as it may be shown and logged: in one line, and not longer than it helps."""
    shown = name[:100] if name.isprintable() else ascii(name[:100])
    return f"{path}.{shown}" if path else shown


def _key_text(key: object) -> str | None:
    if isinstance(key, enum.Enum):
        return _key_text(key.value)
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, uuid.UUID):
        return str.__str__(str(key))
    return str(key) if type(key) is int and MIN_INT <= key <= MAX_INT else None


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_dataclass(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _is_lazy_text(value: object) -> bool:
    """Tell a translated text that is not evaluated yet: Django's `gettext_lazy`, Flask-Babel's `lazy_gettext`."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__}
    return not names.isdisjoint(_LAZY_TEXTS)


_LAZY_TEXTS = frozenset(
    ("django.utils.functional.Promise", "flask_babel.speaklater.LazyString", "speaklater.LazyString")
)
