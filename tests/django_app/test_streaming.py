"""The body of a streaming response keeps the identity of its request, and nothing else does."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory

from dd_pa_django import get_emitter
from dd_pa_django.identity import current_request
from dd_pa_django.middleware import ProductAnalyticsMiddleware
from tests.django_app import views
from tests.django_app.conftest import Events

Seen = list[tuple[str, str | None]]


def seen(events: Events) -> Seen:
    return [(event["event"]["name"], event.get("usr", {}).get("id")) for event in events()]


def all_of(user: User) -> Seen:
    return [(f"stream.{name}", str(user.pk)) for name in ("started", "continued", "ended")]


def test_sync_body(ada_client: Client, ada: User, events: Events) -> None:
    """Each chunk is made as work for the request."""
    response = cast("StreamingHttpResponse", ada_client.get("/streams/"))

    assert response.getvalue() == b"onetwo"
    assert seen(events) == all_of(ada)


@pytest.mark.asyncio
async def test_async_body(ada_async_client: AsyncClient, ada: User, events: Events) -> None:
    """The same for an async iterator."""
    response = cast("StreamingHttpResponse", await ada_async_client.get("/streams_async/"))

    body = [chunk async for chunk in cast("Any", response.streaming_content)]

    assert body == [b"one", b"two"]
    assert seen(events) == all_of(ada)


@pytest.mark.asyncio
async def test_sync_body_on_an_async_server(ada_async_client: AsyncClient, ada: User, events: Events) -> None:
    """Django consumes it in a thread."""
    response = cast("StreamingHttpResponse", await ada_async_client.get("/streams/"))

    assert await sync_to_async(response.getvalue)() == b"onetwo"
    assert seen(events) == all_of(ada)


def test_async_body_on_a_sync_server(ada_client: Client, ada: User, events: Events) -> None:
    """Django consumes it in an event loop of its own, and warns about it."""
    response = ada_client.get("/streams_async/")

    with pytest.warns(Warning, match="must consume asynchronous iterators"):
        assert b"".join(response) == b"onetwo"

    assert seen(events) == all_of(ada)


def test_between_chunks_the_thread_belongs_to_nobody(ada_client: Client) -> None:
    """Two bodies may be read in turns by one thread."""
    for _ in ada_client.get("/streams/"):
        assert current_request.get() is None


@pytest.mark.asyncio
async def test_between_chunks_the_task_belongs_to_nobody(ada_async_client: AsyncClient) -> None:
    """The same for tasks."""
    response = cast("Any", await ada_async_client.get("/streams_async/"))

    async for _ in response.streaming_content:
        assert current_request.get() is None


def test_abandoned_body_is_closed_as_work_for_its_request(ada: User, events: Events) -> None:
    """The client has gone: what the generator tracks when it is closed still names the user, once."""
    request = RequestFactory().get("/streams/")
    request.user = ada
    response = cast("StreamingHttpResponse", ProductAnalyticsMiddleware(views.streams)(request))

    next(iter(response))
    response.close()

    assert seen(events) == [("stream.started", str(ada.pk)), ("stream.ended", str(ada.pk))]
    assert current_request.get() is None


@pytest.mark.asyncio
async def test_abandoned_async_body_is_closed_as_work_for_its_request(
    ada_client: Client, ada: User, events: Events
) -> None:
    """The client leaves while the server still sends the first chunk."""
    cookie = f"sessionid={ada_client.cookies['sessionid'].value}".encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/streams_async/",
        "headers": [(b"host", b"testserver"), (b"cookie", cookie)],
    }
    sending = asyncio.Event()
    arriving = iter([{"type": "http.request"}])

    async def receive() -> dict[str, Any]:
        for message in arriving:
            return message
        await sending.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message.get("body"):
            sending.set()
            await asyncio.Event().wait()

    await get_asgi_application()(cast("Any", scope), cast("Any", receive), cast("Any", send))

    assert seen(events) == [("stream.started", str(ada.pk)), ("stream.ended", str(ada.pk))]
    assert current_request.get() is None


def test_file_is_still_handed_to_the_server(ada_client: Client) -> None:
    """`wsgi.file_wrapper` gets the file itself, so that the server may send it without reading it here."""
    environ: dict[str, Any] = {"wsgi.file_wrapper": FileWrapper, "HTTP_HOST": "testserver"}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = "/sends_file/"

    answer = cast("Any", get_wsgi_application()(environ, lambda *parts: lambda data: None))

    try:
        assert isinstance(answer, FileWrapper)
        assert cast("Any", answer.filelike).name == views.__file__
    finally:
        answer.filelike.close()


def test_file_response_of_a_generator_keeps_the_request(ada: User) -> None:
    """A FileResponse may stream what is no file."""
    found: list[HttpRequest | None] = []

    def body() -> Any:
        found.append(current_request.get())
        yield b"one"

    request = RequestFactory().get("/")
    response = cast("Any", ProductAnalyticsMiddleware(lambda request: FileResponse(body()))(request))

    assert (response.getvalue(), found) == (b"one", [request])
    assert get_emitter().stats().repaired == 0
