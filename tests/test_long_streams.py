"""A body that is streamed for longer than a cookie says it lives: its events are of the session with which it began."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, stream_with_context

import tests.django_app.conftest  # noqa: F401 - sets Django up
from dd_pa import Emitter
from dd_pa.capture import rum_session as rum_module
from dd_pa.gateways import asgi, wsgi
from dd_pa.testing import capture_events
from dd_pa_flask import ProductAnalytics
from tests.core.wire import settings

from django.http import HttpRequest, StreamingHttpResponse  # isort: skip
from django.test import AsyncRequestFactory, RequestFactory, override_settings  # isort: skip

from dd_pa_django import track  # isort: skip
from dd_pa_django.middleware import ProductAnalyticsMiddleware  # isort: skip

SESSION = "3122841d-f7d1-4b2f-9e0d-fbbfd8507279"
MINUTE = 60.0
GIVEN = {"APPLICATION_ID": "shop", "API_KEY": "k", "SPOOL_DIR": None, "STRICT": False}

Chunks = Callable[[Callable[..., Any]], Iterator[bytes]]


def of_wsgi(cookie: str, chunks: Chunks) -> None:
    made = settings()
    emitter = Emitter(made, identity=wsgi.request_identity(made))
    application = wsgi.ProductAnalyticsMiddleware(lambda environ, start: chunks(emitter.track))
    body: Any = application({"HTTP_COOKIE": cookie}, lambda *_: None)
    list(body)
    body.close()


def of_asgi(cookie: str, chunks: Chunks) -> None:
    made = settings()
    emitter = Emitter(made, identity=asgi.request_identity(made))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        list(chunks(emitter.track))

    scope: Any = {"type": "http", "headers": [(b"cookie", cookie.encode())]}
    asyncio.run(asgi.ProductAnalyticsMiddleware(application)(scope, None, None))  # type: ignore[arg-type]


def of_django(cookie: str, chunks: Chunks) -> None:
    request = RequestFactory().get("/", headers={"cookie": cookie})
    answer: Any = ProductAnalyticsMiddleware(lambda request: StreamingHttpResponse(chunks(track)))(request)
    list(answer)
    answer.close()


def of_async_django(cookie: str, chunks: Chunks) -> None:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks(track):
            yield chunk

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(body())

    async def visit() -> None:
        middleware: Any = ProductAnalyticsMiddleware(view)
        answer = await middleware(AsyncRequestFactory().get("/", headers={"cookie": cookie}))
        assert [chunk async for chunk in answer]
        answer.close()

    asyncio.run(visit())


def of_flask(cookie: str, chunks: Chunks) -> None:
    app, analytics = Flask("shop"), ProductAnalytics()
    app.config.from_mapping({f"DD_PA_{key}": value for key, value in GIVEN.items()})
    analytics.init_app(app)
    app.add_url_rule("/", "view", lambda: stream_with_context(chunks(analytics.track)))
    assert app.test_client(use_cookies=False).get("/", headers={"Cookie": cookie}).data


@pytest.mark.parametrize("world", [of_wsgi, of_asgi, of_django, of_async_django, of_flask])
def test_session_of_a_long_stream(world: Callable[[str, Chunks], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """For four hours: no session lasts longer."""
    now = time.time_ns() // 1_000_000
    later = SimpleNamespace(seconds=0.0)
    clock = SimpleNamespace(
        time=lambda: time.time() + later.seconds, monotonic=lambda: time.monotonic() + later.seconds
    )
    monkeypatch.setattr(rum_module, "time", clock)

    def chunks(tracks: Callable[..., Any]) -> Iterator[bytes]:
        for later.seconds in (0.0, 14 * MINUTE, 60 * MINUTE, 241 * MINUTE):
            tracks("page.streamed", {"after": later.seconds / MINUTE}, account="acme")
            yield b"chunk"

    with override_settings(DD_PA=GIVEN), capture_events() as events:
        world(f"_dd_s_v2=id={SESSION}&created={now - 1000}&expire={now + 900_000}", chunks)

    assert [(event.attributes["after"], event.session) for event in events] == [
        (0, SESSION),
        (14, SESSION),
        (60, SESSION),
        (241, None),
    ]
