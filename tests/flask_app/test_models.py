"""Flask-SQLAlchemy's sessions and models, in requests with Flask-Login's user."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import flask_login
import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dd_pa import Event
from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from dd_pa_flask.models import find_state
from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp, Sent, delivered, state_of

db = SQLAlchemy()
declared = ProductAnalytics()  # as a module of models has it: no app is known yet


class User(flask_login.UserMixin, db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
    id = db.Column(db.Integer, primary_key=True)


@declared.track_model(
    created="order.placed", updated={"state": "order.state_changed"}, deleted="order.removed", attributes=["total"]
)
class Order(db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
    id = db.Column(db.Integer, primary_key=True)
    state = db.Column(db.String, default="new")
    total = db.Column(db.Integer, default=0)


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    return config | {"SQLALCHEMY_DATABASE_URI": "sqlite://"}


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    app = shop(make_app())
    with app.app_context():
        db.create_all()
        db.session.add(User(id=7))
        db.session.commit()
    yield app
    with app.app_context():
        db.engine.dispose()


def shop(app: Flask) -> Flask:
    db.init_app(app)
    flask_login.LoginManager(app).user_loader(lambda user_id: db.session.get(User, int(user_id)))

    @app.post("/sign-in")
    def sign_in() -> str:
        flask_login.login_user(db.session.get(User, 7))
        return "welcome"

    @app.get("/")
    def front() -> str:
        return str(db.session.query(Order).count())

    @app.post("/orders")
    def place() -> dict[str, Any]:
        order = Order(total=request.json["total"])
        db.session.add(order)
        db.session.commit()
        order.state = "paid"
        db.session.flush()
        db.session.rollback()
        return {"state": order.state}

    @app.post("/checkout")
    def checkout() -> str:
        declared.track("checkout.begun", on_commit=db.session)
        db.session.add(Order(total=1))
        declared.track("checkout.completed", on_commit=db.session)
        if "fail" in request.args:
            db.session.rollback()
        db.session.commit()
        return "ok"

    return app


def test_events_of_a_request_name_its_user(client: FlaskClient, sent: Sent) -> None:
    """The user is loaded for the event alone, in the middle of the session's work, and nothing else changes."""
    client.post("/sign-in")
    answer = client.post("/orders", json={"total": 3}, headers={"Baggage": rum.baggage()})

    assert answer.get_json() == {"state": "new"}
    assert sent() == [
        {
            "event": {"name": "order.placed"},
            "usr": {"id": "7"},
            "session": {"id": rum.SESSION},
            "order": {"total": 3},
        }
    ]


def test_request_without_an_event_asks_nothing(app: Flask, client: FlaskClient) -> None:
    """Not for the user either: the statements and headers are those of an app without analytics."""
    asked: list[str] = []
    client.post("/sign-in")
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    bare = Flask("bare")
    bare.config.update(SECRET_KEY=app.secret_key, SQLALCHEMY_DATABASE_URI="sqlite://")
    shop(bare)
    with bare.app_context():
        db.create_all()
    cookies = {"Cookie": f"session={client.get_cookie('session').value}"}  # type: ignore[union-attr] # it has signed in

    answer, other = (one.test_client(use_cookies=False).get("/", headers=cookies) for one in (app, bare))

    assert len(asked) == 1
    assert list(answer.headers) == list(other.headers)
    with bare.app_context():
        db.engine.dispose()


def test_tracked_on_commit(client: FlaskClient, sent: Sent) -> None:
    """An event of the view's own can wait for the session, from before that has begun its transaction."""
    headers = {"Baggage": rum.baggage()}
    client.post("/checkout", headers=headers)
    client.post("/checkout?fail=1", headers=headers)

    assert [item["event"]["name"] for item in sent()] == [
        "checkout.begun",
        "checkout.completed",
        "order.placed",
    ]


def test_event_belongs_to_the_current_app(
    app: Flask, make_app: MakeApp, emulator: Emulator, config: dict[str, Any]
) -> None:
    """Two apps with the same models keep their events apart."""
    other = shop(make_app(DD_PA_SERVICE="other", DD_PA_USER_ID=lambda request: "u-2"))
    with other.app_context():
        db.create_all()

    other.test_client().post("/orders", json={"total": 5})

    assert delivered(other, emulator) == [
        {"event": {"name": "order.placed"}, "usr": {"id": "u-2"}, "service": "other", "order": {"total": 5}}
    ]
    assert state_of(app).emitter.stats().queued == 0
    with other.app_context():
        db.engine.dispose()


def test_app_without_setup_is_left_alone() -> None:
    """Models with events work in an app that has no analytics."""
    bare = Flask("bare")
    bare.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://")
    shop(bare)
    with bare.app_context():
        db.create_all()

    assert bare.test_client().post("/orders", json={"total": 5}).get_json() == {"state": "new"}
    with bare.app_context():
        db.engine.dispose()


def test_plain_sqlalchemy_outside_of_an_app_is_said_once(
    analytics: ProductAnalytics, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Flask-SQLAlchemy a row can be written where no app is known."""
    monkeypatch.setattr(find_state, "_has_complained", False)  # another test may have heard it

    class Base(DeclarativeBase):
        pass

    @analytics.track_model(created="note.written")
    class Note(Base):
        __tablename__ = "notes"

        id: Mapped[int] = mapped_column(primary_key=True)

    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with caplog.at_level(logging.WARNING, "dd_pa"), Session(engine) as session:
        for _ in range(2):
            session.add(Note())
            session.commit()
        assert session.scalar(text("SELECT count(*) FROM notes")) == 2
    engine.dispose()

    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "a row of a tracked model was written outside of an app context"
    ]


def test_user_of_an_event_costs_the_view_no_query(app: Flask, client: FlaskClient) -> None:
    """The view loads its own user after an event has looked, but finds the row in the session."""
    statements: list[str] = []

    @app.get("/me")
    def me() -> str:
        declared.track("page.opened")
        return str(flask_login.current_user.get_id())

    client.post("/sign-in")
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    assert client.get("/me").text == "7"
    assert len(statements) == 1


def test_declared_events_are_listed(app: Flask) -> None:
    """By `flask dd-pa events`: their names, the model, and what brings them about."""
    listed = app.test_cli_runner().invoke(args=["dd-pa", "events"])
    lines = [line.split() for line in listed.output.splitlines()]

    assert ["order.placed", "Order", "created"] in lines
    assert ["order.state_changed", "Order", "state"] in lines


class Listed(Event, name="test.listed_by_flask"):
    """Said in the catalogue."""


def test_documents_of_the_plan(app: Flask) -> None:
    """`flask dd-pa events catalogue` and `export` write what the app has imported."""
    run = app.test_cli_runner().invoke

    assert "| `test.listed_by_flask` | Said in the catalogue. |" in run(args=["dd-pa", "events", "catalogue"]).output
    assert "test.listed_by_flask" in json.loads(run(args=["dd-pa", "events", "export"]).output)["$defs"]
