"""The event classes of this process, by the name of their events."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from weakref import WeakValueDictionary

from dd_pa.errors import PlanError
from dd_pa.plan.event_schema import EventSchema
from dd_pa.plan.model import Plan

_by_name: WeakValueDictionary[str, EventSchema] = WeakValueDictionary()
revision = 0
"""Rises with each class."""

_listeners: list[Callable[[EventSchema], object]] = []


def tell(listener: Callable[[EventSchema], object]) -> None:
    """Tell of each class that has a name, those that are there first. For as long as the process lives."""
    for schema in declared():
        listener(schema)
    _listeners.append(listener)


def add(schema: EventSchema) -> None:
    """Keep a class that has a name. Raises `PlanError` if another class has it.

    A class that is made anew takes the place of what it was before: by a reload, or in a notebook.
    """
    global revision  # noqa: PLW0603 - of the one registry
    if schema.name is None:
        return
    other = _by_name.get(schema.name)
    if other is not None and not _is_same(schema, other):
        other = None
        gc.collect()  # one of a function that has returned is nobody's, but refers to itself
        other = _by_name.get(schema.name)
        if other is not None:
            there = f"{other.kind.__module__}.{other.label}"
            raise PlanError(schema.label, f"{schema.name!r} is the name of {there}: give each event a name of its own")
    _by_name[schema.name] = schema
    revision += 1
    for listener in _listeners:
        listener(schema)


def _is_same(schema: EventSchema, other: EventSchema) -> bool:
    return (schema.kind.__module__, schema.label) == (other.kind.__module__, other.label)


def declared() -> Iterator[EventSchema]:
    """Yield the classes that have a name, sorted by it."""
    known = [schema for reference in _by_name.valuerefs() if (schema := reference()) is not None]
    yield from sorted(known, key=lambda schema: str(schema.name))


def find(name: str) -> EventSchema | None:
    """Return the class of the events of a name."""
    return _by_name.get(name)


def declared_plan() -> Plan:
    """Return the plan of the classes that are imported. Raises `PlanError` for one that cannot be read."""
    with suppress(PlanError):
        return _planned()
    gc.collect()  # as in `add()`: what cannot be read may be of a function that has returned
    return _planned()


def _planned() -> Plan:
    return Plan({str(schema.name): schema.planned for schema in declared()})


def readable_plan() -> Plan:
    """Return the plan of those classes that can be read by now: one may name a class that is still to come."""
    found = {}
    for schema in declared():
        with suppress(PlanError):
            found[str(schema.name)] = schema.planned
    return Plan(found)
