"""What a row holds: values in the form that their column gives back (what was assigned may have another one, as "5" has
for a number), and the columns that events carry: written ones after a flush, committed ones of what is deleted.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import inspect, select, types
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Mapper, object_mapper, object_session
from sqlalchemy.orm.base import NO_VALUE

Convert = Callable[[Any], Any]

_DIALECT = DefaultDialect()
"""What types of the application are asked for: they mostly do not look at it."""

_forms: WeakKeyDictionary[Mapper[Any], dict[str, Convert]] = WeakKeyDictionary()


def forms_of(mapper: Mapper[Any]) -> Mapping[str, Convert]:
    """Return what gives a value the form that it has once stored, by attribute. Types that only read have none."""
    found = _forms.get(mapper)
    if found is None:
        forms = {item.key: _form_of(item.columns[0].type) for item in mapper.column_attrs}
        found = _forms[mapper] = {key: form for key, form in forms.items() if form is not None}
    return found


def as_stored(mapper: Mapper[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of attributes as they are once stored."""
    forms = forms_of(mapper)
    return {name: forms[name](value) if name in forms else value for name, value in values.items()}


def _form_of(kind: Any) -> Convert | None:
    if isinstance(kind, types.TypeDecorator):
        return _there_and_back(kind)
    return next((partial(_tried, *make(kind)) for known, make in _MAKERS if isinstance(kind, known)), None)


def _there_and_back(kind: types.TypeDecorator[Any]) -> Convert | None:
    """Write a value as a type of the application does it, and read it again; None if it changes nothing it writes."""
    own = type(kind)
    if own.process_bind_param is types.TypeDecorator.process_bind_param:
        return None
    reads = own.process_result_value is not types.TypeDecorator.process_result_value
    inner = _form_of(kind.impl)

    def convert(value: Any) -> Any:
        try:
            written = kind.process_bind_param(value, _DIALECT)
            stored = written if inner is None else inner(written)
            return kind.process_result_value(stored, _DIALECT) if reads else stored
        except Exception:  # it may count on a certain database, or on what its driver makes of it
            return value

    return convert


def _tried(own: type, convert: Convert, value: Any) -> Any:
    """Convert a value; one that cannot be, the database has taken as it is, or will refuse."""
    if value is None or type(value) is own:
        return value
    try:
        return convert(value)
    except (ArithmeticError, TypeError, ValueError):
        return value


def _whole(value: Any) -> Any:
    number = int(value)
    return number if isinstance(value, str) or number == value else value


def _numeric(kind: Any) -> tuple[type, Convert]:
    if not kind.asdecimal:
        return float, float
    step = None if kind.scale is None else Decimal(1).scaleb(-kind.scale)
    return type(None), partial(_decimal, step)


def _decimal(step: Decimal | None, value: Any) -> Decimal:
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return number if step is None or not number.is_finite() else number.quantize(step, ROUND_HALF_UP)


def _json(value: Any) -> Any:
    return None if value is types.JSON.NULL else json.loads(json.dumps(value))


def _date(value: Any) -> Any:
    return value.date() if isinstance(value, dt.datetime) else value


def _text(value: Any) -> Any:
    return str(value) if type(value) in (int, Decimal) else value


def _enum(kind: types.Enum) -> tuple[type, Convert]:
    enum: Any = kind.enum_class
    if enum is None or kind.values_callable is not None:
        return str, lambda value: value
    return enum, lambda value: enum.__members__.get(value, value) if isinstance(value, str) else value


_MAKERS: tuple[tuple[type[Any], Callable[[Any], tuple[type, Convert]]], ...] = (
    (types.Boolean, lambda kind: (bool, bool)),
    (types.Enum, _enum),
    (types.String, lambda kind: (str, _text)),
    (types.Integer, lambda kind: (int, _whole)),
    (types.Float, lambda kind: (float, (lambda value: value) if kind.asdecimal else float)),
    (types.Numeric, _numeric),
    (types.Date, lambda kind: (dt.date, _date)),
    (types.JSON, lambda kind: (str, _json)),
    (types.Uuid, lambda kind: (UUID, UUID) if kind.as_uuid else (str, str)),
)
"""Types of columns, the first that fits, and what makes of one the type that needs no look and the conversion."""


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
