"""Threads of visitors who order, hesitate and fail at the same time: what was sent is what is in the tables."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import flask_login
import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, delivered
from tests.sqlalchemy_models.databases import begin_as_told, postgres_schema

VISITORS = 6
ORDERS = 15

db = SQLAlchemy()
declared = ProductAnalytics()


class Shopper(flask_login.UserMixin, db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
    id = db.Column(db.Integer, primary_key=True)


@declared.track_model(
    created="purchase.made", updated={"state": "purchase.moved"}, deleted="purchase.undone", attributes=["number"]
)
class Purchase(db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
    id = db.Column(db.Integer, primary_key=True)
    shopper_id = db.Column(db.Integer)
    number = db.Column(db.Integer, unique=True)
    state = db.Column(db.String(20), default="new")


class Journal(db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
    """What happened to purchases, written beside them by the view: what the events must agree with."""

    id = db.Column(db.Integer, primary_key=True)
    shopper_id = db.Column(db.Integer)
    name = db.Column(db.String(40))
    number = db.Column(db.Integer)


class ChangeOfMindError(Exception):
    """A visitor leaves the checkout."""


def note(name: str, number: int) -> None:
    db.session.add(Journal(shopper_id=flask_login.current_user.id, name=name, number=number))
    db.session.flush()


def buy(number: int) -> Purchase:
    purchase = Purchase(shopper_id=flask_login.current_user.id, number=number)
    db.session.add(purchase)
    note("purchase.made", number)
    return purchase


def move(purchase: Purchase, state: str) -> None:
    purchase.state = state
    note("purchase.moved", purchase.number)


def shop(app: Flask) -> Flask:
    db.init_app(app)
    flask_login.LoginManager(app).user_loader(lambda user_id: db.session.get(Shopper, int(user_id)))

    @app.post("/sign-in/<int:number>")
    def sign_in(number: int) -> str:
        flask_login.login_user(db.session.get(Shopper, number))
        return "welcome"

    @app.post("/buy/<int:number>")
    def place(number: int) -> str:
        """Make a purchase and others beside it, in savepoints and transactions with ends of all kinds."""
        chance = random.Random(number)  # the same in each run
        purchase = buy(number)
        if chance.random() < 0.5:
            move(purchase, "paid")
        with suppress(ChangeOfMindError), db.session.begin_nested():
            move(purchase, "gift")
            buy(number + 1)
            with suppress(IntegrityError), db.session.begin_nested():
                buy(number)  # there is one
            if chance.random() < 0.5:
                raise ChangeOfMindError
        ends = {"commit": db.session.commit, "rollback": db.session.rollback, "leave": db.session.close}
        ends[chance.choice(list(ends))]()
        if "late" in request.args and (found := db.session.scalar(select(Purchase).filter_by(number=number))):
            db.session.delete(found)
            note("purchase.undone", number)
            db.session.commit()
        return "ok"

    return app


@pytest.fixture(params=["postgresql", "sqlite"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/storm.db?timeout=60"
        return
    with postgres_schema() as url:
        yield url


@pytest.fixture
def app(make_app: MakeApp, address: str) -> Iterator[Flask]:
    app = shop(make_app(SQLALCHEMY_DATABASE_URI=address, DD_PA_SHUTDOWN_TIMEOUT=30))
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            begin_as_told(db.engine, "BEGIN IMMEDIATE")
        db.create_all()
        db.session.add_all([Shopper(id=number) for number in range(1, VISITORS + 1)])
        db.session.commit()
    yield app
    with app.app_context():
        db.engine.dispose()


def test_events_agree_with_the_tables(app: Flask, emulator: Emulator) -> None:
    """As many events as rows, of the same purchases, each by the visitor who was logged in."""

    def visit(visitor: int) -> None:
        client: FlaskClient = app.test_client()
        client.post(f"/sign-in/{visitor}")
        for order in range(ORDERS):
            number = visitor * 1000 + order * 2
            assert client.post(f"/buy/{number}{'?late=1' if order % 3 == 0 else ''}").text == "ok"

    with ThreadPoolExecutor(VISITORS) as pool:
        list(pool.map(visit, range(1, VISITORS + 1)))

    with app.app_context():
        rows = db.session.execute(select(Journal.name, Journal.number, Journal.shopper_id))
        written = Counter(tuple(row) for row in rows)
        kept = set(db.session.scalars(select(Purchase.number)))
    sent = Counter(_line(event) for event in delivered(app, emulator, patience=60))
    assert sent == written
    made, undone = ({number for name, number, _ in sent if name == f"purchase.{end}"} for end in ("made", "undone"))
    assert made - undone == kept
    assert len(kept) > VISITORS * 2
    assert undone


def _line(event: dict[str, Any]) -> tuple[str, int, int]:
    return event["event"]["name"], event["purchase"]["number"], int(event["usr"]["id"])
