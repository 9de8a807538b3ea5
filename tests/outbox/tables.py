"""The outbox as both libraries see it, on each kind of server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import sqlalchemy as sa
from psycopg import IsolationLevel

from dd_pa import BuiltEvent
from dd_pa.outbox import OutboxTable
from dd_pa.outbox.sqlalchemy import SqlAlchemyTable, add, outbox_table
from tests.outbox.databases import KINDS, Database, database, use_pymysql

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.django_app.settings")
use_pymysql()
django.setup()

from django.core.management import call_command  # noqa: E402 - models need django.setup()
from django.db import connections, transaction  # noqa: E402

from dd_pa_django.outbox.table import DjangoTable  # noqa: E402
from dd_pa_django.outbox.writer import insert, write  # noqa: E402

LIBRARIES = ("django", "sqlalchemy")
ALL = [f"{library}-{kind}" for library in LIBRARIES for kind in KINDS]
SERVERS = [name for name in ALL if not name.endswith("sqlite")]

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """One outbox of a test's own."""

    made: Database
    table: Callable[..., OutboxTable]
    """Makes one for a deliverer, in whichever thread; takes its clock."""

    stored: Callable[[], AbstractContextManager[Callable[[Sequence[BuiltEvent]], None]]]
    """Opens a transaction, and gives what inserts events into it."""

    beside: Callable[[], AbstractContextManager[tuple[Callable[[Sequence[BuiltEvent]], None], Callable[[bool], None]]]]
    """The same on another connection; gives what ends the transaction, with a commit or not, too. Not for SQLite."""

    execute: Callable[..., list[tuple[Any, ...]]]
    """Runs a statement, in a transaction of its own, and returns its rows."""


@contextmanager
def outbox(name: str, folder: Path, level: str | None = None) -> Iterator[Outbox]:
    """Make a database with the table that a library's own tools make, and drop it at the end.

    `level`: the isolation of the project's transactions there.
    """
    library, kind = name.split("-")
    make = _of_django if library == "django" else _of_sqlalchemy
    with database(kind, folder) as made, make(made, level) as found:
        yield found


@contextmanager
def _of_django(made: Database, level: str | None) -> Iterator[Outbox]:
    alias = Path(made.name).stem
    given: dict[str, Any] = made.django
    if made.kind == "sqlite":  # one writer after the other, and none that fails because it has read before
        given["OPTIONS"] = {**given["OPTIONS"], "transaction_mode": "IMMEDIATE"}
    if level is not None:
        own = IsolationLevel[level.replace(" ", "_")] if made.kind == "postgresql" else level.lower()
        given["OPTIONS"] = {**given.get("OPTIONS", {}), "isolation_level": own}
    connections.settings[alias] = connections.configure_settings({"default": {}, alias: given})[alias]
    call_command("migrate", "dd_pa", database=alias, verbosity=0)

    @contextmanager
    def stored() -> Iterator[Callable[[Sequence[BuiltEvent]], None]]:
        with transaction.atomic(using=alias):
            yield lambda events: write(events, connections[alias])

    @contextmanager
    def beside() -> Iterator[tuple[Callable[[Sequence[BuiltEvent]], None], Callable[[bool], None]]]:
        connection = connections[alias].copy()
        connection.set_autocommit(False)
        try:
            yield lambda events: insert(events, connection), lambda commits: _end(connection, commits)
        finally:
            connection.close()

    def execute(statement: str) -> list[tuple[Any, ...]]:
        with connections[alias].cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    try:
        yield Outbox(
            made=made,
            table=lambda **options: DjangoTable(alias, **options),
            stored=stored,
            beside=beside,
            execute=execute,
        )
    finally:
        connections[alias].close()
        del connections[alias], connections.settings[alias]


@contextmanager
def _of_sqlalchemy(made: Database, level: str | None) -> Iterator[Outbox]:
    options: Any = {} if level is None else {"isolation_level": level}
    engine, table = sa.create_engine(made.url, **options), outbox_table(metadata := sa.MetaData())
    metadata.create_all(engine)

    @contextmanager
    def stored() -> Iterator[Callable[[Sequence[BuiltEvent]], None]]:
        with engine.begin() as connection:
            yield lambda events: add(connection, events, table)

    @contextmanager
    def beside() -> Iterator[tuple[Callable[[Sequence[BuiltEvent]], None], Callable[[bool], None]]]:
        with engine.connect() as connection:
            yield lambda events: add(connection, events, table), lambda commits: _end(connection, commits)

    def execute(statement: str) -> list[tuple[Any, ...]]:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            found = connection.execute(sa.text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    try:
        yield Outbox(
            made=made,
            table=lambda **options: SqlAlchemyTable(engine, table, **options),
            stored=stored,
            beside=beside,
            execute=execute,
        )
    finally:
        engine.dispose()


def _end(connection: Any, commits: bool) -> None:
    if commits:
        connection.commit()
    else:
        connection.rollback()
