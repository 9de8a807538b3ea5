"""What the servers of these tests run: each request tracks one event, and answers with its id and the worker's pid."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from dd_pa import Emitter, Settings

emitter = Emitter(Settings.from_env())

if os.environ.get("TRACK_WHEN_LOADED"):
    for _ in range(5):
        emitter.track("shop.loaded", usr="u-1")


def _track() -> bytes:
    return f"{emitter.track('page.viewed', usr='u-1')} {os.getpid()}".encode()


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Serve WSGI."""
    body = _track()
    start_response("200 OK", [("Content-Length", str(len(body))), ("Connection", "close")])
    return [body]


async def asgi(
    scope: dict[str, Any], receive: Callable[[], Awaitable[object]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Serve ASGI, without lifespan, as Django does."""
    assert scope["type"] == "http"
    body = _track()
    headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
