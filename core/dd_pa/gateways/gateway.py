"""What WSGI and ASGI have in common: the identity of a request that is nothing but the server's own mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import msgspec

from dd_pa.capture.rum_session import Handshake
from dd_pa.capture.traits import Whose, fields_of, require_same
from dd_pa.capture.work import Steps, Work, is_request_known
from dd_pa.errors import EventError, SettingsError
from dd_pa.gateways.request_identity import EnvironHeaders, Headers, RequestIdentity, Resolver, ScopeHeaders
from dd_pa.settings.settings import Settings

__all__ = [
    "EnvironHeaders",
    "GatewayIdentity",
    "Handshake",
    "Headers",
    "RequestIdentity",
    "Resolver",
    "ScopeHeaders",
    "Steps",
    "Whose",
    "Work",
    "fields_of",
    "is_request_known",
    "require_same",
]

HANDSHAKE = "dd_pa.handshake"
"""Where the server's mapping has when the body was begun, or the websocket opened."""


class GatewayIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The identity callable of an emitter: finds the request that this thread or task works for."""

    settings: Settings
    current: ContextVar[Any]
    headers: Callable[[Any], Headers]
    user_id: Resolver | None
    account_id: Resolver | None

    def __post_init__(self) -> None:
        for key in ("user_attributes", "account_attributes"):
            if isinstance(getattr(self.settings, key), tuple):
                raise SettingsError(key.upper(), "must be a callable here, as a gateway knows no user to have fields")

    def __call__(self) -> RequestIdentity | None:
        """Return the identity of the current request, with nothing looked up yet; None where none is served."""
        request = self.current.get()
        if request is None or not is_request_known():
            return None
        served = ServedMapping(request, self.headers)
        return RequestIdentity(served, self.settings, user_id=self.user_id, account_id=self.account_id)


class ServedMapping:
    """A request that no framework has looked at: nobody is logged in, and there is no session but the browser's."""

    __slots__ = ("_headers", "_request")

    login_name = "nobody"

    def __init__(self, request: Any, headers: Callable[[Any], Headers]) -> None:
        self._request = request
        self._headers = headers

    @property
    def headers(self) -> Headers:
        return self._headers(self._request)

    @property
    def handshake(self) -> Handshake | None:
        found: Handshake | None = self._request.get(HANDSHAKE)
        return found

    def ask(self, name: str, resolver: Resolver) -> Any:
        return resolver(self._request)

    def login(self) -> None:
        return None

    def fields(self, whose: Whose, names: tuple[str, ...], usr: str | None) -> Mapping[str, Any]:
        raise EventError(whose, "a gateway knows no user to have fields")

    def is_impersonated(self) -> bool:
        return False

    def fallback_session(self, *, may_write: bool) -> None:
        return None
