"""Values of fields as the database has them."""

from __future__ import annotations

import datetime as dt
import json
import math
import pickle
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

from django.conf import settings
from django.db.models import CompositePrimaryKey, DateTimeField, DecimalField, JSONField, Model, QuerySet
from django.db.models.fields.files import FieldFile
from django.utils import timezone

from dd_pa_django.database_connection import connection_of

Changes = Mapping[str, tuple[Any, Any]]
"""Old and new value of fields, by `attname`."""

UNCHANGING = frozenset(
    [str, int, bool, float, bytes, type(None), Decimal, uuid.UUID, dt.datetime, dt.date, dt.time, dt.timedelta]
)
"""Types whose values can be kept as they are."""

PLAIN = UNCHANGING - {bytes, float, Decimal}
"""Types of which each value can be sent as it is, too."""

_SENT: Any = (*(UNCHANGING - {bytes}), Mapping, list, tuple, set, frozenset)
"""Types that an event can carry."""


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


def assigned(field: Any, value: Any, using: str) -> Any:
    """Return what the database will give back for a value that was assigned, such as `"12.50"` for a decimal."""
    try:
        return kept(_normal(field, field.to_python(value), using))
    except Exception:  # whatever a field of the application says to a value that it has just written
        return kept(value)


def is_stock(field: Any) -> bool:
    """Tell whether a field writes its values as Django's own do: one of the application's may change them then."""
    return str(type(field).get_prep_value.__module__).startswith("django.")


def _there_and_back(field: Any, value: Any, using: str) -> Any:
    """Return what a field of the application writes for a value, read again as it does it, if it can tell."""
    try:
        written = field.get_prep_value(value)
        if hasattr(field, "from_db_value"):
            return field.from_db_value(written, None, connection_of(using))
        return field.to_python(written)
    except Exception:  # it may count on what a driver makes of it
        return value


def _normal(field: Any, value: Any, using: str) -> Any:
    if not is_stock(field):
        value = _there_and_back(field, value, using)
    if value is None or type(value) is str:
        return value
    if isinstance(field, DecimalField):
        return _rounded(field, value, connection_of(using).vendor)
    if isinstance(field, DateTimeField):
        is_naive = settings.USE_TZ and timezone.is_naive(value)
        return timezone.make_aware(value, timezone.get_default_timezone()) if is_naive else value
    if isinstance(field, JSONField):
        return json.loads(json.dumps(value, cls=field.encoder), cls=field.decoder)
    if isinstance(value, list | tuple) and hasattr(field, "base_field"):  # PostgreSQL's arrays
        return [_normal(field.base_field, field.base_field.to_python(item), using) for item in value]
    return value


def _rounded(field: Any, value: Decimal, vendor: str) -> Decimal:
    """Round as the column does: SQLite has no decimals, there it is Django that rounds what it reads."""
    if field.decimal_places is None or not value.is_finite():
        return value
    rounding = ROUND_HALF_EVEN if vendor == "sqlite" else ROUND_HALF_UP
    return value.quantize(Decimal(1).scaleb(-field.decimal_places), rounding=rounding)


def differs(field: Any, old: Any, new: Any) -> bool:
    """Tell whether two values of a field are two in the database. Never raises, whatever its values say to `==`."""
    if old is new:
        return False
    try:
        is_same = old == new
        if is_same is True and isinstance(field, JSONField):
            return bool(_has_truth(old) != _has_truth(new))
        if isinstance(is_same, bool):
            return not is_same and not (_is_nan(old) and _is_nan(new))
    except Exception:  # noqa: S110 - an array, or a value of the application; what is written for it is compared instead
        pass
    return _written(field, old) != _written(field, new)


def changed_values(written: Sequence[Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """Return old and new value of each field that differs, as far as both are known."""
    found = {}
    for field in written:
        name = field.attname
        if name in new and name in old and differs(field, old[name], new[name]):
            found[name] = old[name], new[name]
    return found


def _has_truth(value: Any) -> Any:
    """Return where in a JSON value there is `true` or `false`, which Python takes for 1 and 0."""
    if isinstance(value, dict):
        return {key: found for key, item in value.items() if (found := _has_truth(item))}
    if isinstance(value, list):
        return [_has_truth(item) for item in value]
    return isinstance(value, bool)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | Decimal) and math.isnan(value)


def _written(field: Any, value: Any) -> bytes:
    """Return something of the value that can be compared; of one that cannot be written, nothing."""
    try:
        return pickle.dumps(field.get_prep_value(value))
    except Exception:  # a field of the application, which has just written this value in its own way
        return b""


def sent(field: Any, value: Any) -> Any:
    """Return a value as an event can carry it: one of the application's own by what is written for it."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return str(value)
    if isinstance(value, _SENT):
        return value
    try:
        prepared = field.get_prep_value(value)
        if isinstance(prepared, bytes | bytearray | memoryview):
            return f"{len(prepared)} bytes"
        return prepared if isinstance(prepared, _SENT) else str(prepared)
    except Exception:  # a field of the application, which has just written this value in its own way
        return type(value).__name__


def sent_column(field: Any, values: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a field of many rows as `sent` does one of them."""
    kinds = set(map(type, values))
    if kinds <= PLAIN or (kinds <= {Decimal} and all(map(Decimal.is_finite, values))):
        return values
    return [sent(field, value) for value in values]


def loaded(instance: Model, fields: Iterable[Any], using: str) -> dict[str, Any]:
    """Return the values that an instance has, by `attname`; deferred fields and expressions are left out."""
    values = instance.__dict__
    return {
        field.attname: assigned(field, values[field.attname], using)
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
        for row in keyed_rows(rows.filter(pk__in=some).order_by(), names)
    }


def keyed_rows(rows: QuerySet[Any], names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    """Return the key of each row and these columns. Django converts no parts of a key of several columns."""
    pk: Any = rows.model._meta.pk
    if not isinstance(pk, CompositePrimaryKey):
        return rows.values_list("pk", *names)
    fields: Any = pk.fields
    parts = [field.attname for field in fields]
    return [(row[: len(parts)], *row[len(parts) :]) for row in rows.values_list(*parts, *names)]


def _batches(pks: Sequence[Any], using: str) -> Iterator[Sequence[Any]]:
    if not pks:
        return
    size = connection_of(using).ops.bulk_batch_size(["pk"], list(pks))
    yield from (pks[start : start + size] for start in range(0, len(pks), size))
