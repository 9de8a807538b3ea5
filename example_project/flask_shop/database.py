"""Flask-SQLAlchemy on SQLite, and the outbox: a table beside those of the shop."""

from __future__ import annotations

from typing import Any

from flask import Flask, has_request_context, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, event
from sqlalchemy.orm import DeclarativeBase

from dd_pa.outbox.sqlalchemy import outbox_table


class Base(DeclarativeBase):
    """Of all tables."""


db = SQLAlchemy(model_class=Base)
outbox = outbox_table(Base.metadata)


def init_app(app: Flask) -> None:
    """Make the tables, if need be; each request's session is closed after it."""
    db.init_app(app)
    with app.app_context():
        event.listen(db.engine, "connect", connected)
        event.listen(db.engine, "begin", begins)
        with db.engine.begin() as connection:  # workers that start together wait for each other here
            Base.metadata.create_all(connection)


def connected(connection: Any, record: object) -> None:
    """Take the transactions away from the driver, which begins them too late."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def begins(connection: Connection) -> None:
    """Take the write lock at once: two workers that both read first and write then would otherwise both be right."""
    only_reads = has_request_context() and request.method in ("GET", "HEAD")
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
