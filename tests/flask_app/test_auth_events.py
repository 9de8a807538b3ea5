from __future__ import annotations

import sys
from typing import Any

import flask_login
import pytest
from flask import Flask, redirect
from flask.testing import FlaskClient

from dd_pa import SettingsError, identify
from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp, Sent, delivered, state_of

SESSION = {"Baggage": rum.baggage()}
LINK = {"session": {"id": rum.SESSION}}


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    return config | {"DD_PA_AUTH_EVENTS": True}


class User(flask_login.UserMixin):  # type: ignore[misc] # Flask-Login has no types
    def __init__(self, number: int) -> None:
        self.id = number
        self.email = "ada@example.com"


def with_login(app: Flask) -> Flask:
    flask_login.LoginManager(app).user_loader(lambda user_id: User(int(user_id)))

    @app.post("/sign-in/<int:number>")
    def sign_in(number: int) -> Any:
        flask_login.login_user(User(number), remember=True)
        return redirect("/")

    @app.post("/sign-out")
    def sign_out() -> str:
        flask_login.logout_user()
        return "bye"

    return app


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return with_login(make_app())


def test_sign_in_and_out_name_the_user(client: FlaskClient, sent: Sent) -> None:
    """One event each: the user who came, and the user who has left by the time the answer is written."""
    client.post("/sign-in/7", headers=SESSION)
    client.post("/sign-out", headers=SESSION)

    assert sent() == [
        {"event": {"name": "user.signed_in"}, "usr": {"id": "7"}, **LINK},
        {"event": {"name": "user.signed_out"}, "usr": {"id": "7"}, **LINK},
    ]


def test_sign_in_as_another_names_the_new_user(client: FlaskClient, sent: Sent) -> None:
    """Who was logged in before, or is named by a block around it, is not who signs in."""
    client.post("/sign-in/7")
    with identify(usr="block"):
        client.post("/sign-in/8")

    assert sorted(event["usr"]["id"] for event in sent()) == ["7", "8"]


def test_signing_out_as_nobody_is_no_event(app: Flask, client: FlaskClient, sent: Sent) -> None:
    """Not even an unlinked one."""
    client.post("/sign-out")

    assert sent() == []
    assert state_of(app).emitter.stats().dropped == {}


def test_remembered_visitor_does_not_sign_in(app: Flask, client: FlaskClient, sent: Sent) -> None:
    """Coming back with a cookie is no sign-in, as the browser's user did not do it."""
    app.add_url_rule("/who", view_func=lambda: str(flask_login.current_user.get_id()))
    client.post("/sign-in/7")
    client.delete_cookie("session")

    assert client.get("/who").text == "7"
    assert [event["event"]["name"] for event in sent()] == ["user.signed_in"]


def test_user_id_callable_names_the_user(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """`USER_ID` decides about these events too, with the user of the event as `current_user`."""
    app = with_login(make_app(DD_PA_USER_ID=lambda request: f"u-{flask_login.current_user.id}"))
    client = app.test_client()

    client.post("/sign-in/7")
    client.post("/sign-out")

    assert [event["usr"]["id"] for event in delivered(app, emulator)] == ["u-7", "u-7"]


def test_failing_user_id_never_breaks_a_login(make_app: MakeApp) -> None:
    """In production the visitor gets in, and the event is counted as dropped."""
    app = with_login(make_app(DD_PA_STRICT=False, DD_PA_USER_ID=lambda request: 1 // 0))

    assert app.test_client().post("/sign-in/7").status_code == 302
    assert state_of(app).emitter.stats().dropped == {"invalid": 1}


def test_off_by_default(make_app: MakeApp, emulator: Emulator) -> None:
    """Nobody gets events that were not asked for, and other apps of the process are left alone."""
    make_app()
    app = with_login(make_app(DD_PA_AUTH_EVENTS=False))

    app.test_client().post("/sign-in/7")

    assert state_of(app).emitter.stats().queued == 0


def test_missing_flask_login_is_told(
    config: dict[str, Any], analytics: ProductAnalytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting that needs it is named, and no half of a set-up is left."""
    monkeypatch.setitem(sys.modules, "flask_login", None)
    monkeypatch.delitem(sys.modules, "dd_pa_flask.auth_events", raising=False)
    app = Flask(__name__)
    app.config.update(config)

    with pytest.raises(SettingsError, match=r"^DD_PA_AUTH_EVENTS: needs Flask-Login"):
        analytics.init_app(app)

    assert "dd_pa" not in app.extensions
