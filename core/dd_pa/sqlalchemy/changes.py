"""What a flush changes in one instance, as far as the session knows it without asking the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import History, get_history
from sqlalchemy.orm.base import PassiveFlag, instance_dict
from sqlalchemy.sql import ClauseElement

from dd_pa.model_events import MAX_PKS, Change
from dd_pa.sqlalchemy.mapping import is_many_to_many
from dd_pa.sqlalchemy.stored_values import forms_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Objects that were added to a many-to-many relationship, or removed from it."""

    name: str
    action: Literal["added", "removed"]
    others: Sequence[Any]

    def change(self) -> Change:
        """Describe it. To be called when the flush is over: what is new has its primary key only then."""
        pks = [_pk(item) for item in self.others[:MAX_PKS]]
        return {self.name: {"action": self.action, "count": len(self.others), "pks": pks}}


def column_changes(
    mapper: Mapper[Any], instance: Any, names: Iterable[str], expressions: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """Return old and new value of each column that has changed, without the old one if it was not loaded.

    `expressions` are entries of those that were set to SQL. Two values that are stored as the same are no change.
    """
    found = {name: expressions[name] if name in expressions else _of_column(instance, name) for name in names}
    stored = {name: _stored(mapper, name, entry) for name, entry in found.items() if entry is not None}
    return {name: entry for name, entry in stored.items() if entry is not None}


def _stored(mapper: Mapper[Any], name: str, entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return an entry with its values as the column has them; None if nothing has changed."""
    form = forms_of(mapper).get(name)
    if form is None:
        return entry
    found = {side: form(value) for side, value in entry.items()}
    return None if len(found) == 2 and found["old"] == found["new"] else found  # both sides are known


def member_changes(mapper: Mapper[Any], instance: Any, names: Iterable[str]) -> Iterator[Members]:
    """Yield what was added to many-to-many relationships, and what was removed."""
    passive = PassiveFlag.PASSIVE_NO_INITIALIZE | PassiveFlag.INCLUDE_PENDING_MUTATIONS
    for name in names:
        history = get_history(instance, name, passive)
        if history.added:
            yield Members(name=name, action="added", others=list(history.added))
        if history.deleted:
            yield Members(name=name, action="removed", others=list(history.deleted))


def members_left(instance: Any, name: str) -> Sequence[Any]:
    """Return who is in a relationship of an instance that is being deleted: the flush has loaded them, if it must."""
    return list(get_history(instance, name, PassiveFlag.PASSIVE_NO_INITIALIZE).unchanged or ())


def expressions(instance: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the entries of attributes that are set to SQL, as to `Order.total + 1`: the new value is not known."""
    values = instance_dict(instance)
    return {name: _old(_history(instance, name)) for name in names if isinstance(values.get(name), ClauseElement)}


def split(mapper: Mapper[Any], names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Part followed attributes into columns and many-to-many relationships."""
    columns: list[str] = []
    relationships: list[str] = []
    for name in names:
        (relationships if is_many_to_many(mapper.get_property(name)) else columns).append(name)
    return columns, relationships


def _of_column(instance: Any, name: str) -> dict[str, Any] | None:
    history = _history(instance, name)
    if not history.has_changes():
        return None
    return {**_old(history), "new": history.added[0] if history.added else None}


def _history(instance: Any, name: str) -> History:
    return get_history(instance, name, PassiveFlag.PASSIVE_NO_INITIALIZE)


def _old(history: History) -> dict[str, Any]:
    return {"old": history.deleted[0]} if history.deleted else {}


def _pk(instance: Any) -> Any:
    """Return a primary key as it is, one of several columns as a list."""
    identity: Sequence[Any] = inspect(instance).identity or ()
    return identity[0] if len(identity) == 1 else list(identity)
