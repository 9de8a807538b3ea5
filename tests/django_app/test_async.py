"""On an async server an event costs a thread only where Django does, and a request that goes away is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, cast

import pytest
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings

from dd_pa_django import tracked
from dd_pa_django.identity import current_request
from dd_pa_django.middleware import ProductAnalyticsMiddleware
from tests.django_app import views
from tests.django_app.conftest import Events
from tests.django_app.test_middleware import CHAINS


def run_without_a_pause(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine outside of any event loop: it ends in its first step, or it waits for something."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


async def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("plain")


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(answer, id="plain"),
        pytest.param(tracked("page.viewed", when=lambda request, response: False)(answer), id="tracked"),
    ],
)
def test_request_that_tracks_nothing_waits_for_nothing(view: Any) -> None:
    """No thread, no future: the middleware and a decorator that has nothing to say end with the view."""
    middleware: Any = ProductAnalyticsMiddleware(view)

    response = run_without_a_pause(middleware(RequestFactory().get("/")))

    assert response.content == b"plain"
    assert current_request.get() is None


def test_body_that_tracks_nothing_waits_for_nothing() -> None:
    """Each chunk comes as soon as the view has it."""

    async def body() -> AsyncIterator[bytes]:
        yield b"one"

    async def stream(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(body())

    middleware: Any = ProductAnalyticsMiddleware(stream)
    response = run_without_a_pause(middleware(RequestFactory().get("/")))

    assert run_without_a_pause(anext(aiter(response.streaming_content))) == b"one"


@pytest.mark.parametrize("chain", CHAINS)
def test_streams_through_each_chain_on_a_sync_server(ada: User, events: Events, chain: list[str]) -> None:
    """Whatever stands between, the body keeps the request that it is made for."""
    client = Client()
    with override_settings(MIDDLEWARE=chain):
        client.force_login(ada)
        body = cast("StreamingHttpResponse", client.get("/streams/")).getvalue()

    assert body == b"onetwo"
    assert [event["usr"]["id"] for event in events()] == [str(ada.pk)] * 3
    assert current_request.get() is None


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.asyncio
async def test_streams_through_each_chain_on_an_async_server(ada: User, events: Events, chain: list[str]) -> None:
    """The same for an async body."""
    client = AsyncClient()
    with override_settings(MIDDLEWARE=chain):
        await client.aforce_login(ada)
        response: Any = await client.get("/streams_async/")
        body = [chunk async for chunk in response.streaming_content]

    assert body == [b"one", b"two"]
    assert [event["usr"]["id"] for event in events()] == [str(ada.pk)] * 3
    assert current_request.get() is None


@pytest.mark.asyncio
async def test_visitor_who_goes_away(ada_client: Client, ada: User, events: Events) -> None:
    """The server cancels the view, which may still say so, as its user, and is let go."""
    cookie = f"sessionid={ada_client.cookies['sessionid'].value}".encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/waits_async/",
        "headers": [(b"host", b"testserver"), (b"cookie", cookie)],
    }
    views.BARRIER["waits"] = asyncio.Barrier(2)
    arriving = iter([{"type": "http.request"}])

    async def receive() -> dict[str, Any]:
        for message in arriving:
            return message
        await views.BARRIER["waits"].wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        raise AssertionError(message)

    await get_asgi_application()(cast("Any", scope), cast("Any", receive), cast("Any", send))

    assert [(event["event"]["name"], event["usr"]["id"]) for event in events()] == [("visit.abandoned", str(ada.pk))]
    assert current_request.get() is None
