"""Finding out who an event belongs to changes neither the answer nor the cost of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext

from dd_pa_django import get_emitter
from tests.django_app import views
from tests.django_app.conftest import Configure, Events


def usr(user: User) -> dict[str, str]:
    return {"id": str(user.pk)}


@pytest.mark.parametrize("path", ["plain", "plain_async"])
def test_request_that_tracks_nothing_is_left_alone(ada_client: Client, path: str) -> None:
    """No query, no session access, no header, no thread."""
    with CaptureQueriesContext(connection) as queries:
        response = ada_client.get(f"/{path}/")

    session: Any = response.wsgi_request.session
    assert (len(queries), session.accessed, hasattr(session, "_session_cache")) == (0, False, False)
    assert response.headers == {"Content-Type": "text/html; charset=utf-8", "Content-Length": "18"}
    assert get_emitter().stats().state == "idle"


@pytest.mark.parametrize("path", ["tracking", "sync_track_in_async"])
def test_tracking_adds_no_vary(ada_client: Client, configure: Configure, path: str) -> None:
    """The user is looked up for the event; the page is no different for it, so a cache may keep it."""
    configure(STRICT=False)
    response = ada_client.get(f"/{path}/")

    assert response.headers == {"Content-Type": "text/html; charset=utf-8", "Content-Length": "7"}


@pytest.mark.asyncio
async def test_tracking_adds_no_vary_in_async_code(ada_async_client: AsyncClient, events: Events) -> None:
    """The same for `atrack`."""
    response = await ada_async_client.get("/tracking_async/")

    assert len(events()) == 1
    assert response.headers == {"Content-Type": "text/html; charset=utf-8", "Content-Length": "7"}


def test_view_that_reads_the_user_after_the_event_varies(ada_client: Client) -> None:
    """What the view itself reads must stay visible, or one user's page would be cached for all; with no query more."""
    with CaptureQueriesContext(connection) as queries:
        response = ada_client.get("/tracks_then_greets/")

    assert response.content == b"hello ada"
    assert response.headers["Vary"] == "Cookie"
    assert len(queries) == 2  # the session and the user, once


def test_async_view_that_reads_the_user_after_the_event_varies(ada_client: Client) -> None:
    """The same for `atrack` and `request.auser()`."""
    with CaptureQueriesContext(connection) as queries:
        response = ada_client.get("/tracks_then_greets_async/")

    assert response.content == b"hello ada"
    assert response.headers["Vary"] == "Cookie"
    assert len(queries) == 2  # the session and the user, once


@pytest.mark.asyncio
async def test_user_read_by_another_task_during_the_event_varies(ada_async_client: AsyncClient, events: Events) -> None:
    """Forgetting the event's own look at the session must not forget that of others."""
    response = await ada_async_client.get("/tracks_beside_greeting/")

    assert response.content == b"hello ada"
    assert response.headers["Vary"] == "Cookie"
    assert len(events()) == 1


@pytest.mark.parametrize("path", ["tracks_then_flushes", "tracks_then_flushes_async"])
def test_user_seen_by_an_event_does_not_outlive_the_session(ada_client: Client, events: Events, path: str) -> None:
    """After the session has ended the view and the events find nobody logged in, as they would without the event."""
    response = ada_client.get(f"/{path}/")

    assert response.content == b"hello AnonymousUser"
    assert [(event["event"]["name"], "usr" in event) for event in events()] == [
        ("page.viewed", True),
        ("session.ended", False),
    ]


@pytest.mark.parametrize("path", ["tracking", "plain"])
def test_cookie_of_a_session_that_is_gone_is_left_alone(ada_client: Client, path: str) -> None:
    """Finding no session for an event does not delete the browser's cookie, which adds `Vary` too."""
    Session.objects.all().delete()

    response = ada_client.get(f"/{path}/")

    assert (dict(response.cookies), response.has_header("Vary")) == ({}, False)


@pytest.mark.asyncio
async def test_cookie_of_a_session_that_is_gone_is_left_alone_in_async_code(ada_async_client: AsyncClient) -> None:
    """The same for `atrack`."""
    await Session.objects.all().adelete()

    response = await ada_async_client.get("/tracking_async/")

    assert (dict(response.cookies), response.has_header("Vary")) == ({}, False)


@pytest.mark.parametrize("path", ["tracking", "plain"])
def test_session_renewed_for_a_rotated_secret_reaches_the_browser(
    ada_client: Client, ada: User, events: Events, path: str
) -> None:
    """When loading the user renews his session, the browser must get the new key, or he would be logged out."""
    with override_settings(SECRET_KEY="rotated", SECRET_KEY_FALLBACKS=["only-for-tests"]):
        renewed = "sessionid" in ada_client.get(f"/{path}/").cookies
        ada_client.get("/tracking/")

    assert renewed == (path == "tracking")
    assert [event.get("usr") for event in events()] == [usr(ada)] * (2 if path == "tracking" else 1)


@pytest.mark.asyncio
async def test_session_renewed_for_a_rotated_secret_reaches_the_browser_from_async_code(
    ada_async_client: AsyncClient, ada: User, events: Events
) -> None:
    """The same for `atrack`."""
    with override_settings(SECRET_KEY="rotated", SECRET_KEY_FALLBACKS=["only-for-tests"]):
        response = await ada_async_client.get("/tracking_async/")
        await ada_async_client.get("/tracking_async/")

    assert "sessionid" in response.cookies
    assert [event["usr"] for event in events()] == [usr(ada), usr(ada)]


LOGIN_THAT_FAILS = ["tests.django_app.chain.failing_login", "dd_pa_django.middleware.ProductAnalyticsMiddleware"]


@pytest.mark.parametrize("path", ["tracking", "tracking_async"])
def test_login_that_fails_costs_the_event_its_user_only(configure: Configure, events: Events, path: str) -> None:
    """In lenient mode the view answers, and the event still has its session."""
    configure(STRICT=False)
    with override_settings(MIDDLEWARE=LOGIN_THAT_FAILS):
        response = Client().get(f"/{path}/", headers={"baggage": f"session.id={views.FALLBACK}"})

    assert response.content == b"tracked"
    assert events() == [{"event": {"name": "page.viewed"}, "session": {"id": views.FALLBACK}}]
    assert get_emitter().stats().repaired == 1


@pytest.mark.parametrize("path", ["tracking", "tracking_async"])
def test_login_that_fails_raises_in_strict_mode(path: str) -> None:
    """Its own error."""
    with override_settings(MIDDLEWARE=LOGIN_THAT_FAILS), pytest.raises(views.ViewError):
        Client().get(f"/{path}/")


@pytest.mark.parametrize("path", ["tracking", "tracking_async"])
def test_nobody_is_looked_up_when_switched_off(configure: Configure, path: str) -> None:
    """ENABLED=False asks for no user."""
    configure(ENABLED=False)
    with override_settings(MIDDLEWARE=LOGIN_THAT_FAILS):
        assert Client().get(f"/{path}/").content == b"tracked"
