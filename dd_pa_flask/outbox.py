"""The outbox of an app. Imported where one is used, as SQLAlchemy is no dependency of ours."""

from __future__ import annotations

from typing import Any

import click
from flask import current_app
from sqlalchemy import Engine, Table

from dd_pa.outbox.sqlalchemy import SqlAlchemyTable
from dd_pa_flask.state import AppState


def current_outbox() -> SqlAlchemyTable:
    """Return the outbox of the current app, for its commands. Raises `ClickException` if there is none."""
    state = AppState.of(current_app)
    if state is None or state.outbox is None:
        raise click.ClickException("the app has no outbox: call analytics.use_outbox(app, db, table)")
    database, table = state.outbox
    return SqlAlchemyTable(_engine(database, table), table)


def _engine(database: Any, table: Table) -> Engine:
    if isinstance(database, Engine):
        return database
    found: Engine = database.engines[table.metadata.info.get("bind_key")]
    return found
