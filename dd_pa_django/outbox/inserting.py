from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from dd_pa import Event
from dd_pa.outbox import ROWS, chunks, columns
from dd_pa_django.models import OutboxEvent

_COLUMNS = ("event_id", "name", "occurred_at", "body")
_INTO = f"INSERT INTO {OutboxEvent._meta.db_table} ({', '.join(_COLUMNS)})"
_ROW = "(%s, %s, %s, %s)"

_UNNESTED = "SELECT * FROM UNNEST(%s::varchar[], %s::varchar[], %s::bigint[], %s::bytea[])"
"""For PostgreSQL: one statement for any number of rows, which takes no time to parse."""


def insert(events: Sequence[Event], connection: BaseDatabaseWrapper) -> None:
    """Insert events by as few statements as the database allows. Raises what it raises.

    Without the ORM, which sends `post_save` to receivers of all models.
    """
    for chunk in chunks(events, _most_rows(connection)):
        statement, values = _statement(chunk, connection)
        with connection.cursor() as cursor:
            cursor.execute(statement, values)


def _most_rows(connection: BaseDatabaseWrapper) -> int:
    if connection.vendor == "oracle":  # has no VALUES of several rows
        return 1
    most = connection.features.max_query_params
    return ROWS if most is None else max(1, most // len(_COLUMNS))


def _statement(events: Sequence[Event], connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
    rows = [columns(event) for event in events]
    if connection.vendor == "postgresql" and len(rows) > 1:
        return f"{_INTO} {_UNNESTED}", [[row[name] for row in rows] for name in _COLUMNS]
    body: Any = OutboxEvent._meta.get_field("body")
    for row in rows:
        row["body"] = body.get_db_prep_value(row["body"], connection)
    return f"{_INTO} VALUES {', '.join([_ROW] * len(rows))}", [row[name] for row in rows for name in _COLUMNS]
