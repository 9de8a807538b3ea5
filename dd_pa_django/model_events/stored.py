"""Values of fields as the database has them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

from django.db import connections
from django.db.models import Model
from django.db.models.fields.files import FieldFile

UNCHANGING = frozenset(
    [str, int, bool, float, bytes, type(None), Decimal, uuid.UUID, dt.datetime, dt.date, dt.time, dt.timedelta]
)
"""Types whose values can be kept as they are."""


def kept(value: Any) -> Any:
    """Return a value that stays as it is when the instance changes: lists and dicts are changed in place."""
    if type(value) in UNCHANGING:
        return value
    if isinstance(value, FieldFile):
        return value.name
    try:
        return deepcopy(value)
    except Exception:  # rows must load whatever their fields hold; what is changed inside of this value goes unnoticed
        return value


def is_expression(value: Any) -> bool:
    """Tell whether only the database knows the value, as with `F("stock") - 1`."""
    return hasattr(value, "resolve_expression")


def assigned(field: Any, value: Any) -> Any:
    """Return what the database will give back for a value that was assigned, such as `"12.50"` for a decimal."""
    try:
        return kept(field.to_python(value))
    except Exception:  # whatever a field of the application says to a value that it has just written
        return kept(value)


def loaded(instance: Model, fields: Iterable[Any]) -> dict[str, Any]:
    """Return the values that an instance has, by `attname`; deferred fields and expressions are left out."""
    values = instance.__dict__
    return {
        field.attname: assigned(field, values[field.attname])
        for field in fields
        if field.attname in values and not is_expression(values[field.attname])
    }


def read(model: type[Model], pks: Sequence[Any], fields: Sequence[Any], using: str) -> dict[Any, dict[str, Any]]:
    """Read the values of rows by primary key. One query, on SQLite one for each 500 rows."""
    names = [field.attname for field in fields]
    rows = model._base_manager.using(using)
    return {
        row[0]: dict(zip(names, map(kept, row[1:]), strict=True))
        for some in _batches(pks, using)
        for row in rows.filter(pk__in=some).values_list("pk", *names)
    }


def _batches(pks: Sequence[Any], using: str) -> Iterator[Sequence[Any]]:
    if not pks:
        return
    size = connections[using].ops.bulk_batch_size(["pk"], list(pks))
    yield from (pks[start : start + size] for start in range(0, len(pks), size))
