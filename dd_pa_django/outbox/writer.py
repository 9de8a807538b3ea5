"""Writes events into the outbox, with what the transaction writes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from dd_pa import BuiltEvent
from dd_pa.outbox import ROWS, chunks, columns, is_missing_table
from dd_pa_django.models import OutboxEvent

_COLUMNS = ("event_id", "name", "occurred_at", "body")
_INTO = f"INSERT INTO {OutboxEvent._meta.db_table} ({', '.join(_COLUMNS)})"
_ROW = "(%s, %s, %s, %s)"

_UNNESTED = "SELECT * FROM UNNEST(%s::varchar[], %s::varchar[], %s::bigint[], %s::bytea[])"
"""For PostgreSQL: one statement for any number of rows, which takes no time to parse."""

_UNNESTED_ROWS = 5_000


def insert(events: Sequence[BuiltEvent], connection: BaseDatabaseWrapper) -> None:
    """Insert events by as few statements as the database allows. Raises what it raises.

    Without the ORM, which sends `post_save` to receivers of all models.
    """
    unnests = connection.vendor == "postgresql" and len(events) > 1
    for chunk in chunks(events, _UNNESTED_ROWS if unnests else _most_rows(connection)):
        rows = [columns(event) for event in chunk]
        if unnests:
            _insert_unnested(rows, connection)
        else:
            _insert_values(rows, connection)


def _most_rows(connection: BaseDatabaseWrapper) -> int:
    if connection.vendor == "oracle":  # has no VALUES of several rows
        return 1
    most = connection.features.max_query_params
    return ROWS if most is None else max(1, min(ROWS, most // len(_COLUMNS)))


def _insert_values(rows: list[dict[str, Any]], connection: BaseDatabaseWrapper) -> None:
    body: Any = OutboxEvent._meta.get_field("body")
    for row in rows:
        row["body"] = body.get_db_prep_value(row["body"], connection)
    with connection.cursor() as cursor:
        values = [row[name] for row in rows for name in _COLUMNS]
        cursor.execute(f"{_INTO} VALUES {', '.join([_ROW] * len(rows))}", values)


def _insert_unnested(rows: list[dict[str, Any]], connection: BaseDatabaseWrapper) -> None:
    """Send each column as one array; binary where psycopg 3 is used, whose texts of arrays cost four times as much."""
    from django.db.backends.postgresql.psycopg_any import is_psycopg3  # noqa: PLC0415 - needs a driver

    lists = [[row[name] for row in rows] for name in _COLUMNS]
    if not is_psycopg3:
        with connection.cursor() as cursor:
            cursor.execute(f"{_INTO} {_UNNESTED}", lists)
        return
    with _binding_cursor(connection) as cursor:
        cursor.execute(f"{_INTO} {_UNNESTED.replace('%s', '%b')}", lists)


def _binding_cursor(connection: BaseDatabaseWrapper) -> CursorWrapper:
    """Return a cursor of psycopg 3 that leaves the values to the server; Django's writes them into the statement.

    It is wrapped as `connection.cursor()` does, for `assertNumQueries`, wrappers of `execute` and logs of queries.
    """
    from psycopg import Cursor  # noqa: PLC0415 - only where it is installed

    with connection.cursor():  # a connection that is gone is made again
        pass
    bound: Any = Cursor(connection.connection)
    return connection.make_debug_cursor(bound) if connection.queries_logged else connection.make_cursor(bound)


TABLE = OutboxEvent._meta.db_table

RECHECK = 5.0
"""Seconds before a database that lacks our table is asked again."""

_proven: set[str] = set()
"""Databases that have our table."""

_ask_again_at: dict[str, float] = {}


class MissingTableError(DatabaseError):
    """The rows cannot be written; the transaction is still good."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"no table {TABLE} in the database {alias!r}: run manage.py migrate")


def default_alias() -> str:
    """Return the database whose outbox takes what belongs to no transaction."""
    return router.db_for_write(OutboxEvent) or DEFAULT_DB_ALIAS


def may_have_table(alias: str) -> bool:
    """Tell whether the routers let a database have the outbox."""
    return bool(router.allow_migrate_model(alias, OutboxEvent))


def aliases() -> list[str]:
    """Return the databases that may have an outbox, that of the routers first."""
    first = default_alias()
    return [first, *(alias for alias in connections if alias != first and may_have_table(alias))]


def write(events: Sequence[BuiltEvent], connection: BaseDatabaseWrapper) -> None:
    """Insert the events' rows, in the transaction that is open, if any: one query for one of them.

    Raises `django.db.Error` when the database fails, as any other query would. A table that is missing, and nothing
    else, is a `MissingTableError`; it does not spoil the transaction.
    """
    alias = connection.alias
    if alias not in _proven:
        _prove(connection)
    try:
        insert(events, connection)
    except Error as error:
        if not is_missing_table(error, TABLE):
            raise
        _proven.discard(alias)
        if _is_spoiled_by_errors(connection):
            raise
        raise MissingTableError(alias) from error
    _proven.add(alias)


def _is_spoiled_by_errors(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a query that fails here takes the transaction along: in PostgreSQL, and where it is not known."""
    return connection.in_atomic_block and connection.vendor not in ("mysql", "oracle", "sqlite")


def _prove(connection: BaseDatabaseWrapper) -> None:
    """Ask for the table before the first insert, where one that fails would spoil the transaction."""
    if connection.vendor != "postgresql" or not connection.in_atomic_block:
        return
    alias, now = connection.alias, time.monotonic()
    if now < _ask_again_at.get(alias, 0.0):
        raise MissingTableError(alias)
    if not _is_there(connection):
        _ask_again_at[alias] = now + RECHECK
        raise MissingTableError(alias)


def _is_there(connection: BaseDatabaseWrapper) -> bool:
    """Ask past Django's cursor: a project's `assertNumQueries` must not depend on which of its tests comes first."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.execute(f"SELECT to_regclass('{TABLE}') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def connection_for(using: str | None) -> BaseDatabaseWrapper:
    """Return the connection for what belongs to no transaction: to `using`, if that may have an outbox."""
    usable = using is not None and using in connections and may_have_table(using)
    return connections[using if using is not None and usable else default_alias()]
