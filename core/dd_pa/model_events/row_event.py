"""Typed events of rows: their fields are filled from the attributes of the same name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dd_pa.plan.class_members import hints_of
from dd_pa.plan.event_class import Event, said_event

Kind = type[msgspec.Struct]

CHANGED = "changed"
"""The field that takes what has changed, where a class has it: `{"status": {"old": …, "new": …}}`."""


def row_names(kind: Kind, label: str) -> Iterator[tuple[str, bool]]:
    """Yield the names that an event of a class takes from a row, and whether each has to be there.

    A field that is called as the model and is a Struct takes its own fields from the row: `order: Order`.
    """
    for name, required in _fields(kind):
        inner = _inner(kind, name, label)
        if inner is not None:
            yield from _fields(inner)
        elif name != CHANGED:
            yield name, required


def row_event(
    kind: type[Event], label: str, instance: Any, read: Callable[[Sequence[str]], Mapping[str, Any]], change: Any
) -> Event:
    """Return the event of a row. `read` reads columns as their ORM knows them; the rest are plain attributes."""
    names = [name for name, _ in row_names(kind, label)]
    found = dict(read([name for name in names if hasattr(instance, name)]))
    found |= {name: getattr(instance, name) for name in names if name not in found and hasattr(instance, name)}
    values: dict[str, Any] = {}
    for name, _ in _fields(kind):
        inner = _inner(kind, name, label)
        if inner is not None:
            values[name] = said_event(inner, {each: found[each] for each, _ in _fields(inner) if each in found})
        elif name in found:
            values[name] = found[name]
    return changed_event(kind, values, change)


def changed_event(kind: type[Event], values: Mapping[str, Any], change: Any) -> Event:
    """Return an event of these values, and of what has changed where its class wants that."""
    has_change = change is not None and CHANGED in kind.__struct_fields__
    made: Event = said_event(kind, {**values, CHANGED: change} if has_change else values)
    return made


def _fields(kind: Kind) -> Iterator[tuple[str, bool]]:
    defaults = kind.__struct_defaults__
    given = (msgspec.NODEFAULT,) * (len(kind.__struct_fields__) - len(defaults)) + defaults
    for name, default in zip(kind.__struct_fields__, given, strict=True):
        yield name, default is msgspec.NODEFAULT


def _inner(kind: Kind, name: str, label: str) -> Kind | None:
    found = hints_of(kind).get(name) if name == label else None
    return found if isinstance(found, type) and issubclass(found, msgspec.Struct) else None
