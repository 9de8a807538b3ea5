"""A client's connection: read up to a bound, closed on demand, or left by the client."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.types import Receive, Scope

ABORT = "dd_pa.emulator.abort"
"""Scope extension of our server: a callable that drops the connection."""


async def read_within(request: Request, most: int) -> bytes | None:
    """Return the body; None if it has more bytes, of which no more is read then."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return body


async def drop(scope: Scope, receive: Receive) -> None:
    """Close it without an answer. Raises ConnectionResetError where the server has no way to do it."""
    abort: Callable[[], None] | None = scope.get("extensions", {}).get(ABORT)
    if abort is None:
        raise ConnectionResetError("fault on demand: connection closed")
    abort()
    await left(receive)


async def left(receive: Receive) -> None:
    """Wait until the client has gone; what it still sends is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass
