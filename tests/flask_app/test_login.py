from __future__ import annotations

from typing import Any

import flask_login
import pytest
from flask import Flask, session
from flask.testing import FlaskClient

from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, Sent, delivered, state_of

WRITES = ("Vary", "Set-Cookie")


class User(flask_login.UserMixin):  # type: ignore[misc] # Flask-Login has no types
    def __init__(self, number: int) -> None:
        self.id = number
        self.username = "ada"
        self.email = "ada@example.com"


class Blocked(User):
    is_active = False


@pytest.fixture
def loads() -> list[str]:
    """The ids for which Flask-Login has asked the application for a user."""
    return []


@pytest.fixture
def app(make_app: MakeApp, loads: list[str]) -> Flask:
    app = make_app()
    return with_login(app, loads)


def with_login(app: Flask, loads: list[str]) -> Flask:
    manager = flask_login.LoginManager(app)
    manager.login_view = manager.refresh_view = "sign_in"

    def load(user_id: str) -> User:
        loads.append(user_id)
        return User(int(user_id))

    manager.user_loader(load)

    @app.get("/sign-in")
    def sign_in() -> str:
        flask_login.login_user(User(7), remember=True)
        return "welcome"

    return app


@pytest.fixture
def pages(app: Flask, analytics: ProductAnalytics) -> None:
    @app.get("/silent")
    def silent() -> str:
        return "ok"

    @app.get("/event")
    def event() -> str:
        analytics.track("page.opened")
        return "ok"

    @app.get("/events")
    def events() -> str:
        analytics.track("page.opened")
        analytics.track("page.read")
        return "ok"

    @app.get("/user-and-events")
    def user_and_events() -> str:
        return str(flask_login.current_user.get_id()) + events()

    @app.get("/event-and-user")
    def event_and_user() -> str:
        analytics.track("page.opened")
        return str(flask_login.current_user.get_id())

    @app.get("/sign-out")
    def sign_out() -> str:
        flask_login.logout_user()
        analytics.track("page.opened")
        return "bye"


def written(client: FlaskClient, path: str) -> list[tuple[str, str]]:
    return [header for header in client.get(path).headers if header[0] in WRITES]


@pytest.mark.usefixtures("pages")
def test_logged_in_user_is_linked_by_id(client: FlaskClient, sent: Sent) -> None:
    """The user is `get_id()` as text, whatever the headers say; never a name or an address."""
    client.get("/sign-in")
    client.get("/event", headers={"Baggage": "user.id=admin", "X-User": "admin"})

    assert sent() == [{"event": {"name": "page.opened"}, "usr": {"id": "7"}}]


@pytest.mark.usefixtures("pages")
def test_nobody_is_linked_before_login_and_after_logout(client: FlaskClient, app: Flask, sent: Sent) -> None:
    """An anonymous visitor has no id, and one who has just left has none any more."""
    client.get("/event")
    client.get("/sign-in")
    client.get("/sign-out")

    assert sent() == []
    assert state_of(app).emitter.stats().dropped == {"unlinked": 2}


@pytest.mark.usefixtures("pages")
def test_user_who_is_blocked_is_not_linked(app: Flask, client: FlaskClient, sent: Sent) -> None:
    """A session of a user who may no longer log in counts as nobody's."""
    client.get("/sign-in")
    vars(app)["login_manager"].user_loader(lambda user_id: Blocked(int(user_id)))

    client.get("/event")

    assert sent() == []
    assert state_of(app).emitter.stats().dropped == {"unlinked": 1}


def test_user_of_this_very_login_is_linked(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, loads: list[str], sent: Sent
) -> None:
    """An event right after `login_user()` has the new user, without loading it again."""

    @app.get("/sign-up")
    @analytics.tracked("user.signed_up")
    def sign_up() -> str:
        flask_login.login_user(User(8))
        return "welcome"

    client.get("/sign-up")

    assert sent() == [{"event": {"name": "user.signed_up"}, "usr": {"id": "8"}}]
    assert loads == []


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/silent", [], id="no-event"),
        pytest.param("/event", ["7"], id="event"),
        pytest.param("/events", ["7"], id="events"),
        pytest.param("/user-and-events", ["7"], id="view-then-events"),
        pytest.param("/event-and-user", ["7", "7"], id="event-then-view"),
    ],
)
def test_user_is_loaded_at_most_once_for_events(
    client: FlaskClient, loads: list[str], path: str, expected: list[str]
) -> None:
    """A request without an event loads nobody; all events share one user, the view's if that has looked already."""
    client.get("/sign-in")

    client.get(path)

    assert loads == expected


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("signed_in", [pytest.param(True, id="signed-in"), pytest.param(False, id="anonymous")])
def test_event_changes_no_header(client: FlaskClient, signed_in: bool) -> None:
    """The response to a request with an event has the headers that it would have without."""
    if signed_in:
        client.get("/sign-in")

    assert written(client, "/event") == written(client, "/silent")


@pytest.mark.usefixtures("pages")
def test_remembered_user_is_linked_and_left_to_the_application(
    client: FlaskClient, loads: list[str], sent: Sent
) -> None:
    """A user known by the remember-me cookie alone is linked, and the event does not log in on the view's behalf."""
    client.get("/sign-in")
    client.delete_cookie("session")

    silent, event = written(client, "/silent"), written(client, "/event")
    assert client.get("/event-and-user").text == "7"

    assert event == silent
    assert client.get_cookie("session") is not None
    assert sent() == [{"event": {"name": "page.opened"}, "usr": {"id": "7"}}] * 2
    assert loads == ["7", "7", "7"]


def test_session_is_whole_after_a_remembered_user_was_looked_up(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """Undoing what the look-up wrote keeps everything that the application had put into the session."""

    @app.get("/cart")
    def cart() -> dict[str, Any]:
        analytics.track("cart.viewed")
        return {key: value for key, value in session.items() if not key.startswith("_remember")}

    client.get("/sign-in")
    with client.session_transaction() as stored:
        stored.clear()
        stored["cart"] = [1, 2]

    assert client.get("/cart").get_json() == {"cart": [1, 2]}
    assert sent() == [{"event": {"name": "cart.viewed"}, "usr": {"id": "7"}}]


@pytest.mark.usefixtures("pages")
def test_session_protection_is_left_to_the_application(app: Flask, client: FlaskClient, sent: Sent) -> None:
    """A stolen session cookie has no user, and it is not the event that ends the session."""
    app.config["SESSION_PROTECTION"] = "strong"
    client.get("/sign-in")
    client.delete_cookie("remember_token")
    thief = {"User-Agent": "another browser"}

    answer = client.get("/event", headers=thief)

    assert sent() == []
    assert "Set-Cookie" not in answer.headers


def test_callable_replaces_flask_login(
    make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator, loads: list[str]
) -> None:
    """With `USER_ID` Flask-Login is not asked, even when the callable finds nobody."""
    app = with_login(make_app(DD_PA_USER_ID=lambda request: request.args.get("key")), loads)

    @app.get("/event")
    def event() -> str:
        analytics.track("page.opened")
        return "ok"

    client = app.test_client()
    client.get("/sign-in")
    client.get("/event?key=k-7")
    client.get("/event")

    assert delivered(app, emulator) == [{"event": {"name": "page.opened"}, "usr": {"id": "k-7"}}]
    assert loads == []


def test_manager_of_another_kind_is_ignored(app: Flask, client: FlaskClient, analytics: ProductAnalytics) -> None:
    """An attribute that happens to have the name of Flask-Login's is not taken for it."""
    vars(app)["login_manager"] = object()

    @app.get("/event")
    @analytics.tracked("page.viewed")
    def event() -> dict[str, Any]:
        return {"event": analytics.track("page.opened")}

    with app.test_request_context("/event"):
        assert app.ensure_sync(app.view_functions["event"])() == {"event": None}


@pytest.mark.parametrize("path", [pytest.param("/inside", id="inside"), pytest.param("/outside", id="outside")])
@pytest.mark.parametrize("gate", ["login_required", "fresh_login_required"])
@pytest.mark.parametrize("handler", [pytest.param(True, id="own-handler"), pytest.param(False, id="redirect")])
def test_refused_visitor_fires_nothing(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent, path: str, gate: str, handler: bool
) -> None:
    """In either order with `@login_required`, the answer that sends a visitor to the login page is no success."""
    required = getattr(flask_login, gate)

    tracked = analytics.tracked("report.viewed")

    def report() -> str:
        return "secret"

    app.add_url_rule("/inside", "inside", view_func=required(tracked(report)))
    app.add_url_rule("/outside", "outside", view_func=tracked(required(report)))
    if handler:
        vars(app)["login_manager"].unauthorized_handler(lambda: "please sign in")

    with_session = {"Baggage": "session.id=2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"}
    refused = client.get(path, headers=with_session)
    client.get("/sign-in")
    client.get(path)

    assert refused.text != "secret"
    assert sent() == [{"event": {"name": "report.viewed"}, "usr": {"id": "7"}}]


def test_stale_login_fires_nothing(app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent) -> None:
    """A visitor who is asked for the password again has not seen the page."""

    def keys() -> str:
        return "secret"

    app.add_url_rule("/keys", view_func=analytics.tracked("keys.viewed")(flask_login.fresh_login_required(keys)))
    client.get("/sign-in")
    with client.session_transaction() as stored:
        stored["_fresh"] = False
    answer = client.get("/keys")

    assert answer.status_code == 302
    assert sent() == []
