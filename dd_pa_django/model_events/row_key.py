"""The primary key of an instance's row in one form, whichever was assigned: `"7"` is the row 7, a text the UUID."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import CharField, IntegerField, Model, TextField, UUIDField

from dd_pa_django.model_events import stored_values

_STOCK: dict[Any, type] = {IntegerField: int, CharField: str, TextField: str, UUIDField: uuid.UUID}

_keys: dict[type[Model], tuple[type | None, str | None]] = {}
"""Of a class the type of its keys, if each value of it is in its final form, and where the key of its first table is.

Of an object with several tables, Django writes the rows that belong to the first one's.
"""


def row_key(instance: Model) -> Any:
    """Return the key as the database gives it back."""
    pk, model = instance.pk, type(instance)
    try:
        native, of_root = _keys[model]
    except KeyError:
        native, of_root = _keys[model] = _native_of(model._meta.pk), _of_root(model)
    if of_root is not None:
        pk = instance.__dict__.get(of_root) or pk
    if pk is None or type(pk) is native:
        return pk
    field: Any = model._meta.pk
    using = instance._state.db or "default"
    if isinstance(pk, tuple):
        return tuple(stored_values.assigned(part, value, using) for part, value in zip(field.fields, pk, strict=True))
    return stored_values.assigned(field, pk, using)


def root_of(model: type[Model]) -> type[Model]:
    """Return the class of the first of an object's tables, whose rows have its primary key."""
    root: Any = model._meta.concrete_model or model
    while root._meta.pk.remote_field is not None and root._meta.pk.remote_field.parent_link:
        root = root._meta.pk.remote_field.model._meta.concrete_model
    return root  # type: ignore[no-any-return]


def _of_root(model: type[Model]) -> str | None:
    root = root_of(model)
    return None if root is model._meta.concrete_model else root._meta.pk.attname


def _native_of(field: Any) -> type | None:
    while field.remote_field is not None:
        field = field.target_field
    return next(
        (kind for stock, kind in _STOCK.items() if isinstance(field, stock) and stored_values.is_stock(field)), None
    )
