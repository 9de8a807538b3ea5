"""Flask-Security's own forms, on a database: who signs up, comes, goes and fails to come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask_login
import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from flask_security.core import RoleMixin, Security, UserMixin
from flask_security.datastore import SQLAlchemyUserDatastore
from flask_sqlalchemy import SQLAlchemy

from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp, Sent

SESSION = {"Baggage": rum.baggage()}
LINK = {"session": {"id": rum.SESSION}}


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    return config | {
        "DD_PA_AUTH_EVENTS": True,
        "DD_PA_USER_ID": lambda request: getattr(flask_login.current_user, "id", None),
        "SQLALCHEMY_DATABASE_URI": "sqlite://",
        "WTF_CSRF_ENABLED": False,
        "SECURITY_PASSWORD_HASH": "plaintext",
        "SECURITY_PASSWORD_SALT": "salt",
        "SECURITY_PASSWORD_SCHEMES": ["plaintext"],
        "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
        "SECURITY_JOIN_USER_ROLES": False,
        "SECURITY_REGISTERABLE": True,
        "SECURITY_SEND_REGISTER_EMAIL": False,
    }


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    app = make_app()
    db = SQLAlchemy(app)

    class Role(db.Model, RoleMixin):  # type: ignore[name-defined,misc] # made in a function
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String, unique=True)

    class Account(db.Model, UserMixin):  # type: ignore[name-defined,misc] # made in a function
        id = db.Column(db.Integer, primary_key=True)
        email = db.Column(db.String, unique=True)
        password = db.Column(db.String)
        active = db.Column(db.Boolean)
        fs_uniquifier = db.Column(db.String, unique=True)
        roles: list[Any] = []  # noqa: RUF012 - nobody has any

    Security(app, SQLAlchemyUserDatastore(db, Account, Role))
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.drop_all()
        db.engine.dispose()


def test_sign_up_and_its_login_name_the_new_user(client: FlaskClient, sent: Sent) -> None:
    """By the primary key, which the row gets only at the end of the request that makes it."""
    answer = sign_up(client)

    assert answer.status_code == 302
    assert sent() == [
        {"event": {"name": "user.signed_in"}, "usr": {"id": "1"}, **LINK},
        {"event": {"name": "user.signed_up"}, "usr": {"id": "1"}, **LINK},
    ]


def test_sign_up_that_fails_to_be_saved_is_none(app: Flask, client: FlaskClient, sent: Sent) -> None:
    """The row did not come to be, and nobody was let in."""
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.after_request
    def fail(response: Any) -> Any:
        if request.path == "/register":
            raise LookupError
        return response

    assert sign_up(client).status_code == 500
    assert sent() == []


def test_wrong_password_names_no_user(client: FlaskClient, sent: Sent) -> None:
    """The attempt is linked to the browser's session, and says nothing of whom it was tried on."""
    sign_up(client)
    client.post("/logout", headers=SESSION)
    client.post("/login", data={"email": "ada@example.com", "password": "guess"}, headers=SESSION)
    client.post("/login", data={"email": "ada@example.com", "password": "correct horse"}, headers=SESSION)

    events = [event for event in sent() if event["event"]["name"] != "user.signed_up"]
    assert events == [
        {"event": {"name": "user.sign_in_failed"}, **LINK},
        {"event": {"name": "user.signed_in"}, "usr": {"id": "1"}, **LINK},
        {"event": {"name": "user.signed_in"}, "usr": {"id": "1"}, **LINK},
        {"event": {"name": "user.signed_out"}, "usr": {"id": "1"}, **LINK},
    ]


def sign_up(client: FlaskClient) -> Any:
    form = {"email": "ada@example.com", "password": "correct horse", "password_confirm": "correct horse"}
    return client.post("/register", data=form, headers=SESSION)
