"""The tables of the orders in a database of their own on each kind of server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connections

from tests.outbox.databases import KINDS, database, use_pymysql

__all__ = ["KINDS", "alias_of"]

use_pymysql()


@contextmanager
def alias_of(kind: str, folder: Path, app: str = "orders") -> Iterator[str]:
    """Make a database with an app's tables, and yield its alias. Skips the test where there is no server."""
    with database(kind, folder) as made:
        given: dict[str, Any] = made.django
        if kind == "sqlite":  # one writer after the other, and none that fails because it has read before
            given["OPTIONS"] = {**given["OPTIONS"], "transaction_mode": "IMMEDIATE"}
        alias = Path(made.name).stem
        connections.settings[alias] = connections.configure_settings({"default": {}, alias: given})[alias]
        with connections[alias].schema_editor() as editor:
            for model in apps.get_app_config(app).get_models():
                if not model._meta.proxy:
                    editor.create_model(model)
        yield alias
        connections[alias].close()
        del connections[alias], connections.settings[alias]
