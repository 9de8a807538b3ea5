"""Text in Datadog's search syntax, with names and values quoted so that they mean what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

Value = str | int | float | Decimal | bool

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_WORDS = frozenset({"AND", "OR", "NOT", "TO"})
_SPECIAL = re.compile(r"[^\w.-]|^-")
_ONE = re.compile(r"-?@?[\w.]+:[\w.*?-]+")
_SERVER = "@type:server"
_NAME = "@event.name"


def quoted(value: Value) -> str:
    """Return a value as the syntax needs it; no wildcard, operator or space in it has a meaning."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if _PLAIN.fullmatch(text) and text not in _WORDS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def facet(path: str) -> str:
    """Return the path of an attribute (`@order.total`, or without the `@`) with what is special in it escaped."""
    return "@" + _SPECIAL.sub(r"\\\g<0>", path.removeprefix("@"))


def equals(path: str, *values: Value) -> str:
    """Return the search for events whose attribute is one of these values, exactly."""
    if not values:
        raise ValueError(f"equals({path!r}) needs a value")
    alternatives = " OR ".join(map(quoted, values))
    return f"{facet(path)}:{alternatives}" if len(values) == 1 else f"{facet(path)}:({alternatives})"


def missing(path: str) -> str:
    """Return the search for events without this attribute."""
    return f"-{facet(path)}:*"


def named(names: Iterable[str]) -> tuple[str, ...]:
    """Return the searches that together find server events with these names, or all of them."""
    names = tuple(names)
    return (_SERVER, equals(_NAME, *names)) if names else (_SERVER,)


def grouped(text: str) -> str:
    """Return a search that can stand beside others, which must hold too."""
    text = text.strip()
    return text if _ONE.fullmatch(text) else f"({text})"


def readable(text: str) -> str:
    """Return how a step is called: the event's name where a search asks for just that."""
    name = text.removeprefix(f"{_SERVER} {_NAME}:")
    return name if name != text and _PLAIN.fullmatch(name) else text
