"""Events in consumers of Django Channels: the handshake of a websocket is the request that they belong to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.handlers.asgi import ASGIRequest

from dd_pa.gateways.gateway import Handshake
from dd_pa_django.emitter import get_emitter
from dd_pa_django.identity import HANDSHAKE, served_request
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
        user_logged_in.connect(_signed_in, dispatch_uid="dd_pa_django.websocket")
        user_logged_out.connect(_signed_out, dispatch_uid="dd_pa_django.websocket")
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
        self._signalled: tuple[Any, Any] | None = None
        vars(self)[HANDSHAKE] = Handshake()

    def __getattr__(self, name: str) -> Any:
        """Return `user` and `session` as they are in the scope now: a consumer may log somebody in."""
        if name in ("user", "session") and name in self._scope:
            return self._user() if name == "user" else self._scope[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def note_user(self, user: Any) -> None:
        """Learn who is at the browser from now on: a router hands a consumer its own copy of the scope."""
        self._signalled = user, self._scope.get("user")

    def _user(self) -> Any:
        in_scope = self._scope["user"]
        if self._signalled is None:
            return in_scope
        user, earlier = self._signalled
        return user if in_scope is earlier else in_scope


def _signed_in(*, request: Any = None, user: Any, **_: Any) -> None:
    _note(request, user)


def _signed_out(*, request: Any = None, **_: Any) -> None:
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 - no models where an asgi.py imports this

    _note(request, AnonymousUser())


def _note(request: Any, user: Any) -> None:
    """Channels gives its `login()` and `logout()` no request, and calls them where the websocket is served."""
    opened = served_request()
    if request is None and isinstance(opened, OpenedRequest):
        opened.note_user(user)
