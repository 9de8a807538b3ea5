"""What a flush changes in one instance, as far as the session knows it without asking the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import History, get_history
from sqlalchemy.orm.base import PassiveFlag
from sqlalchemy.sql import ClauseElement

from dd_pa.sqlalchemy.declaration import is_many_to_many

MAX_PKS = 100
"""Most keys that an event lists; `count` says how many there were."""

Changed = Callable[[], dict[str, Any]]
"""What an event carries as `changed`. Called when the flush is over: what is new has its primary key only then."""


def changes(mapper: Mapper[Any], instance: Any, names: Sequence[str], expressions: Mapping[str, Any]) -> list[Changed]:
    """Return one entry for each event of these attributes: mostly none or one.

    `expressions` are entries of those that were set to SQL.
    """
    values: dict[str, Any] = {}
    found: list[Changed] = []
    for name in names:
        if is_many_to_many(mapper.get_property(name)):
            found += _of_collection(instance, name)
        else:
            values |= {name: expressions[name]} if name in expressions else _of_column(instance, name)
    return [lambda: values, *found] if values else found


def expressions(instance: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the entries of attributes that are set to SQL, as to `Order.total + 1`: the new value is not known."""
    histories = {name: _history(instance, name) for name in names}
    return {
        name: _old(history)
        for name, history in histories.items()
        if history.added and isinstance(history.added[0], ClauseElement)
    }


def _of_column(instance: Any, name: str) -> dict[str, Any]:
    """Return old and new value, without the old one if it was not loaded."""
    history = _history(instance, name)
    if not history.has_changes():
        return {}
    return {name: {**_old(history), "new": history.added[0] if history.added else None}}


def _history(instance: Any, name: str) -> History:
    return get_history(instance, name, PassiveFlag.PASSIVE_NO_INITIALIZE)


def _old(history: History) -> dict[str, Any]:
    return {"old": history.deleted[0]} if history.deleted else {}


def _of_collection(instance: Any, name: str) -> list[Changed]:
    passive = PassiveFlag.PASSIVE_NO_INITIALIZE | PassiveFlag.INCLUDE_PENDING_MUTATIONS
    history = get_history(instance, name, passive)
    sides = {"added": list(history.added or ()), "removed": list(history.deleted or ())}
    return [_described(name, action, others) for action, others in sides.items() if others]


def _described(name: str, action: str, others: Sequence[Any]) -> Changed:
    return lambda: {name: {"action": action, "count": len(others), "pks": [_pk(item) for item in others[:MAX_PKS]]}}


def _pk(instance: Any) -> Any:
    """Return a primary key as it is, one of several columns as a list."""
    identity: Sequence[Any] = inspect(instance).identity or ()
    return identity[0] if len(identity) == 1 else list(identity)
