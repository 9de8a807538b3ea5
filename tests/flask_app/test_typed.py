"""Typed events in Flask: tracked, declared on views and signals, and of SQLAlchemy's models."""

from __future__ import annotations

from typing import Any

import pytest
from blinker import Signal
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from msgspec import Struct

from dd_pa import Event
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import Sent


class TicketInfo(Struct):
    id: int
    seat: str


class TicketSold(Event, name="typed.ticket_sold"):
    ticket: TicketInfo
    price: int = 5


class SeatChanged(Event, name="typed.seat_changed"):
    seat: str
    changed: dict[str, dict[str, str]]


class PageViewed(Event, name="typed.page_viewed"):
    number: int = 1


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    return config | {"DD_PA_USER_ID": lambda request: "u-1", "SQLALCHEMY_DATABASE_URI": "sqlite://"}


def named(sent: Sent) -> list[tuple[str, dict[str, Any]]]:
    return [
        (event["event"]["name"], {key: value for key, value in event.items() if key not in ("event", "usr")})
        for event in sent()
    ]


def test_views_and_signals(app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent) -> None:
    """`track`, `@tracked` and `connect` take classes or instances."""
    opened = Signal()
    connection = analytics.connect(opened, PageViewed, lambda sender, number: {"number": number})

    @app.get("/")
    @analytics.tracked(PageViewed, lambda request, response: PageViewed(number=response.status_code))
    def page() -> str:
        opened.send(app, number=7)
        analytics.track(PageViewed(number=8))
        return "page"

    client.get("/")
    connection.disconnect()

    assert sorted(said["number"] for _, said in named(sent)) == [7, 8, 200]


def test_models(app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent) -> None:
    """Fields are taken from attributes of the same name, properties as well as columns."""
    db = SQLAlchemy()
    db.init_app(app)

    @analytics.track_model(created=TicketSold, updated={"seat": SeatChanged})
    class Ticket(db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
        id = db.Column(db.Integer, primary_key=True)
        seat = db.Column(db.String)

        @property
        def price(self) -> int:
            return 12

    @app.post("/")
    def buy() -> str:
        db.create_all()
        ticket = Ticket(seat="A1")
        db.session.add(ticket)
        db.session.commit()
        ticket.seat = "B2"
        db.session.commit()
        return "bought"

    assert client.post("/").status_code == 200

    assert named(sent) == [
        ("typed.seat_changed", {"seat": "B2", "changed": {"seat": {"new": "B2"}}}),
        ("typed.ticket_sold", {"ticket": {"id": 1, "seat": "A1"}, "price": 12}),
    ]
    with app.app_context():
        db.engine.dispose()


def test_a_model_without_a_field(analytics: ProductAnalytics) -> None:
    """It is said where it is declared, when the mapping is known."""
    db = SQLAlchemy()

    class Bare(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)

    with pytest.raises(ValueError, match=r"bare has no 'seat' for SeatChanged\.seat: give it a default"):
        analytics.track_model(Bare, created=SeatChanged)
