"""What the callables of a declaration say about one event of one instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dd_pa.capture.person import Identity
from dd_pa.model_events.declaration import Change, Declaration
from dd_pa.model_events.row_event import changed_event, row_event
from dd_pa.plan.event_class import Event

_IDS = ("usr", "account", "session", "consent")

Columns = Callable[[Sequence[str]], Mapping[str, Any]]
"""Reads columns of the instance, as its ORM knows them."""


class Answers(NamedTuple):
    """An event with its attributes, and whose it is."""

    event: str | Event
    """Its name; or a typed one, which has its attributes inside."""

    attributes: Mapping[str, Any] | None
    ids: Mapping[str, Any] | None
    """`usr`, `account`, `session` and `consent`, each perhaps None; None for whoever acts."""


def ask(
    declaration: Declaration, name: str, instance: Any, *, change: Change | None, label: str, columns: Columns
) -> Answers | None:
    """Ask whether there is to be an event, and of whom. Returns None for none. Raises what the callables raise."""
    if declaration.when is not None and not declaration.when(instance, name, change):
        return None
    ids = None if declaration.identity is None else _ids(declaration.identity(instance, name, change))
    kind = declaration.typed.get(name)
    if kind is not None and declaration.attributes is None:
        return Answers(row_event(kind, label, instance, columns, change), None, ids)
    attributes = _attributes(declaration, name, instance, change, label, columns)
    if isinstance(attributes, Event):
        return Answers(attributes, None, ids)
    if kind is not None:
        return Answers(changed_event(kind, attributes, change), None, ids)
    return Answers(name, attributes if change is None else {**attributes, "changed": change}, ids)


def _attributes(
    declaration: Declaration, name: str, instance: Any, change: Change | None, label: str, columns: Columns
) -> Mapping[str, Any]:
    attributes = declaration.attributes
    if callable(attributes):
        return attributes(instance, name, change) or {}
    if attributes is None or isinstance(attributes, Mapping):
        return attributes or {}
    return {declaration.label or label: columns(attributes)}


def _ids(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if isinstance(given, Identity):
        return {key: getattr(given, key) for key in _IDS}
    if not isinstance(given, Mapping) or not given.keys() <= set(_IDS):
        raise TypeError("identity must return a mapping with usr, account, session or consent")
    return {key: given.get(key) for key in _IDS}
