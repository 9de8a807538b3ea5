"""Who an event belongs to, and that finding out changes nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from dd_pa_django import get_emitter, track
from dd_pa_django.identity import primary_key
from tests.django_app import views
from tests.django_app.conftest import Configure, Events

SPOOFED = {
    "baggage": "user.id=admin,account.id=acme",
    "x-user": "admin",
    "x-forwarded-user": "admin",
    "remote-user": "admin",
}


def usr(user: User) -> dict[str, str]:
    return {"id": str(user.pk)}


def test_event_of_a_login_carries_the_primary_key(ada_client: Client, ada: User, events: Events) -> None:
    """`usr.id` is the primary key as text: neither the name nor the address of the user leaves the server."""
    ada_client.get("/tracking/")

    assert events() == [{"event": {"name": "page.viewed"}, "usr": usr(ada)}]


@pytest.mark.asyncio
async def test_event_of_a_login_in_async_code(ada_async_client: AsyncClient, ada: User, events: Events) -> None:
    """`atrack` finds the same user."""
    await ada_async_client.get("/tracking_async/")

    assert events() == [{"event": {"name": "page.viewed"}, "usr": usr(ada)}]


def test_anonymous_visitor_has_no_usr(client: Client, events: Events) -> None:
    """Nobody to link to: nothing is sent or raised, even in strict mode, and it is counted."""
    client.get("/tracking/")

    assert events() == []
    assert get_emitter().stats().dropped == {"unlinked": 1}


def test_user_who_is_not_authenticated_has_no_usr() -> None:
    """Not even with a primary key: a backend may know who it could be before he has shown that he is."""
    request = HttpRequest()
    request.user = SimpleNamespace(is_authenticated=False, pk=1)  # type: ignore[assignment]  # of such a backend

    assert primary_key(request) is None


def test_outside_of_a_request_there_is_no_identity(events: Events) -> None:
    """A script's event has the ids it was given, and no others."""
    track("job.done", usr="u-1")

    assert events() == [{"event": {"name": "job.done"}, "usr": {"id": "u-1"}}]


def test_nothing_of_a_request_is_left_in_its_thread(ada_client: Client, events: Events) -> None:
    """The next thing that the thread does belongs to nobody."""
    ada_client.get("/tracking/")

    assert track("job.done") is None


@pytest.mark.parametrize("logged_in", [pytest.param(True, id="logged in"), pytest.param(False, id="anonymous")])
def test_headers_never_name_the_user(client: Client, ada: User, events: Events, logged_in: bool) -> None:
    """What the browser claims is no login."""
    if logged_in:
        client.force_login(ada)

    client.get("/tracking/", headers=SPOOFED)

    assert [event.get("usr") for event in events()] == ([usr(ada)] if logged_in else [])


@pytest.mark.asyncio
async def test_headers_never_name_the_user_in_async_code(
    ada_async_client: AsyncClient, ada: User, events: Events
) -> None:
    """What the browser claims is no login, whoever handles the request."""
    await ada_async_client.get("/tracking_async/", headers=SPOOFED)
    await AsyncClient().get("/tracking_async/", headers=SPOOFED)

    assert events() == [{"event": {"name": "page.viewed"}, "usr": usr(ada)}]


@pytest.mark.parametrize("path", ["ApiTrackView", "api_inside", "api_outside", "ApiMethodView", "ApiDispatchView"])
def test_user_authenticated_by_the_rest_framework(client: Client, ada: User, events: Events, path: str) -> None:
    """A token that is read long after the middleware names the user."""
    token = Token.objects.create(user=ada)

    response = client.get(f"/{path}/", headers={"authorization": f"Token {token.key}"})

    assert response.status_code == 200
    assert events() == [{"event": {"name": "report.viewed"}, "usr": usr(ada), "path": f"/{path}/", "status": 200}]


@pytest.mark.parametrize("path", ["ApiTrackView", "api_inside", "ApiDispatchView"])
@pytest.mark.asyncio
async def test_user_authenticated_by_the_rest_framework_under_asgi(ada: User, events: Events, path: str) -> None:
    """The same where sync views run in a thread of an async server."""
    token = await Token.objects.acreate(user=ada)

    await AsyncClient().get(f"/{path}/", headers={"authorization": f"Token {token.key}"})

    assert [event["usr"] for event in events()] == [usr(ada)]


@pytest.mark.parametrize("path", ["signs_in", "signs_out"])
def test_user_is_the_one_of_the_moment(ada_client: Client, ada: User, events: Events, path: str) -> None:
    """A login or logout in the middle of a request changes who the next event belongs to."""
    client = Client() if path == "signs_in" else ada_client

    response = client.get(f"/{path}/")

    order = [event["event"]["name"] for event in events() if "usr" in event]
    assert order == (["after.login"] if path == "signs_in" else ["before.logout"])
    assert response.content.decode() == ("hello ada" if path == "signs_in" else "hello AnonymousUser")


@pytest.mark.asyncio
async def test_user_is_the_one_of_the_moment_in_async_code(ada: User, events: Events) -> None:
    """`alogin` is seen by the events and by the view, although an event has asked for the user before."""
    response = await AsyncClient().get("/signs_in_async/")

    assert [event["event"]["name"] for event in events() if "usr" in event] == ["after.login"]
    assert response.content == b"hello ada"


def test_explicit_ids_win_over_the_block_over_the_login(ada_client: Client, events: Events) -> None:
    """Arguments, then `identify()`, then the login; nobody has the account of another."""
    ada_client.get("/names_ids/")

    assert events() == [
        {"event": {"name": "from.block"}, "usr": {"id": "bound"}, "account": {"id": "acme"}},
        {
            "event": {"name": "from.argument"},
            "usr": {"id": "given"},
            "session": {"id": views.FALLBACK},
        },
        {"event": {"name": "from.argument.alone"}, "usr": {"id": "given"}},
    ]


@pytest.mark.parametrize("path", ["names_ids", "names_ids_async"])
def test_named_user_is_not_loaded(ada_client: Client, events: Events, path: str) -> None:
    """Nobody asks for a user whom a block or an argument names."""
    with CaptureQueriesContext(connection) as queries:
        ada_client.get(f"/{path}/")

    assert [event["usr"]["id"] for event in events()] == ["bound", "given", "given"]
    assert len(queries) == 0


@pytest.mark.parametrize("path", ["tracking", "tracking_async"])
def test_user_is_not_loaded_beside_a_resolver(
    ada_client: Client, configure: Configure, events: Events, path: str
) -> None:
    """USER_ID is asked instead of the login, not after it."""
    configure(USER_ID=lambda request: "u-1")

    with CaptureQueriesContext(connection) as queries:
        ada_client.get(f"/{path}/")

    assert [event["usr"]["id"] for event in events()] == ["u-1"]
    assert len(queries) == 0


def test_resolvers_replace_the_login(ada_client: Client, configure: Configure, events: Events) -> None:
    """USER_ID, ACCOUNT_ID and SESSION_ID are asked with the request, and their look at it leaves no trace."""
    configure(
        USER_ID=lambda request: f"u-{request.user.username}",
        ACCOUNT_ID="tests.django_app.test_identity.account_of",
        SESSION_ID=lambda request: views.FALLBACK,
    )

    response = ada_client.get("/tracking/")

    assert events() == [
        {
            "event": {"name": "page.viewed"},
            "usr": {"id": "u-ada"},
            "account": {"id": "of-ada"},
            "session": {"id": views.FALLBACK},
        }
    ]
    assert not response.has_header("Vary")


def account_of(request: HttpRequest) -> str:
    return f"of-{request.user}"


@pytest.mark.asyncio
async def test_resolvers_may_use_the_database_in_async_code(
    ada_async_client: AsyncClient, configure: Configure, events: Events
) -> None:
    """`atrack` asks them where sync code may run."""
    configure(ACCOUNT_ID=lambda request: f"{User.objects.count()} users", STRICT=True)

    await ada_async_client.get("/tracking_async/")

    assert [event["account"] for event in events()] == [{"id": "1 users"}]


@pytest.mark.asyncio
async def test_sync_track_in_async_code_never_raises_in_lenient_mode(
    ada_async_client: AsyncClient, configure: Configure, events: Events
) -> None:
    """A user who is not loaded is left out, and that is counted."""
    configure(STRICT=False)

    response = await ada_async_client.get("/sync_track_in_async/", headers={"baggage": f"session.id={views.FALLBACK}"})

    assert response.status_code == 200
    assert events() == [{"event": {"name": "page.viewed"}, "session": {"id": views.FALLBACK}}]
    assert get_emitter().stats().repaired == 1


@pytest.mark.asyncio
async def test_sync_track_in_async_code_says_atrack_in_strict_mode(ada_async_client: AsyncClient) -> None:
    """The error names the fix."""
    with pytest.raises(ValueError, match="use await atrack"):
        await ada_async_client.get("/sync_track_in_async/")


@pytest.mark.asyncio
async def test_sync_track_in_async_code_uses_a_user_who_is_loaded(
    ada_async_client: AsyncClient, ada: User, events: Events
) -> None:
    """Where the view has awaited `request.auser()`, `track` needs nothing more."""
    await ada_async_client.get("/sync_track_after_auser/")

    assert events() == [{"event": {"name": "page.viewed"}, "usr": usr(ada)}]


@pytest.mark.asyncio
async def test_interleaved_requests_keep_their_own_users(
    ada_async_client: AsyncClient, ada: User, events: Events
) -> None:
    """Two requests in one event loop, each waiting for the other in its middle."""
    bob = await User.objects.acreate_user("bob")
    bob_client = AsyncClient()
    await bob_client.aforce_login(bob)
    views.BARRIER["meets"] = asyncio.Barrier(2)

    await asyncio.gather(ada_async_client.get("/meets/?who=ada"), bob_client.get("/meets/?who=bob"))

    seen = sorted((event["event"]["name"], event["who"], event["usr"]["id"]) for event in events())
    assert seen == sorted(
        (name, who, str(user.pk)) for name in ("arrived", "left") for who, user in (("ada", ada), ("bob", bob))
    )


def test_site_without_sessions_and_users() -> None:
    """No `request.user`, no `request.session`: no usr, and no error."""
    with override_settings(MIDDLEWARE=["dd_pa_django.middleware.ProductAnalyticsMiddleware"]):
        response = Client().get("/tracking/")

    stats = get_emitter().stats()
    assert (response.status_code, stats.repaired, stats.dropped) == (200, 0, {"unlinked": 1})
