"""Events in consumers of Django Channels: the handshake of a websocket is the request that they belong to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest

from dd_pa.gateways.gateway import Handshake
from dd_pa_django.emitter import get_emitter
from dd_pa_django.identity import HANDSHAKE
from dd_pa_django.middleware import served

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class WebsocketMiddleware:
    """Lets events know which websocket they belong to: its user, as Channels knows him, and its browser session.

    Stands inside of what puts the user into the scope: `AuthMiddlewareStack(WebsocketMiddleware(URLRouter([…])))`.
    `USER_ID`, `ACCOUNT_ID`, `SESSION_ID` and `CONSENT` are called with a request that stands for the handshake, with
    `user` and `session` of the scope. Raises `ImproperlyConfigured` if `DD_PA` is wrong.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        get_emitter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._application(scope, receive, send)
            return
        with served(OpenedRequest(scope)) as work:
            try:
                await self._application(scope, receive, send)
            finally:
                work.end()


class OpenedRequest(ASGIRequest):
    """The handshake of a websocket, as a request."""

    def __init__(self, scope: Scope) -> None:
        super().__init__({**scope, "type": "http", "method": "GET"}, BytesIO())
        self._scope = scope
        vars(self)[HANDSHAKE] = Handshake()

    def __getattr__(self, name: str) -> Any:
        """Return `user` and `session` as they are in the scope now: a consumer may log somebody in."""
        if name in ("user", "session") and name in self._scope:
            return self._scope[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
