"""A Django project for one database, set up in this process."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

_SERVER = {"HOST": "127.0.0.1", "USER": "postgres"}


@contextmanager
def project(kind: str, directory: str, *, outbox: bool) -> Iterator[None]:
    """Set Django up once, with the tables of all libraries; nothing is delivered by this process."""
    os.environ["DD_PA_TEST_RUN"] = "0"
    logging.getLogger("dd_pa").setLevel(logging.CRITICAL)
    if kind == "SQLite":
        _set_up({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, directory, outbox, ())
        yield
        return
    name = f"dd_pa_bench_{os.getpid()}"
    with psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            of_triggers = ("pgtrigger", "pghistory")
            _set_up({"ENGINE": "django.db.backends.postgresql", "NAME": name} | _SERVER, directory, outbox, of_triggers)
            yield
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _set_up(database: dict[str, Any], directory: str, outbox: bool, apps: tuple[str, ...]) -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command

    own = ("dd_pa_django", "auditlog", "simple_history", *apps, "benchmarks.rows")
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", *own],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="bench",
        USE_TZ=True,
        DD_PA={
            "APPLICATION_ID": "bench",
            "API_KEY": "bench",
            "INTAKE_URL": "http://127.0.0.1:9",
            "SPOOL_DIR": f"{directory}/spool",
            "DELIVERY": "process",
            "OUTBOX": outbox,
        },
    )
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("migrate", run_syncdb=True, verbosity=0)  # ours, whose tables point to those
