"""Databases of one test run: SQLite in a file, and its own on this machine's PostgreSQL and MariaDB."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateSchema, DropSchema

MARIADB = "mysql+pymysql://root@127.0.0.1/"
POSTGRES = "postgresql+psycopg://postgres@127.0.0.1/postgres"


def sqlite(path: Path) -> Engine:
    """Return an engine whose driver begins transactions as SQLAlchemy says: left alone, it begins them too late."""
    engine = create_engine(f"sqlite:///{path}")
    begin_as_told(engine)
    return engine


def begin_as_told(engine: Engine, statement: str = "BEGIN") -> None:
    """Follow SQLAlchemy's own advice for savepoints on SQLite."""

    @event.listens_for(engine, "connect")
    def leave_it_to_sqlalchemy(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


@asynccontextmanager
async def opened(engine: Engine) -> AsyncIterator[AsyncEngine]:
    """The same database, asked by an asynchronous driver."""
    url = make_url(engine.url)
    if engine.dialect.name == "sqlite":
        url = url.set(drivername="sqlite+aiosqlite")
    found = create_async_engine(url)
    if engine.dialect.name == "sqlite":
        begin_as_told(found.sync_engine)
    try:
        yield found
    finally:
        await found.dispose()


@contextmanager
def mariadb_database() -> Iterator[str]:
    """Make a database, and yield its address. Skips where there is no MariaDB."""
    name = f"dd_pa_{uuid.uuid4().hex[:12]}"
    admin = create_engine(MARIADB, connect_args={"connect_timeout": 3})
    try:
        with admin.begin() as connection:
            connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    except OperationalError as error:
        admin.dispose()
        pytest.skip(f"no MariaDB on 127.0.0.1:3306: {error}")
    try:
        yield f"{MARIADB}{name}"
    finally:
        with admin.begin() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        admin.dispose()


@contextmanager
def postgres_schema() -> Iterator[str]:
    """Make a schema, and yield the address of a database that knows no other. Skips where there is no PostgreSQL."""
    schema = f"dd_pa_flask_{uuid.uuid4().hex[:12]}"
    admin = create_engine(POSTGRES, connect_args={"connect_timeout": 3})
    try:
        with admin.begin() as connection:
            connection.execute(CreateSchema(schema))
    except OperationalError as error:
        admin.dispose()
        pytest.skip(f"no PostgreSQL on 127.0.0.1:5432: {error}")
    try:
        yield f"{POSTGRES}?options=-csearch_path%3D{schema}"
    finally:
        with admin.begin() as connection:
            connection.execute(text("SET lock_timeout = '10s'"))
            connection.execute(DropSchema(schema, cascade=True))
        admin.dispose()
