"""The tracking plan as data: what the classes of an application say, and what its lock file holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Literal

import msgspec

Kind = Literal["text", "integer", "number", "boolean", "null", "list", "map", "object", "any"]
Format = Literal["", "date-time", "date", "time", "uuid"]


class Type(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the types that a value may have, as it is on the wire."""

    kind: Kind
    format: Format = ""
    """Of a text: what it is the text of."""

    values: tuple[str | int | float, ...] = ()
    """Of an enumeration: all that there may be, sorted."""

    limits: Mapping[str, int | float | str] = {}
    """What JSON Schema calls `minimum`, `maxLength`, `pattern` and so on."""

    items: tuple[Type, ...] = ()
    """Of a list or a map: the types of what is in it."""

    fields: Mapping[str, Field] = {}
    """Of an object: what is in it."""


NULL = Type(kind="null")


class Deprecated(msgspec.Struct, frozen=True, omit_defaults=True):
    """Says that an event or a field will go: `deprecated=Deprecated("2026-12-31", use="order.paid")`."""

    until: str
    """The day from which it may be removed: `2026-12-31`."""

    use: str = ""
    """What is there instead."""

    def __post_init__(self) -> None:
        try:
            date.fromisoformat(self.until)
        except (TypeError, ValueError):
            raise ValueError(f"{self.until!r} is no day: Deprecated(until='2026-12-31')") from None

    def is_over(self, today: date) -> bool:
        """Tell whether what is deprecated may be removed."""
        return date.fromisoformat(self.until) <= today


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field of an event, or of an object in it."""

    types: tuple[Type, ...]
    """The types that its value may have; `null` is one of them where it may be None."""

    required: bool = True
    """Whether each event was given it. One with a default may be left out."""

    description: str = ""
    personal: bool = False
    """Whether it is personal data: left out, hashed or sent, as the setting PERSONAL_DATA says."""

    deprecated: Deprecated | None = None


class PlannedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of the plan."""

    name: str
    fields: Mapping[str, Field] = {}
    description: str = ""
    owner: str = ""
    deprecated: Deprecated | None = None
    source: str = ""
    """Where its class is: `shop.events.CheckoutCompleted`. No part of what readers see."""


class Plan(msgspec.Struct, frozen=True):
    """The events of an application, by name."""

    events: Mapping[str, PlannedEvent]


def walk(fields: Mapping[str, Field], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Yield each field at each depth with its path: `("order", "lines", "[]", "sku")`; `*` is any key of a map."""
    for name, field in fields.items():
        yield (*path, name), field
        yield from _inside(field.types, (*path, name))


def _inside(types: tuple[Type, ...], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Field]]:
    for kind in types:
        yield from walk(kind.fields, path)
        yield from _inside(kind.items, (*path, "[]" if kind.kind == "list" else "*"))


def shown(path: tuple[str, ...]) -> str:
    """Return a path as people write it: `order.lines[].sku`."""
    return ".".join(path).replace(".[]", "[]")


def merged(found: list[Type]) -> tuple[Type, ...]:
    """Return alternatives in an order of their own, without those that others include."""
    if any(kind.kind == "any" for kind in found):
        return (Type(kind="any"),)
    whole = {kind.kind for kind in found if kind == Type(kind=kind.kind)}  # all texts, all integers …
    kept = [kind for kind in found if kind.kind not in whole or kind == Type(kind=kind.kind)]
    if "number" in whole:
        kept = [kind for kind in kept if kind.kind != "integer"]
    kinds: set[Kind] = {kind.kind for kind in kept if kind.values}
    for name in kinds:
        values: list[Any] = sorted({value for kind in kept if kind.kind == name for value in kind.values})
        kept = [kind for kind in kept if kind.kind != name or not kind.values] + [Type(kind=name, values=tuple(values))]
    unique = {msgspec.json.encode(kind): kind for kind in kept}
    return tuple(unique[key] for key in sorted(unique))
