"""What counts as "the view did what it says" on Flask: refusals of one's own, forms, handlers that Flask never ends."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, redirect, request, session, url_for
from flask.testing import FlaskClient
from flask_socketio import SocketIO

from dd_pa.capture import rum_session as rum_module
from dd_pa.testing import capture_events
from dd_pa_flask import ProductAnalytics, form_accepted
from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp

BROWSER = {"Baggage": rum.baggage()}


@pytest.fixture
def app(make_app: MakeApp, analytics: ProductAnalytics) -> Flask:
    app = make_app()

    def login_required(back: Callable[[], str]) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        """Do what Flask's own tutorial does, as applications without Flask-Login do it."""

        def decorate(view: Callable[[], Any]) -> Callable[[], Any]:
            @functools.wraps(view)
            def guarded() -> Any:
                return view() if "user" in session else redirect(url_for("sign_in", next=back()))

            return guarded

        return decorate

    @app.route("/sign-in", methods=["GET", "POST"])
    @analytics.tracked("user.signed_in", when=form_accepted)
    def sign_in() -> Any:
        if request.method == "POST" and request.form.get("name"):
            session["user"] = request.form["name"]
            return redirect(request.args.get("next", "/"))
        return "a form, with its errors"

    backs = {
        "path": lambda: request.path,
        "full": lambda: request.full_path,
        "url": lambda: request.url,
        "relative": lambda: request.full_path.rstrip("?"),
    }
    for name, back in backs.items():

        def page() -> str:
            return "secret"

        app.add_url_rule(f"/in/{name}", f"in-{name}", analytics.tracked("page.viewed")(login_required(back)(page)))
        app.add_url_rule(f"/out/{name}", f"out-{name}", login_required(back)(analytics.tracked("page.viewed")(page)))
    return app


def fired(visit: Callable[[], Any]) -> list[str]:
    with capture_events() as events:
        visit()
    return events.names


@pytest.mark.parametrize("order", ["in", "out"])
@pytest.mark.parametrize("back", ["path", "full", "url", "relative"])
@pytest.mark.parametrize("query", ["", "?page=2"])
def test_own_login_decorator_refuses_too(client: FlaskClient, order: str, back: str, query: str) -> None:
    """However it says where to come back to."""
    address = f"/{order}/{back}{query}"

    assert fired(lambda: client.get(address, headers=BROWSER)) == []
    client.post("/sign-in", data={"name": "ada"}, headers=BROWSER)
    assert fired(lambda: client.get(address, headers=BROWSER)) == ["page.viewed"]


def test_form_fires_when_it_is_accepted(client: FlaskClient) -> None:
    """Not for the empty form, nor for one with errors; the way back that it then takes is no refusal."""
    assert fired(lambda: client.get("/sign-in?next=/in/path", headers=BROWSER)) == []
    assert fired(lambda: client.post("/sign-in?next=/in/path", headers=BROWSER)) == []
    assert fired(lambda: client.post("/sign-in?next=/in/path", data={"name": "ada"}, headers=BROWSER)) == [
        "user.signed_in"
    ]


@pytest.mark.parametrize("is_allowed", [True, False])
def test_handler_of_a_websocket(app: Flask, analytics: ProductAnalytics, is_allowed: bool) -> None:
    """Flask-SocketIO calls it in the context of the handshake, and no request ever ends: it counts when it returns."""
    sockets = SocketIO(app, async_mode="threading")

    @sockets.on("chat")  # type: ignore[untyped-decorator] # Flask-SocketIO has no types
    @analytics.tracked("chat.sent", attributes=lambda request, answer: {"answer": answer, "path": request.path})
    def chat(message: str) -> str:
        if not is_allowed:
            raise PermissionError(message)
        return message.upper()

    browser = sockets.test_client(app, headers=BROWSER)
    with capture_events() as events:
        if is_allowed:
            browser.emit("chat", "hi")
        else:
            with pytest.raises(PermissionError):
                browser.emit("chat", "hi")
    browser.disconnect()

    assert [(event.name, event.session, event.attributes["answer"]) for event in events] == (
        [("chat.sent", rum.SESSION, "HI")] if is_allowed else []
    )


def test_websocket_keeps_the_session_of_its_handshake(
    app: Flask, analytics: ProductAnalytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cookie says that it ends in 15 minutes, as none renews it there; after 4 hours no session is claimed."""
    jumped = [0.0]

    class Clock:
        monotonic = staticmethod(lambda: time.monotonic() + jumped[0])
        time = staticmethod(lambda: time.time() + jumped[0])

    monkeypatch.setattr(rum_module, "time", Clock)
    sockets = SocketIO(app, async_mode="threading")

    @sockets.on("chat")  # type: ignore[untyped-decorator] # Flask-SocketIO has no types
    @analytics.tracked("chat.sent")
    def chat() -> None: ...

    browser = sockets.test_client(app, headers={"Cookie": rum.cookie()})
    with capture_events() as events:
        for jumped[0] in (0.0, 3600.0, 4 * 3600.0):
            browser.emit("chat")
    browser.disconnect()

    assert [event.session for event in events] == [rum.SESSION, rum.SESSION]
    assert app.extensions["dd_pa"].emitter.stats().dropped == {"unlinked": 1}
