"""How Django's `track()` writes into the outbox of each kind of database, and what it makes of its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pymysql
import pytest

from tests.outbox.databases import KINDS
from tests.outbox.tables import outbox

from django.db import DatabaseError, connections, transaction  # isort: skip - needs what `tables` sets up
from django.db.models import Model
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from dd_pa import identify
from dd_pa_django import get_emitter, track
from dd_pa_django.handover import event_batch
from dd_pa_django.outbox import writer
from tests.django_app.orders.models import Coupon

SETTINGS = {
    "APPLICATION_ID": "shop",
    "API_KEY": "k",
    "INTAKE_URL": "http://127.0.0.1:9",
    "OUTBOX": True,
    "STRICT": False,
    "SPOOL_DIR": None,
    "SHUTDOWN_TIMEOUT": 0,
}


@pytest.fixture(params=KINDS)
def alias(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that has the outbox, and a table of the project's."""
    with outbox(f"django-{request.param}", tmp_path) as made, override_settings(DD_PA=SETTINGS), identify(usr="u-1"):
        alias = Path(made.made.name).stem
        made.execute("CREATE TABLE data (id integer PRIMARY KEY)")
        yield alias
        writer._ask_again_at.clear()


def run(alias: str, statement: str) -> list[tuple[object, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def count(alias: str, table: str) -> int:
    [[found]] = run(alias, f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(str(found))


def place(alias: str, number: int) -> None:
    """Commit a row with its event."""
    with transaction.atomic(using=alias):
        run(alias, f"INSERT INTO data VALUES ({number})")  # noqa: S608
        track("order.placed", using=alias)


def test_the_first_event_costs_one_query_too(alias: str) -> None:
    """Whichever of a project's tests comes first."""
    found = []
    for _ in range(2):
        with transaction.atomic(using=alias), CaptureQueriesContext(connections[alias]) as queries:
            track("order.placed", using=alias)
        found.append(len(queries))

    assert found == [1, 1]
    assert count(alias, "dd_pa_outbox") == 2


def test_a_missing_table_spoils_nothing(alias: str, caplog: pytest.LogCaptureFixture) -> None:
    """The data is committed, and the event leaves with it; before the first insert and after others."""
    run(alias, "ALTER TABLE dd_pa_outbox RENAME TO elsewhere")
    place(alias, 1)
    missed = get_emitter().stats().pending
    run(alias, "ALTER TABLE elsewhere RENAME TO dd_pa_outbox")
    writer._ask_again_at.clear()
    place(alias, 2)

    assert (missed, count(alias, "data"), count(alias, "dd_pa_outbox")) == (1, 2, 1)
    assert f"no table dd_pa_outbox in the database '{alias}'" in caplog.text


def test_an_error_that_is_no_missing_table_rolls_back(alias: str) -> None:
    """A trigger of ours that writes into a table that is missing, a column that is: nothing is committed without."""
    run(alias, "ALTER TABLE dd_pa_outbox RENAME COLUMN body TO content")
    with pytest.raises(DatabaseError):
        place(alias, 1)
    run(alias, "ALTER TABLE dd_pa_outbox RENAME COLUMN content TO body")
    body = "INSERT INTO no_such_table VALUES (1)"
    match connections[alias].vendor:
        case "postgresql":
            run(alias, f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$")
            run(alias, "CREATE TRIGGER t BEFORE INSERT ON dd_pa_outbox FOR EACH ROW EXECUTE FUNCTION f()")
        case "mysql":
            run(alias, f"CREATE TRIGGER t BEFORE INSERT ON dd_pa_outbox FOR EACH ROW {body}")
        case _:
            run(alias, f"CREATE TRIGGER t BEFORE INSERT ON dd_pa_outbox BEGIN {body}; END")
    with pytest.raises(DatabaseError):
        place(alias, 2)
    run(alias, "DROP TRIGGER t ON dd_pa_outbox" if connections[alias].vendor == "postgresql" else "DROP TRIGGER t")
    place(alias, 3)

    assert (count(alias, "data"), count(alias, "dd_pa_outbox")) == (1, 1)
    assert get_emitter().stats().pending == 0


@pytest.mark.parametrize("alias", ["postgresql", "mariadb"], indirect=True)
def test_a_lock_is_no_missing_table(alias: str) -> None:
    """At the first insert of a process, too: what cannot be stored now is not committed, and what comes next is."""
    if connections[alias].vendor == "postgresql":
        name = connections[alias].settings_dict["NAME"]
        other = psycopg.connect(f"host=127.0.0.1 user=postgres dbname={name}")
        other.execute("LOCK TABLE dd_pa_outbox IN SHARE MODE")
        run(alias, "SET lock_timeout = '200ms'")
    else:
        other = pymysql.connect(host="127.0.0.1", user="root", database=connections[alias].settings_dict["NAME"])
        other.cursor().execute("LOCK TABLES dd_pa_outbox READ")
        run(alias, "SET SESSION lock_wait_timeout = 1")
    with pytest.raises(DatabaseError):
        place(alias, 1)
    other.close()
    for number in (2, 3):
        place(alias, number)

    assert (count(alias, "data"), count(alias, "dd_pa_outbox"), get_emitter().stats().pending) == (2, 2, 0)


class Apart:
    """Routers keep the outbox in one database."""

    def __init__(self, home: str) -> None:
        self.home = home

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool | None:
        return db == self.home if app_label == "dd_pa" else None

    def db_for_write(self, model: type[Model], **hints: object) -> str | None:
        return self.home if model._meta.app_label == "dd_pa" else None


@pytest.fixture
def home(tmp_path: Path) -> Iterator[str]:
    """The database of the outbox."""
    with outbox("django-sqlite", tmp_path) as made:
        home = Path(made.made.name).stem
        with override_settings(DATABASE_ROUTERS=[Apart(home)], DD_PA={**SETTINGS, "STRICT": True}):
            yield home


def test_a_database_that_may_have_no_outbox_uses_the_other(alias: str, home: str) -> None:
    """When it has committed, and strict mode is content; a rollback takes the event away."""
    with suppress(ZeroDivisionError), transaction.atomic(using=alias):
        track("order.refused", using=alias)
        raise ZeroDivisionError
    with transaction.atomic(using=alias):
        track("order.placed", using=alias)
        during = count(home, "dd_pa_outbox")

    assert (during, count(home, "dd_pa_outbox"), count(alias, "dd_pa_outbox")) == (0, 1, 0)


def test_the_other_outbox_takes_no_foreign_event_into_a_transaction(alias: str, home: str) -> None:
    """Which may be rolled back, while what the event tells of is committed."""
    with transaction.atomic(using=home):
        with transaction.atomic(using=alias):
            track("order.placed", using=alias)
        transaction.set_rollback(True, using=home)

    assert (count(home, "dd_pa_outbox"), get_emitter().stats().pending) == (0, 1)


def test_bulk_work_inserts_in_bulk(alias: str) -> None:
    """Many rows' events by few statements; what a savepoint within it takes away is gone."""
    with connections[alias].schema_editor() as editor:
        editor.create_model(Coupon)
    coupons = [Coupon(code=f"c{number}") for number in range(1000)]
    with CaptureQueriesContext(connections[alias]) as queries:
        Coupon.objects.using(alias).bulk_create(coupons)
    inserts = [query["sql"] for query in queries if query["sql"].startswith("INSERT INTO dd_pa_outbox")]
    with transaction.atomic(using=alias), event_batch(alias):
        track("order.placed", using=alias)
        with suppress(ZeroDivisionError), transaction.atomic(using=alias):
            track("order.refused", using=alias)
            raise ZeroDivisionError
        before = count(alias, "dd_pa_outbox")

    assert (before, count(alias, "dd_pa_outbox")) == (1000, 1001)
    assert 0 < len(inserts) <= {"postgresql": 1, "sqlite": 5}.get(connections[alias].vendor, 2)
