"""Flask-SQLAlchemy's sessions keep events in the transaction of the data, and a command delivers them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, select, update

from dd_pa import BuiltEvent
from dd_pa.emulator import Emulator
from dd_pa.observe.signals import event_delivered
from dd_pa.outbox.sqlalchemy import outbox_table
from dd_pa_flask import ProductAnalytics
from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp, state_of

db = SQLAlchemy()
outbox = outbox_table(db.metadata)
declared = ProductAnalytics()


@declared.track_model(created="order.placed", attributes=["total"])
class OutboxOrder(db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
    id = db.Column(db.Integer, primary_key=True)
    total = db.Column(db.Integer, default=0)


@pytest.fixture
def config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    return config | {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/shop.sqlite3"}


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    app = make_app()
    db.init_app(app)
    declared.use_outbox(app, db, outbox)

    @app.post("/orders/<fate>")
    def place(fate: str) -> str:
        db.session.add(OutboxOrder(total=3))
        declared.track("checkout.completed", usr="u-1", on_commit=db.session)
        getattr(db.session, fate)()
        return "done"

    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()


def stored(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(outbox.c.name).order_by(outbox.c.id)))


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    ran = app.test_cli_runner().invoke(args=["dd-pa", *arguments])
    return ran.exit_code, ran.output


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        pytest.param("commit", ["checkout.completed", "order.placed"], id="committed"),
        pytest.param("rollback", [], id="rolled back"),
    ],
)
def test_events_share_the_fate_of_the_data(
    app: Flask, client: FlaskClient, emulator: Emulator, fate: str, expected: list[str]
) -> None:
    """Those of models and of `track`; nothing is sent before the deliverer comes, and nothing is left after it."""
    client.post(f"/orders/{fate}", headers={"Baggage": rum.baggage()})
    before = sorted(stored(app)), emulator.events
    code, said = run(app, "deliver", "--once")

    assert before == (expected, [])
    assert (code, stored(app)) == (0, [])
    assert sorted(event["event"]["name"] for event in emulator.events) == expected
    assert f"{len(expected)} events delivered, 0 rejected" in said


def test_event_without_a_transaction_has_one_of_its_own(app: Flask) -> None:
    """It is stored, whatever becomes of the session."""
    with app.app_context():
        declared.track("report.viewed", usr="u-1", on_commit=db.session)
        db.session.rollback()

    assert stored(app) == ["report.viewed"]


def test_signals_of_the_deliverer_name_the_emitter(app: Flask, client: FlaskClient) -> None:
    """Receivers that listen to one app hear of its outbox too."""
    heard: list[str] = []

    def note(sender: object, event: BuiltEvent) -> None:
        heard.append(event.name)

    with app.app_context():
        declared.track("report.viewed", usr="u-1", on_commit=db.session)
    with event_delivered.connected_to(note, sender=state_of(app).emitter):
        run(app, "deliver", "--once")

    assert heard == ["report.viewed"]


def test_dead_letters_are_kept_and_pruned(app: Flask, emulator: Emulator) -> None:
    """By their age."""
    emulator.fail(status=400)
    with app.app_context():
        declared.track("report.viewed", usr="u-1", on_commit=db.session)
    run(app, "deliver", "--once")
    kept = run(app, "prune")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(outbox).values(rejected_at=int((time.time() - 40 * 86400) * 1000)))
    pruned = run(app, "prune")

    assert (kept, pruned) == ((0, "0 rejected events deleted\n"), (0, "1 rejected events deleted\n"))
    assert stored(app) == []


def test_refused_key_is_a_failure(app: Flask, emulator: Emulator) -> None:
    """The event waits for another time."""
    emulator.fail(status=403)
    with app.app_context():
        declared.track("report.viewed", usr="u-1", on_commit=db.session)
    code, said = run(app, "deliver", "--once")

    assert code == 1
    assert "events are left in the outbox" in said
    assert stored(app) == ["report.viewed"]


def test_an_engine_will_do(make_app: MakeApp, tmp_path: Path) -> None:
    """Without Flask-SQLAlchemy."""
    app = make_app()
    engine = create_engine(f"sqlite:///{tmp_path}/plain.sqlite3")
    outbox.metadata.create_all(engine, [outbox])
    declared.use_outbox(app, engine, outbox)
    code, said = run(app, "deliver", "--once")
    engine.dispose()

    assert code == 0, said


@pytest.mark.parametrize("command", ["deliver", "prune"])
def test_app_without_an_outbox_is_told(make_app: MakeApp, command: str) -> None:
    """With the call that it lacks."""
    assert run(make_app(), command) == (1, "Error: the app has no outbox: call analytics.use_outbox(app, db, table)\n")


def test_doctor_and_stats_look_into_it(app: Flask, emulator: Emulator) -> None:
    """A row that nobody takes, and a table that is not there, keep events from arriving."""
    good = run(app, "doctor")
    with app.app_context():
        declared.track("report.viewed", usr="u-1", on_commit=db.session)
    stats = json.loads(run(app, "stats", "--json")[1])["outbox"]
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(outbox).values(occurred_at=1))
    stuck = run(app, "doctor")
    with app.app_context():
        outbox.drop(db.engine)
    missing = run(app, "doctor")

    assert (good[0], stuck[0], missing[0]) == (0, 1, 1)
    assert "outbox         table dd_pa_outbox: 0 wait, 0 on their way" in good[1]
    assert stats.pop("oldest_pending_age") < 60
    assert stats == {"waiting": 1, "claimed": 0, "rejected": 0}
    assert "an event waits since" in stuck[1]
    assert "there is no table" in missing[1]
    assert "flask db upgrade" in missing[1]
