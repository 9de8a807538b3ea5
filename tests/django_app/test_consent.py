"""CONSENT and RESPECT_GPC on Django's requests, sync and async."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from dd_pa import identify
from dd_pa_django import get_emitter, track
from tests.django_app.conftest import Configure, Events

GPC = {"sec-gpc": "1"}
PLAIN = {"Content-Type": "text/html; charset=utf-8", "Content-Length": "7"}


def by_cookie(request: HttpRequest) -> bool:
    return request.COOKIES.get("consent") == "yes"


def by_user(request: HttpRequest) -> bool:
    return request.user.is_authenticated


def dropped() -> dict[str, int]:
    return dict(get_emitter().stats().dropped)


def test_without_consent_nobody_is_looked_up(ada_client: Client, configure: Configure, events: Events) -> None:
    """No query for the user, no header, no event, no error in strict mode."""
    configure(CONSENT=by_cookie)

    with CaptureQueriesContext(connection) as queries:
        response = ada_client.get("/tracking/")

    assert (len(queries), dict(response.headers), events(), dropped()) == (0, PLAIN, [], {"consent": 1})


@pytest.mark.asyncio
async def test_without_consent_nobody_is_looked_up_in_async_code(
    ada_async_client: AsyncClient, configure: Configure, events: Events
) -> None:
    """The same for `atrack`, which else loads the user in advance."""
    configure(CONSENT=by_cookie)

    response = await ada_async_client.get("/tracking_async/")

    session: Any = response.asgi_request.session
    assert (hasattr(session, "_session_cache"), dict(response.headers)) == (False, PLAIN)
    assert (events(), dropped()) == ([], {"consent": 1})


def test_with_consent_all_is_as_ever(ada_client: Client, ada: User, configure: Configure, events: Events) -> None:
    """The callable is given the request, also by its dotted path."""
    configure(CONSENT=f"{__name__}.by_cookie")
    ada_client.cookies["consent"] = "yes"

    response = ada_client.get("/tracking/")

    assert (events(), dict(response.headers)) == (
        [{"event": {"name": "page.viewed"}, "usr": {"id": str(ada.pk)}}],
        PLAIN,
    )


@pytest.mark.asyncio
async def test_consent_may_look_at_the_user_in_async_code(
    ada_async_client: AsyncClient, ada: User, configure: Configure, events: Events
) -> None:
    """It is asked where the database may be used, once for each event; the answer's headers stay."""
    asked: list[HttpRequest] = []

    def notes(request: HttpRequest) -> bool:
        asked.append(request)
        return by_user(request)

    configure(CONSENT=notes)

    response = await ada_async_client.get("/tracking_async/")

    assert events() == [{"event": {"name": "page.viewed"}, "usr": {"id": str(ada.pk)}}]
    assert (len(asked), dict(response.headers)) == (1, PLAIN)


def test_a_login_changes_the_answer(client: Client, ada: User, configure: Configure, events: Events) -> None:
    """Each event is asked for, so the one after the login is the user's; his page varies as it did."""
    configure(CONSENT=by_user)

    response = client.get("/signs_in/")

    assert response.content == b"hello ada"
    assert events() == [{"event": {"name": "after.login"}, "usr": {"id": str(ada.pk)}}]
    assert dropped() == {"consent": 1}


@pytest.mark.asyncio
async def test_a_login_changes_the_answer_in_async_code(ada: User, configure: Configure, events: Events) -> None:
    """The same with `alogin` and `atrack`."""
    configure(CONSENT=by_user)

    await AsyncClient().get("/signs_in_async/")

    assert events() == [{"event": {"name": "after.login"}, "usr": {"id": str(ada.pk)}}]


def test_sync_track_in_async_code_cannot_ask_the_database(
    ada_client: Client, configure: Configure, events: Events
) -> None:
    """Then nobody knows, and that is a no."""
    configure(CONSENT=by_user, STRICT=False)

    ada_client.get("/sync_track_in_async/")

    assert (events(), dropped()) == ([], {"consent": 1})


@pytest.mark.parametrize(("respected", "sent"), [pytest.param(True, 1, id="asked"), pytest.param(False, 2, id="not")])
def test_gpc_is_respected_when_asked(
    ada_client: Client, configure: Configure, events: Events, respected: bool, sent: int
) -> None:
    """`Sec-GPC: 1` drops the events of its request, and of no other; without the setting it is not looked at."""
    configure(RESPECT_GPC=respected)

    ada_client.get("/report/", headers=GPC)
    ada_client.get("/tracking/")

    assert (len(events()), sum(dropped().values())) == (sent, 2 - sent)


@pytest.mark.asyncio
async def test_gpc_is_respected_in_async_code(
    ada_async_client: AsyncClient, configure: Configure, events: Events
) -> None:
    """The same for `atrack`."""
    configure(RESPECT_GPC=True)
    await ada_async_client.get("/tracking_async/", headers=GPC)
    await ada_async_client.get("/tracking_async/")

    assert (len(events()), dropped()) == (1, {"consent": 1})


def test_a_transaction_does_not_ask_again(configure: Configure, client: Client, events: Events) -> None:
    """The answer is of the moment of the event, as the ids are."""
    configure(CONSENT=by_cookie, USER_ID=lambda request: "u-1")
    client.cookies["consent"] = "yes"
    client.get("/checks_out/")
    del client.cookies["consent"]
    client.get("/checks_out/")

    assert (len(events()), dropped()) == (1, {"consent": 1})


def test_a_failing_consent_spares_the_request(
    client: Client, configure: Configure, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    """The page is shown, the event is dropped."""
    configure(CONSENT=lambda request: request.marked, STRICT=False)

    assert client.get("/tracking/").status_code == 200
    assert (events(), dropped()) == ([], {"consent": 1})
    assert "CONSENT failed, so events are dropped: AttributeError" in caplog.text
    assert "marked" not in caplog.text


def test_a_job_has_what_it_was_told(configure: Configure, events: Events) -> None:
    """Outside of a request nobody is asked; `identify(consent=False)` restores a no."""
    configure(CONSENT=by_cookie)

    track("job.done", usr="u-1")
    with identify(usr="u-1", consent=False):
        track("job.done")

    assert (len(events()), dropped()) == (1, {"consent": 1})
