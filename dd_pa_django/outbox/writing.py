from __future__ import annotations

import time
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from dd_pa import Event
from dd_pa_django.models import OutboxEvent

RECHECK = 60.0
"""Seconds before a database that lacks our table is tried again."""

_INSERT = f"INSERT INTO {OutboxEvent._meta.db_table} (event_id, name, occurred_at, body) VALUES (%s, %s, %s, %s)"  # noqa: S608

_proven: set[str] = set()
"""Databases into which an insert has worked."""

_try_again_at: dict[str, float] = {}


class MissingTableError(DatabaseError):
    """The row cannot be written; the transaction is still good."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"no table {OutboxEvent._meta.db_table} in the database {alias!r}: run manage.py migrate")


def default_alias() -> str:
    """Return the database whose outbox takes what belongs to no transaction."""
    return router.db_for_write(OutboxEvent) or DEFAULT_DB_ALIAS


def write(event: Event, connection: BaseDatabaseWrapper) -> None:
    """Insert the event's row: one query, in the transaction that is open, if any. Raises `django.db.Error`.

    The first insert into a database has a savepoint of its own, so that a missing table does not spoil the transaction
    (`MissingTableError`). Afterwards an insert fails when the database does, as any other query would.
    """
    alias = connection.alias
    if alias in _proven:
        _insert(event, connection)
        return
    if time.monotonic() < _try_again_at.get(alias, 0.0):
        raise MissingTableError(alias)
    try:
        with transaction.atomic(using=alias):
            _insert(event, connection)
    except Error as error:
        if connection.needs_rollback:  # the savepoint went with the connection
            raise
        _try_again_at[alias] = time.monotonic() + RECHECK
        raise MissingTableError(alias) from error
    _proven.add(alias)


def _insert(event: Event, connection: BaseDatabaseWrapper) -> None:
    """Write without the ORM, which sends `post_save` to receivers of all models."""
    field: Any = OutboxEvent._meta.get_field("body")
    body = field.get_db_prep_value(event.body, connection)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [event.id, event.name, event.occurred_at, body])


def connection_for(using: str | None) -> BaseDatabaseWrapper:
    """Return the connection for what belongs to no transaction: to `using`, if there is such a database."""
    return connections[using if using is not None and using in connections else default_alias()]
