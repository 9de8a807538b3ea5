"""Identity for FastAPI, Starlette, Litestar and any other ASGI application: a plain middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

from dd_pa.gateways.gateway import HANDSHAKE, GatewayIdentity, Handshake, Resolver, ScopeHeaders, Work
from dd_pa.settings.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_current: ContextVar[Scope | None] = ContextVar("dd_pa_asgi_scope", default=None)


class ProductAnalyticsMiddleware:
    """Lets events know which request or websocket they belong to, in its background tasks and streamed body too.

    It remembers the scope, and when it was opened, and nothing else: no header is read before an event is tracked, none
    is changed. What other middleware puts into the same scope later (`user`, `session`, `state`) is
    there when an event is tracked. Tasks and threads that are started in the request know it as well, until it has been
    answered: `dd_pa.jobs.bind` is for those
    that outlive it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # No token: a call that is abandoned is closed in another context, where a token cannot be used.
        before, work = _current.get(), Work()
        scope[HANDSHAKE] = Handshake()
        _current.set(scope)
        try:
            await self._app(scope, receive, send)
        finally:
            if _current.get() is scope:
                _current.set(before)
            work.end()


def request_identity(
    settings: Settings, *, user_id: Resolver | None = None, account_id: Resolver | None = None
) -> GatewayIdentity:
    """Return what `Emitter(settings, identity=…)` takes. The browser session comes from baggage or cookie.

    `user_id` and `account_id` (else USER_ID and ACCOUNT_ID) are called with the scope when an event needs them; they
    return None for nobody, and must not block. SESSION_ID, CONSENT, USER_ATTRIBUTES and ACCOUNT_ATTRIBUTES
    are called with the scope too.
    """
    return GatewayIdentity(
        settings=settings, current=_current, headers=_headers, user_id=user_id, account_id=account_id
    )


def _headers(scope: Scope) -> ScopeHeaders:
    return ScopeHeaders(scope["headers"])
