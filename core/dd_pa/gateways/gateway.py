"""What WSGI and ASGI have in common: the ids of a request that is nothing but the server's own mapping."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from dd_pa.capture.consent import request_consent
from dd_pa.capture.rum import Handshake, RumSession, anonymous_id_from_environ, anonymous_id_from_scope
from dd_pa.capture.traits import Whose, fields_of, require_same
from dd_pa.capture.work import Steps, Work, is_request_known
from dd_pa.errors import SettingsError
from dd_pa.settings.settings import Settings

__all__ = [
    "GatewayIdentity",
    "Handshake",
    "RequestIdentity",
    "Resolver",
    "Steps",
    "Whose",
    "Work",
    "anonymous_id_from_environ",
    "anonymous_id_from_scope",
    "fields_of",
    "is_request_known",
    "require_same",
]

Resolver = Callable[[Any], Any]
"""Returns an id of a request, or None. What else it may return, the emitter checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayIdentity:
    """The identity callable of an emitter: finds the request that this thread or task works for."""

    settings: Settings
    current: ContextVar[Any]
    user_id: Resolver | None
    account_id: Resolver | None
    rum_session: Callable[[Any, Settings], RumSession | None]
    gpc: Callable[[Any], str | None]
    anonymous_id: Callable[[Any, Settings], str | None]

    def __post_init__(self) -> None:
        for key in ("user_attributes", "account_attributes"):
            if isinstance(getattr(self.settings, key), tuple):
                raise SettingsError(key.upper(), "must be a callable here, as a gateway knows no user to have fields")

    def __call__(self) -> RequestIdentity | None:
        """Return the identity of the current request, with nothing looked up yet; None where none is served."""
        request = self.current.get()
        return RequestIdentity(request, self) if request is not None and is_request_known() else None


class RequestIdentity:
    """The ids of one request, each looked up when it is read."""

    __slots__ = ("_gateway", "_request")

    def __init__(self, request: Any, gateway: GatewayIdentity) -> None:
        self._request = request
        self._gateway = gateway

    @property
    def usr(self) -> str | None:
        return self._resolved(self._gateway.user_id or self._gateway.settings.user_id)

    @property
    def account(self) -> str | None:
        return self._resolved(self._gateway.account_id or self._gateway.settings.account_id)

    @property
    def session(self) -> str | None:
        settings = self._gateway.settings
        if settings.session_id is not None:
            return self._resolved(settings.session_id)
        found = self._gateway.rum_session(self._request, settings)
        return found.id if found else None

    @property
    def consent(self) -> bool | None:
        return request_consent(self._gateway.settings, self._request, self._gateway.gpc(self._request))

    def known(self, whose: Whose) -> object:
        settings = self._gateway.settings
        return self._resolved(settings.user_attributes if whose == "usr" else settings.account_attributes)

    @property
    def anonymous_id(self) -> str | None:
        return self._gateway.anonymous_id(self._request, self._gateway.settings)

    def _resolved(self, resolver: Any) -> str | None:
        return cast("str | None", resolver(self._request)) if callable(resolver) else None
