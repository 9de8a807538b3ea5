"""Whose a request is, in every framework: which setting decides, and what a framework must tell where none does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast

from dd_pa.capture.consent import request_consent
from dd_pa.capture.rum_session import (
    Handshake,
    RumSession,
    anonymous_id_from_environ,
    anonymous_id_from_scope,
    rum_session_from_environ,
    rum_session_from_scope,
)
from dd_pa.capture.traits import Whose
from dd_pa.observe.panel_log import session_origin
from dd_pa.settings.settings import Settings

Resolver = Callable[[Any], Any]
"""Returns an id of a request, or None. What else it may return, the emitter checks."""


class Headers(Protocol):
    """What the headers of a request say, however its server hands them over."""

    def rum_session(self, settings: Settings, now: float | None) -> RumSession | None:
        """Return the live session of the browser SDK."""
        ...

    def anonymous_id(self, settings: Settings) -> str | None:
        """Return the browser SDK's id of the visitor."""
        ...

    def gpc(self) -> str | None:
        """Return the `Sec-GPC` field; several are joined by commas, as WSGI servers do it."""
        ...


class EnvironHeaders:
    """The headers of a WSGI request."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def rum_session(self, settings: Settings, now: float | None) -> RumSession | None:
        rate, options = settings.rum_session_sample_rate, settings.rum_cookie_options
        return rum_session_from_environ(self._environ, now=now, sample_rate=rate, cookie_options=options)

    def anonymous_id(self, settings: Settings) -> str | None:
        return anonymous_id_from_environ(self._environ, cookie_options=settings.rum_cookie_options)

    def gpc(self) -> str | None:
        return cast("str | None", self._environ.get("HTTP_SEC_GPC"))


class ScopeHeaders:
    """The headers of an ASGI request, field by field."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self._fields = fields

    def rum_session(self, settings: Settings, now: float | None) -> RumSession | None:
        rate, options = settings.rum_session_sample_rate, settings.rum_cookie_options
        return rum_session_from_scope(self._fields, now=now, sample_rate=rate, cookie_options=options)

    def anonymous_id(self, settings: Settings) -> str | None:
        return anonymous_id_from_scope(self._fields, cookie_options=settings.rum_cookie_options)

    def gpc(self) -> str | None:
        found = [value.decode("latin-1") for name, value in self._fields if name == b"sec-gpc"]
        return ",".join(found) if found else None


class ServedRequest(Protocol):
    """What a framework must tell of a request that it serves. Nothing of it is asked before an event needs it."""

    login_name: str
    """What a debug panel calls the place that `login()` looks at."""

    @property
    def headers(self) -> Headers: ...

    @property
    def handshake(self) -> Handshake | None:
        """When the body was begun, or the websocket opened for which this stands; None for a plain request."""
        ...

    def ask(self, name: str, resolver: Resolver) -> Any:
        """Call a callable of the application with the framework's request, so that the answer's headers stay."""
        ...

    def login(self) -> str | None:
        """Return the id of the user who is logged in, where USER_ID says nothing."""
        ...

    def fields(self, whose: Whose, names: tuple[str, ...], usr: str | None) -> Mapping[str, Any]:
        """Return fields of that user; raise `EventError` if `usr` is the id of somebody else."""
        ...

    def is_impersonated(self) -> bool:
        """Tell whether staff act as that user, in a browser that is not his."""
        ...

    def fallback_session(self, *, may_write: bool) -> str | None:
        """Return an id of the framework's own session; an event may have one made, a debug panel may not."""
        ...


class RequestIdentity:
    """The ids of one request. Each is looked up when it is read, so that an event pays only for what it lacks."""

    __slots__ = ("_account_id", "_request", "_settings", "_user_id")

    def __init__(
        self,
        request: ServedRequest,
        settings: Settings,
        *,
        user_id: Resolver | None = None,
        account_id: Resolver | None = None,
    ) -> None:
        """Look at a request. `user_id` and `account_id` stand for USER_ID and ACCOUNT_ID."""
        self._request = request
        self._settings = settings
        self._user_id: Any = user_id or settings.user_id
        self._account_id: Any = account_id or settings.account_id

    @property
    def usr(self) -> str | None:
        """What USER_ID says if it is set, else who is logged in; nothing the client claims."""
        return self._request.login() if self._user_id is None else self._asked("usr", self._user_id)

    @property
    def account(self) -> str | None:
        """What ACCOUNT_ID says."""
        return self._asked("account", self._account_id)

    @property
    def session(self) -> str | None:
        """The session of the browser, if it is the user's own."""
        found = self.browser_session
        return None if found is None or self._request.is_impersonated() else found

    @property
    def browser_session(self) -> str | None:
        """The session of the browser that sent the request, whoever acts.

        It is what SESSION_ID says if that is set, else the live RUM session; where there is none, with
        SESSION_FALLBACK, an id of the framework's session.
        """
        settings = self._settings
        if settings.session_id is None:
            rum = self._rum_session()
            found = rum.id if rum else None
        else:
            found = self._asked("session", settings.session_id)
        if found is None and settings.session_fallback:
            return self._request.fallback_session(may_write=True)
        return found

    @property
    def is_impersonated(self) -> bool:
        """Whether staff act as the request's user."""
        return self._request.is_impersonated()

    @property
    def consent(self) -> bool | None:
        """What RESPECT_GPC and CONSENT say."""
        gpc, settings = self._request.headers.gpc(), self._settings
        return cast(
            "bool | None", self._request.ask("consent", lambda request: request_consent(settings, request, gpc))
        )

    def known(self, whose: Whose) -> object:
        """Return what USER_ATTRIBUTES or ACCOUNT_ATTRIBUTES says; names are fields of the user who is logged in."""
        wanted: Any = self._settings.user_attributes if whose == "usr" else self._settings.account_attributes
        if not isinstance(wanted, tuple):
            return self._asked(whose, wanted)
        return self._request.fields(whose, wanted, None if self._user_id is None else self.usr)

    @property
    def anonymous_id(self) -> str | None:
        """The browser SDK's id of the visitor, if that is the request's user."""
        found = self._request.headers.anonymous_id(self._settings)
        return None if found is None or self._request.is_impersonated() else found

    def origin(self, name: str, found: str) -> str:
        """Say where an id that was just read is from; for a debug panel. Calls nothing of the application's."""
        settings = self._settings
        if name == "usr":
            return self._request.login_name if self._user_id is None else "USER_ID"
        if name == "account":
            return "ACCOUNT_ID"
        rum = None if settings.session_id else self._rum_session()
        fallback = self._request.fallback_session(may_write=False) if settings.session_fallback else None
        return session_origin(found, rum=rum, fallback=fallback, otherwise="SESSION_ID")

    def _rum_session(self) -> RumSession | None:
        handshake = self._request.handshake
        now = None if handshake is None else handshake.now
        if handshake is not None and now is None:
            return None
        return self._request.headers.rum_session(self._settings, now)

    def _asked(self, name: str, resolver: Any) -> str | None:
        return cast("str | None", self._request.ask(name, resolver)) if callable(resolver) else None
