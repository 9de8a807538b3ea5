"""Without a browser session, an event is linked by a pseudonym of Django's session, and nobody notices."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.checks import CheckMessage
from django.db import connection
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext

from dd_pa import pseudonymous_session
from dd_pa_django import get_emitter
from dd_pa_django.checks import check_session_fallback
from tests.django_app import views
from tests.django_app.conftest import Configure, Events
from tests.flask_app import rum

PLAIN = {"Content-Type": "text/html; charset=utf-8", "Content-Length": "7"}
COOKIES = "django.contrib.sessions.backends.signed_cookies"


def key_of(client: Client | AsyncClient) -> str:
    key: str = client.cookies[settings.SESSION_COOKIE_NAME].value
    return key


def visitor(client: Client) -> Client:
    """Give a browser a session without a login."""
    session = SessionStore()
    session["cart"] = [1]
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client


def sessions(found: list[dict[str, Any]]) -> list[str | None]:
    return [event.get("session", {}).get("id") for event in found]


def test_off_by_default(client: Client, events: Events) -> None:
    """Nothing of the session is used unless asked for."""
    visitor(client).get("/tracking/")

    assert events() == []


@pytest.mark.parametrize("path", ["tracking", "tracking_async"])
def test_anonymous_visitor_is_linked(client: Client, configure: Configure, events: Events, path: str) -> None:
    """The same id for each event of the visit; no `Vary: Cookie`, no new cookie; the key stays here."""
    configure(SESSION_FALLBACK=True)
    visitor(client)

    responses = [client.get(f"/{path}/") for _ in range(2)]

    expected = pseudonymous_session(settings.SECRET_KEY, key_of(client))
    found = events()
    assert sessions(found) == [expected] * 2
    assert key_of(client) not in str(found)
    assert [(dict(response.headers), list(response.cookies)) for response in responses] == [(PLAIN, [])] * 2


@pytest.mark.asyncio
async def test_in_async_code(ada_async_client: AsyncClient, configure: Configure, events: Events) -> None:
    """The same with `atrack` in an ASGI request."""
    configure(SESSION_FALLBACK=True)

    response = await ada_async_client.get("/tracking_async/")

    assert sessions(events()) == [pseudonymous_session(settings.SECRET_KEY, key_of(ada_async_client))]
    assert dict(response.headers) == PLAIN


def test_it_costs_no_query(client: Client, configure: Configure, events: Events) -> None:
    """The key is in the cookie; whether there is such a session nobody asks."""
    configure(SESSION_FALLBACK=True, USER_ID=lambda request: "u-1")
    visitor(client)

    with CaptureQueriesContext(connection) as queries:
        client.get("/tracking/")

    assert (len(queries), len(events())) == (0, 1)


def test_no_session_is_made_for_an_event(client: Client, configure: Configure, events: Events) -> None:
    """A visitor without a session stays one."""
    configure(SESSION_FALLBACK=True)

    response = client.get("/tracking/")

    assert (events(), list(response.cookies), Session.objects.count()) == ([], [], 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, rum.SESSION, id="cookie"),
        pytest.param({"SESSION_ID": lambda request: "own"}, "own", id="callable"),
    ],
)
def test_a_real_session_wins(
    client: Client, configure: Configure, events: Events, changes: dict[str, Any], expected: str
) -> None:
    """The fallback is what it says."""
    configure(SESSION_FALLBACK=True, **changes)
    visitor(client)

    client.get("/tracking/", headers={"baggage": rum.baggage()})

    assert sessions(events()) == [expected]


def test_a_callable_that_finds_none_falls_back(client: Client, configure: Configure, events: Events) -> None:
    """It stands for cookie and baggage, and the fallback comes after those."""
    configure(SESSION_FALLBACK=True, SESSION_ID=lambda request: None)

    visitor(client).get("/tracking/")

    assert sessions(events()) == [pseudonymous_session(settings.SECRET_KEY, key_of(client))]


def test_it_changes_at_login(client: Client, ada: User, configure: Configure, events: Events) -> None:
    """Django gives the session another key then, so what was done before cannot be laid at the user's door."""
    configure(SESSION_FALLBACK=True)
    visitor(client)
    client.get("/tracking/")
    before = key_of(client)
    client.get("/signs_in/")
    client.get("/tracking/")

    _, _, after_login, later = sessions(events())
    assert before != key_of(client)
    assert (after_login, later) == (pseudonymous_session(settings.SECRET_KEY, key_of(client)),) * 2


def test_it_ends_at_logout(ada_client: Client, configure: Configure, events: Events) -> None:
    """A flushed session has no key."""
    configure(SESSION_FALLBACK=True)
    key = key_of(ada_client)

    ada_client.get("/signs_out/")  # tracks before, and after with an id of its own
    ada_client.get("/tracking/")

    assert sessions(events()) == [pseudonymous_session(settings.SECRET_KEY, key), views.FALLBACK]
    assert get_emitter().stats().dropped == {"unlinked": 1}


def test_two_secrets_give_two_ids(client: Client, configure: Configure, events: Events) -> None:
    """So that nobody who has the keys of another site finds its visitors here."""
    configure(SESSION_FALLBACK=True)
    visitor(client)
    with override_settings(SECRET_KEY="another"):
        client.get("/tracking/")
    client.get("/tracking/")

    first, second = sessions(events())
    assert first != second


def test_sessions_in_cookies_have_no_key(client: Client, configure: Configure, events: Events) -> None:
    """What Django calls their key is the cookie's text: it is not used."""
    with override_settings(SESSION_ENGINE=COOKIES):
        configure(SESSION_FALLBACK=True, USER_ID=lambda request: "u-1")
        client.session["cart"] = [1]
        visitor(client).get("/tracking/")

    assert sessions(events()) == [None]


@pytest.mark.parametrize(
    ("engine", "wanted", "expected"),
    [
        pytest.param(COOKIES, True, ["dd_pa.W009"], id="cookies"),
        pytest.param(COOKIES, False, [], id="off"),
        pytest.param("django.contrib.sessions.backends.db", True, [], id="database"),
    ],
)
def test_check(configure: Configure, engine: str, wanted: bool, expected: list[str]) -> None:
    """A fallback that cannot find anything is a mistake in the settings."""
    with override_settings(SESSION_ENGINE=engine):
        configure(SESSION_FALLBACK=wanted)
        messages: list[CheckMessage] = check_session_fallback()

    assert [message.id for message in messages] == expected


def test_check_leaves_wrong_settings_to_the_other_check() -> None:
    """Which names them."""
    with override_settings(DD_PA={"TYPO": 1}):
        assert check_session_fallback() == []
