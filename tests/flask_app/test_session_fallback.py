"""Without a browser session, an event is linked by Flask's: a random id in a cookie session, a pseudonym of a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cachelib import FileSystemCache
from flask import Flask, Response, session, stream_with_context
from flask_session import Session

from dd_pa import pseudonymous_session
from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.core.test_fallback import UUID4
from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp, delivered, state_of

SECRET = "not-a-secret"


def routes(app: Flask, analytics: ProductAnalytics) -> Flask:
    @app.get("/tracks")
    def tracks() -> str:
        analytics.track("page.opened")
        return "ok"

    @app.get("/declared/<int:status>")
    @analytics.tracked("page.opened")
    def declared(status: int) -> tuple[str, int]:
        return "ok", status

    @app.get("/streams")
    def streams() -> Response:
        def body() -> Any:
            analytics.track("page.opened")
            yield "ok"

        return Response(stream_with_context(body()))

    @app.get("/fills")
    def fills() -> str:
        session["cart"] = [1]
        return "ok"

    @app.get("/plain")
    def plain() -> str:
        return "ok"

    return app


@pytest.fixture
def app(make_app: MakeApp, analytics: ProductAnalytics) -> Flask:
    return routes(make_app(DD_PA_SESSION_FALLBACK=True), analytics)


@pytest.fixture
def server_side(make_app: MakeApp, analytics: ProductAnalytics, tmp_path: Path) -> Flask:
    """An app whose sessions are on the server, in files."""
    app = make_app(
        DD_PA_SESSION_FALLBACK=True, SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path / "s"))
    )
    Session(app)
    return routes(app, analytics)


def sessions(app: Flask, emulator: Emulator) -> list[str | None]:
    return [event.get("session", {}).get("id") for event in delivered(app, emulator)]


def test_off_by_default(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """No cookie is set unless asked for."""
    app = routes(make_app(), analytics)

    response = app.test_client().get("/tracks")

    assert (sessions(app, emulator), "Set-Cookie" in response.headers) == ([], False)


@pytest.mark.parametrize("path", ["/tracks", "/declared/200"])
def test_a_random_id_is_kept_in_the_session(app: Flask, emulator: Emulator, path: str) -> None:
    """It sets the cookie once; later events of the browser have the same id, and no `Vary`. Two browsers differ."""
    one, other = app.test_client(), app.test_client()

    first, second = one.get(path), one.get(path)
    other.get(path)

    *_, last = found = sessions(app, emulator)
    assert (len(found), len(set(found)), UUID4.fullmatch(str(last)) is not None) == (3, 2, True)
    assert ("Set-Cookie" in first.headers, first.headers["Vary"]) == (True, "Cookie")
    assert set(second.headers.keys()) == {"Content-Type", "Content-Length"}


@pytest.mark.parametrize("path", ["/plain", "/declared/404"])
def test_nothing_is_written_for_no_event(app: Flask, emulator: Emulator, path: str) -> None:
    """Only an event that needs the id puts it there."""
    response = app.test_client().get(path)

    assert (sessions(app, emulator), "Set-Cookie" in response.headers) == ([], False)


@pytest.mark.parametrize("path", ["/tracks", "/declared/200"])
def test_nothing_is_written_where_the_id_is_not_needed(app: Flask, emulator: Emulator, path: str) -> None:
    """A browser session wins."""
    response = app.test_client().get(path, headers={"Baggage": rum.baggage()})

    assert (sessions(app, emulator), "Set-Cookie" in response.headers) == ([rum.SESSION], False)


@pytest.mark.parametrize("path", ["/tracks", "/declared/200"])
def test_nothing_is_written_without_consent(
    make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator, path: str
) -> None:
    """Not even the id."""
    app = routes(make_app(DD_PA_SESSION_FALLBACK=True, DD_PA_CONSENT=lambda request: False), analytics)

    response = app.test_client().get(path)

    assert (sessions(app, emulator), "Set-Cookie" in response.headers) == ([], False)
    assert state_of(app).emitter.stats().dropped == {"consent": 1}


def test_a_streamed_body_comes_too_late_for_a_new_id(app: Flask, emulator: Emulator) -> None:
    """The cookie is sent already: an id that no later event shares is none. One that is there is used."""
    client = app.test_client()
    client.get("/streams")
    assert state_of(app).emitter.stats().dropped == {"unlinked": 1}

    client.get("/tracks")
    client.get("/streams")

    first, second = sessions(app, emulator)
    assert first == second


def test_an_app_without_sessions(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """Without a SECRET_KEY there is no session, and no error."""
    app = routes(make_app(DD_PA_SESSION_FALLBACK=True, SECRET_KEY=None), analytics)

    assert app.test_client().get("/tracks").status_code == 200
    assert sessions(app, emulator) == []


@pytest.mark.parametrize("path", ["/tracks", "/declared/200", "/streams"])
def test_a_session_on_the_server_has_a_pseudonym(server_side: Flask, emulator: Emulator, path: str) -> None:
    """A keyed hash of its key; nothing is put into it, and its key stays here."""
    client = server_side.test_client()
    client.get("/fills")
    cookie = client.get_cookie("session")
    assert cookie is not None
    key = cookie.value

    client.get(path)
    client.get(path)

    assert sessions(server_side, emulator) == [pseudonymous_session(SECRET, key)] * 2
    assert key not in str(emulator.events)


def test_an_empty_session_on_the_server_has_no_key_yet(server_side: Flask, emulator: Emulator) -> None:
    """It would be another one at each request; none is made for an event."""
    response = server_side.test_client().get("/tracks")

    assert (sessions(server_side, emulator), "Set-Cookie" in response.headers) == ([], False)
