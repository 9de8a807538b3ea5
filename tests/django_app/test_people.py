"""Whose events are a request's, where other middleware decides who its user is; and what a look leaves behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory, override_settings
from django.utils.decorators import sync_and_async_middleware
from django.utils.functional import SimpleLazyObject

from dd_pa.testing import capture_events
from dd_pa_django import atrack, get_emitter, track
from dd_pa_django.middleware import ProductAnalyticsMiddleware
from tests.django_app.conftest import Configure, Events
from tests.django_app.test_async import run_without_a_pause

SESSION = "3122841d-f7d1-4b2f-9e0d-fbbfd8507279"
BAGGAGE = {"baggage": f"session.id={SESSION}"}


@sync_and_async_middleware
def token_login(get_response: Any) -> Any:
    """Put a lazy user of its own on the request, as JWT and impersonation middleware do."""

    def put(request: HttpRequest) -> None:
        token = request.headers.get("X-Token")
        if token:
            request.user = SimpleLazyObject(lambda: User.objects.get(username=token))  # type: ignore[assignment]

    if iscoroutinefunction(get_response):

        async def on_async(request: HttpRequest) -> HttpResponse:
            put(request)
            answer: HttpResponse = await get_response(request)
            return answer

        return on_async

    def on_sync(request: HttpRequest) -> HttpResponse:
        put(request)
        answer: HttpResponse = get_response(request)
        return answer

    return on_sync


CHAIN = [
    "dd_pa_django.middleware.ProductAnalyticsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tests.django_app.test_people.token_login",
]


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in by the session too", "by the token only"])
@pytest.mark.parametrize("path", ["tracking", "tracking_async", "tracks_then_greets", "tracks_then_greets_async"])
@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.asyncio
async def test_a_lazy_user_of_another_middleware(
    client: Any, path: str, signed_in: bool, ada: User, events: Events
) -> None:
    """Is the user, in sync and async code, whoever the session knows."""
    bob = await User.objects.acreate_user("bob")
    visitor = client()
    if signed_in:
        await visitor.aforce_login(ada)
    with override_settings(MIDDLEWARE=CHAIN):
        answer = visitor.get(f"/{path}/", headers={"X-Token": "bob"}) if client is AsyncClient else None
        if answer is None:
            await sync_to_async(visitor.get)(f"/{path}/", headers={"X-Token": "bob"})
        else:
            await answer

    found = await sync_to_async(events)()
    assert [event["usr"]["id"] for event in found] == [str(bob.pk)]


def _slow(started: asyncio.Event, loop: Any, go_on: Any) -> Any:
    def account(request: HttpRequest) -> str:
        _ = request.session.get("cart")
        loop.call_soon_threadsafe(started.set)
        go_on.wait(10)
        return "acme"

    return account


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.asyncio
async def test_a_look_beside_the_view(reads: bool, configure: Configure) -> None:
    """What another task reads of the session while an event looks at it counts; the event's own look does not."""
    import threading  # noqa: PLC0415

    started, go_on = asyncio.Event(), threading.Event()
    configure(ACCOUNT_ID=_slow(started, asyncio.get_running_loop(), go_on))
    session = SessionStore()
    session["cart"] = "full"
    await session.asave()
    request: Any = AsyncRequestFactory().get("/")
    request.session = SessionStore(session.session_key)

    async def view(request: Any) -> HttpResponse:
        async def read() -> None:
            await started.wait()
            if reads:
                await request.session.aget("cart")
            go_on.set()

        await asyncio.gather(atrack("cart.viewed", usr="u-1"), read())
        return HttpResponse()

    with capture_events() as events:
        await ProductAnalyticsMiddleware(view)(request)  # type: ignore[misc]

    assert (request.session.accessed, type(request.session)) == (reads, SessionStore)
    assert events.names == ["cart.viewed"]


@pytest.mark.parametrize("given", [{"usr": "u-1"}, {"usr": "u-1", "account": "a", "session": "s"}, {}])
def test_an_event_that_wants_no_database_waits_for_nothing(given: dict[str, Any]) -> None:
    """No thread, no future: it ends in its first step, in a request of nobody too."""

    async def view(request: Any) -> HttpResponse:
        await atrack("page.viewed", **given)
        return HttpResponse()

    middleware: Any = ProductAnalyticsMiddleware(view)
    with capture_events() as events:
        run_without_a_pause(middleware(RequestFactory().get("/", headers=BAGGAGE)))
        run_without_a_pause(atrack("job.ran", usr="u-1"))

    assert events.names == ["page.viewed", "job.ran"]


@pytest.mark.asyncio
async def test_a_transaction_of_sync_code_is_waited_for(events: Events) -> None:
    """It is open in the thread behind the task, which the event has to ask then."""

    def begin() -> Any:
        block = transaction.atomic()
        block.__enter__()
        return block

    block = await sync_to_async(begin)()
    await atrack("order.placed", usr="u-1")
    queued = get_emitter().stats().queued
    await sync_to_async(block.__exit__)(None, None, None)

    assert (queued, [event["event"]["name"] for event in await sync_to_async(events)()]) == (0, ["order.placed"])


@pytest.mark.asyncio
async def test_requests_of_many_users_at_once(ada: User, events: Events) -> None:
    """80 interleaved requests: each event names its own user and browser, in tasks and threads of the request too."""

    async def view(request: Any) -> HttpResponse:
        await asyncio.sleep(0)
        who = {"who": request.GET["u"]}
        await asyncio.gather(atrack("one", who), sync_to_async(track)("two", who))
        return HttpResponse()

    middleware: Any = ProductAnalyticsMiddleware(view)

    async def visit(number: int) -> None:
        session = f"3122841d-f7d1-4b2f-9e0d-{number:012d}"
        request: Any = AsyncRequestFactory().get(f"/?u={number}", headers={"baggage": f"session.id={session}"})
        request.user = User(pk=number + 1000)
        await middleware(request)

    with capture_events() as tracked:
        await asyncio.gather(*[visit(number) for number in range(80)])

    assert len(tracked) == 160
    for event in tracked:
        number = int(event.attributes["who"])
        assert (event.usr, event.session) == (str(number + 1000), f"3122841d-f7d1-4b2f-9e0d-{number:012d}")
