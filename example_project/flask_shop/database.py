"""SQLite, one connection for each request. `with transaction() as db:` writes all or nothing, across workers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app, g

SCHEMA = """
CREATE TABLE IF NOT EXISTS team (
    handle TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    plan TEXT NOT NULL DEFAULT 'bench'
);
CREATE TABLE IF NOT EXISTS person (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    team TEXT NOT NULL REFERENCES team
);
CREATE TABLE IF NOT EXISTS seat (
    id INTEGER PRIMARY KEY,
    team TEXT NOT NULL REFERENCES team,
    label TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS invoice (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    team TEXT NOT NULL REFERENCES team,
    plan TEXT NOT NULL,
    cents INTEGER NOT NULL,
    payment TEXT NOT NULL,
    issued_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT OR IGNORE INTO sqlite_sequence SELECT 'invoice', 2000 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence);
"""


def init_app(app: Flask) -> None:
    """Make the tables, if need be, and close each request's connection after it."""
    with app.app_context():
        connection().executescript(f"PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        close()
    app.teardown_appcontext(close)


def connection() -> sqlite3.Connection:
    """Return the connection of the current app context; each statement outside of `transaction()` stands alone."""
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"], timeout=10, isolation_level=None)
        g.db.row_factory = sqlite3.Row
        g.db.execute("PRAGMA foreign_keys = ON")
    db: sqlite3.Connection = g.db
    return db


def close(error: BaseException | None = None) -> None:
    db = g.pop("db", None)
    if db is not None:
        db.close()


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """Take the write lock at once: two workers that both read first and write then would otherwise both be right."""
    db = connection()
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
