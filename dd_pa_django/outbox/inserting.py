from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from dd_pa import Event
from dd_pa.outbox import ROWS, chunks, columns
from dd_pa_django.models import OutboxEvent

_COLUMNS = ("event_id", "name", "occurred_at", "body")
_INSERT = f"INSERT INTO {OutboxEvent._meta.db_table} ({', '.join(_COLUMNS)}) VALUES "  # noqa: S608
_ROW = "(%s, %s, %s, %s)"


def insert(events: Sequence[Event], connection: BaseDatabaseWrapper) -> None:
    """Insert events by as few statements as the database allows. Raises what it raises.

    Without the ORM, which sends `post_save` to receivers of all models.
    """
    for chunk in chunks(events, _most_rows(connection)):
        with connection.cursor() as cursor:
            cursor.execute(_INSERT + ", ".join([_ROW] * len(chunk)), [*_values(chunk, connection)])


def _most_rows(connection: BaseDatabaseWrapper) -> int:
    if connection.vendor == "oracle":  # has no VALUES of several rows
        return 1
    most = connection.features.max_query_params
    return ROWS if most is None else max(1, most // len(_COLUMNS))


def _values(events: Sequence[Event], connection: BaseDatabaseWrapper) -> list[Any]:
    body: Any = OutboxEvent._meta.get_field("body")
    rows = [columns(event) for event in events]
    for row in rows:
        row["body"] = body.get_db_prep_value(row["body"], connection)
    return [row[name] for row in rows for name in _COLUMNS]
