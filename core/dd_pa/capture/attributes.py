"""Attributes as a caller gives them, made plain JSON values that are safe to encode.

`AttributeCleaner` defines what can be sent. In strict mode it raises at the first problem; otherwise it leaves the bad
value out and remembers that it did. It is bounded in what it looks at and in what it lets through, whatever aliases,
endless iterators or long texts there are. `plain` is the quick way to the same for attributes without a problem.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from dd_pa.capture.foreign_values import is_lazy_text, is_record, members, record
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
"""Longest text that need not be counted; with longer ones an event could be far over `MAX_BYTES` unnoticed."""

_OMIT = object()


def shallow_copy(attributes: object) -> dict[Any, Any]:
    """Return the first attributes, one more than an event can have; raise `EventError` if they cannot be read."""
    if attributes is None:
        return {}
    if not isinstance(attributes, Mapping):
        raise EventError("attributes", f"must be a mapping, not {type(attributes).__name__}")
    try:
        return dict(islice(members(attributes, MAX_ATTRIBUTES + 1), MAX_ATTRIBUTES + 1))
    except EventError:
        raise
    except Exception as error:  # code of the caller's own
        raise EventError("attributes", f"could not be read: {type(error).__name__}") from error


class AttributeCleaner:
    """One walk over the attributes of one event."""

    def __init__(
        self,
        *,
        strict: bool,
        room: int = MAX_ATTRIBUTES,
        holder: str = "an event",
        read: Callable[[Any, str], Any] | None = None,
    ) -> None:
        """Begin a walk. `read` returns what is to be sent of a record (see `record`), which lies at a path."""
        self.repairs: list[str] = []
        """What was left out or replaced, and why: `order.total: is not a finite number`."""

        self._strict = strict
        self._read = read
        self._holder, self._members = holder, room if holder != "an event" else MAX_ATTRIBUTES
        self.room = room
        """Attributes that may still come."""

        self._characters = MAX_BYTES

    def clean(self, attributes: object) -> dict[str, Any]:
        """Return a plain copy.

        Raises `EventError` in strict mode; otherwise only if `attributes` is no mapping at all, or longer than an
        event may be.
        """
        if not isinstance(attributes, Mapping):
            raise EventError("attributes", f"must be a mapping, not {type(attributes).__name__}")
        clean = self.value(attributes, "", 0)
        return {} if clean is _OMIT else dict(clean)

    def _problem(self, path: str, problem: str, cause: Exception | None = None) -> object:
        error = EventError(path or "attributes", problem)
        if self._strict:
            raise error from cause
        self.repairs.append(str(error)[:200])
        return _OMIT

    def value(self, value: Any, path: str, depth: int) -> Any:
        """Return a plain copy of a value that lies in `depth` containers, or a mark that it is to be left out."""
        try:
            return self._any(value, path, depth)
        except EventError:
            raise
        except Exception as error:  # code of the caller's own: a property, `items()`, `__str__` of a lazy text
            return self._problem(path, f"could not be read: {type(error).__name__}", error)

    def _any(self, value: Any, path: str, depth: int) -> Any:
        if type(value) in _SCALARS:  # told first, since the questions below cost more than the answer
            return self._scalar(value, path)
        if isinstance(value, enum.Enum):
            return self.value(value.value, path, depth)
        if isinstance(value, (dict, Mapping, list, tuple, set, frozenset)) or is_record(value):
            return self._container(value, path, depth + 1)
        return self._scalar(value, path)

    def _container(self, value: Any, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return self._problem(path, f"lies deeper than {MAX_DEPTH} levels")
        if is_record(value):
            value = record(value) if self._read is None else self._read(value, path)
            if not isinstance(value, (Mapping, list, tuple, set, frozenset)):  # a model of one value
                return self.value(value, path, depth - 1)
        if isinstance(value, Mapping):
            return self._mapping(value, path, depth)
        return self._sequence(value, path, depth)

    def _mapping(self, values: Mapping[Any, Any], path: str, depth: int) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for key, value in members(values, MAX_ATTRIBUTES + 1):
            if self._is_full(path):
                break
            name = self._key(key, path)
            if name is None:
                continue
            where = _joined(path, name)
            item = self.value(value, where, depth) if name not in clean else self._problem(where, "is given twice")
            if item is not _OMIT:
                clean[name] = item
        return clean

    def _sequence(self, values: Iterable[Any], path: str, depth: int) -> list[Any]:
        clean = []
        for index, value in enumerate(values):
            if self._is_full(path):
                break
            item = self.value(value, f"{path}[{index}]", depth)
            if item is not _OMIT:
                clean.append(item)
        return clean

    def _is_full(self, path: str) -> bool:
        self.room -= 1
        if self.room < 0:
            self._problem(path, f"{self._holder} can have {self._members} attributes, lists and mappings counted")
        return self.room < 0

    def _key(self, key: object, path: str) -> str | None:
        name = _key_text(key)
        if name is None:
            self._problem(path, f"has a key that is no text but {type(key).__name__}")
            return None
        self.count(name)
        if not name or not _encodable(name):
            self._problem(path, "has a key with half of a surrogate pair" if name else "has an empty key")
            return None
        if not path and name.partition(".")[0] in RESERVED:
            self._problem(_joined("", name), "is a reserved name; choose another, such as order.type for type")
            return None
        return name

    def count(self, text: str) -> None:
        """Take a text's length off what an event can have; raise `EventError` if that is too much."""
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
            is_moment = value == value  # noqa: PLR0124 - not so for pandas' NaT, the NaN among moments
            return self._text(value.isoformat(), path) if is_moment else self._problem(path, "is no moment (NaT)")
        if isinstance(value, uuid.UUID) or is_lazy_text(value):
            return self._text(str(value), path)
        return self._problem(path, f"{type(value).__name__} cannot be sent; give a text, a number or a mapping")

    def _text(self, value: str, path: str) -> Any:
        text = str.__str__(value)
        self.count(text)
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


_SCALARS = frozenset(
    [str, int, float, bool, type(None), Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID]
)
