"""The columns that events carry, as the row has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import inspect, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import object_mapper, object_session
from sqlalchemy.orm.base import NO_VALUE

from dd_pa.sqlalchemy.stored_values import as_stored

ReadColumns: TypeAlias = "Callable[[Any, Sequence[str]], Mapping[str, Any]]"
"""Reads columns of an instance's row, by the names of attributes."""


def columns_now(instance: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """Return what a flush has left in a row. What is not loaded is, by the session's own ways or past them."""
    try:
        return as_stored(object_mapper(instance), {name: getattr(instance, name) for name in names})
    except InvalidRequestError:  # a query has said `raiseload`: this is no mistake of the application's
        return columns_set(instance, names)


def columns_set(instance: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """Return what an object sets, over what its row had; nothing is loaded into the object."""
    values = inspect(instance).dict
    loaded = {name: values[name] for name in names if name in values}
    return {
        **_read(instance, [name for name in names if name not in loaded]),
        **as_stored(object_mapper(instance), loaded),
    }


def columns_before(instance: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """Return what a row has that is about to be deleted: what was assigned to its object is not written any more."""
    former: Mapping[str, Any] = inspect(instance).committed_state
    hidden = [name for name in names if former.get(name) is NO_VALUE]  # by a value, before the row's own was loaded
    known = {name: former[name] for name in names if name in former and name not in hidden}
    return {
        **columns_now(instance, [name for name in names if name not in former]),
        **as_stored(object_mapper(instance), known),
        **_read(instance, hidden),
    }


def _read(instance: Any, names: Sequence[str]) -> dict[str, Any]:
    """Read columns of a row, and leave the object as it is. Empty if the row has gone."""
    session, key = object_session(instance), inspect(instance).identity
    if not names or session is None or key is None:
        return {}
    mapper = object_mapper(instance)
    row = select(*(getattr(mapper.class_, name) for name in names))
    found = session.execute(
        row.where(*(column == value for column, value in zip(mapper.primary_key, key, strict=True))),
        execution_options={"autoflush": False},
    ).first()
    return {} if found is None else dict(zip(names, found, strict=True))
