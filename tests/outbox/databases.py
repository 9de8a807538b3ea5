"""Databases of a test's own on this machine's servers, made and dropped with it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

KINDS = ("postgresql", "mariadb", "sqlite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An empty database."""

    kind: str
    name: str

    @property
    def django(self) -> dict[str, Any]:
        """What DATABASES says of it."""
        match self.kind:
            case "postgresql":
                return {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "USER": "postgres"} | self._name
            case "mariadb":
                options = {"charset": "utf8mb4"}
                own = {"ENGINE": "django.db.backends.mysql", "HOST": "127.0.0.1", "USER": "root", "OPTIONS": options}
                return own | self._name
        return {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"timeout": 30}} | self._name

    @property
    def _name(self) -> dict[str, str]:
        return {"NAME": self.name}

    @property
    def url(self) -> str:
        """What SQLAlchemy calls it."""
        match self.kind:
            case "postgresql":
                return f"postgresql+psycopg://postgres@127.0.0.1/{self.name}"
            case "mariadb":
                return f"mariadb+pymysql://root@127.0.0.1/{self.name}?charset=utf8mb4"
        return f"sqlite:///{self.name}"


def use_pymysql() -> None:
    """Let Django's MySQL backend, which asks for another driver, use the one in Python."""
    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Database]:
    """Make a database, and drop it at the end; skip the test where there is no server."""
    name = f"dd_pa_outbox_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    match kind:
        case "postgresql":
            yield from _made(kind, name, _postgresql, f'DROP DATABASE "{name}" WITH (FORCE)')
        case "mariadb":
            yield from _made(kind, name, _mariadb, f"DROP DATABASE {name}")
        case _:
            yield Database(kind="sqlite", name=str(folder / f"{name}.sqlite3"))


def _made(kind: str, name: str, run: Any, drop: str) -> Iterator[Database]:
    try:
        run(f"CREATE DATABASE {name}")
    except (psycopg.OperationalError, pymysql.err.OperationalError) as error:
        pytest.skip(f"no {kind} on 127.0.0.1: {error}")
    try:
        yield Database(kind=kind, name=name)
    finally:
        run(drop)


def _postgresql(statement: str) -> None:
    with psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", autocommit=True, connect_timeout=5) as server:
        server.execute(statement.encode())


def _mariadb(statement: str) -> None:
    with pymysql.connect(host="127.0.0.1", user="root", connect_timeout=5) as server, server.cursor() as cursor:
        cursor.execute(statement)
