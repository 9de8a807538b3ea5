"""Whose request this is: the ids are looked up when an event is tracked, and only those that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from dd_pa import EventError, RumSession, Settings, request_consent, rum_session_from_environ, rum_session_from_scope
from dd_pa.gateways.gateway import (
    Handshake,
    Steps,
    Whose,
    Work,
    anonymous_id_from_environ,
    anonymous_id_from_scope,
    fields_of,
    is_request_known,
    require_same,
)
from dd_pa.observe.event_log import session_origin
from dd_pa_django.impersonation import is_impersonated, needs_loading
from dd_pa_django.login import current_user
from dd_pa_django.session_fallback import fallback_session
from dd_pa_django.unmarked_session import unnoticed

current_request: ContextVar[HttpRequest | None] = ContextVar("dd_pa_django_request", default=None)
"""The request that this thread or task works for. Set by the middleware, and again around each chunk of a stream."""


HANDSHAKE = "_dd_pa_handshake"
"""Name of a request's attribute: when its body was begun, or the websocket was opened for which it stands."""


@contextmanager
def serving(request: HttpRequest | None) -> Iterator[None]:
    """Mark a block as work for a request.

    Holds no `ContextVar` token: an abandoned coroutine is closed in another context, where a token cannot be used, and
    where nothing of this is to be changed.
    """
    previous = current_request.get()
    current_request.set(request)
    try:
        yield
    finally:
        if current_request.get() is request:
            current_request.set(previous)


class Streamed:
    """A request whose answer is streamed: served chunk by chunk, until its body is closed."""

    __slots__ = ("_request", "_steps")

    def __init__(self, request: HttpRequest, work: Work) -> None:
        self._request = request
        self._steps = Steps(work)
        vars(request)[HANDSHAKE] = Handshake()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Mark a block as work for the request."""
        with serving(self._request), self._steps.step():
            yield

    def end(self) -> None:
        """Let the request be over: what was started in it and lives on acts for nobody."""
        self._steps.work.end()


def served_request() -> HttpRequest | None:
    """Return the request that this thread or task works for, if it has not been answered yet."""
    request = current_request.get()
    return request if request is not None and is_request_known() else None


def request_identity(settings: Settings) -> RequestIdentity | None:
    """Return the identity of the current request, with nothing looked up yet; None where none is served."""
    request = served_request()
    return None if request is None else RequestIdentity(request, settings)


class RequestIdentity:
    """The ids of one request. Reading one may query the database, and leaves the answer's headers as they were."""

    __slots__ = ("_request", "_settings")

    def __init__(self, request: HttpRequest, settings: Settings) -> None:
        self._request = request
        self._settings = settings

    @property
    def usr(self) -> str | None:
        return self._id("usr", self._settings.user_id or primary_key)

    @property
    def account(self) -> str | None:
        resolver = self._settings.account_id
        return self._id("account", resolver) if resolver else None

    @property
    def session(self) -> str | None:
        """The session of the browser, if it is the user's own."""
        found = self.browser_session
        return None if found is None or self.is_impersonated else found

    @property
    def is_impersonated(self) -> bool:
        """Whether staff act as the request's user, in a browser that is not his."""
        request = self._request
        if not needs_loading(request):
            return is_impersonated(request)
        try:
            return bool(self._read("session", is_impersonated))
        except Exception:
            if self._settings.user_id is None:  # then nobody is named, beside whom the session could be a stranger's
                return False
            raise

    @property
    def browser_session(self) -> str | None:
        """The session of the browser that sent the request, whoever acts."""
        resolver = self._settings.session_id
        if resolver:
            found = self._id("session", resolver)
        else:
            rum = self._rum_session()
            found = rum.id if rum else None
        return fallback_session(self._request) if found is None and self._settings.session_fallback else found

    @property
    def consent(self) -> bool | None:
        return cast("bool | None", self._read("consent", self._consent_of))

    def known(self, whose: Whose) -> object:
        """Return what USER_ATTRIBUTES or ACCOUNT_ATTRIBUTES says."""
        wanted = self._settings.user_attributes if whose == "usr" else self._settings.account_attributes
        if not isinstance(wanted, tuple):
            return self._read(whose, wanted)
        usr = None if self._settings.user_id is None else self.usr
        return self._read(whose, lambda request: _fields(whose, current_user(request), wanted, usr))

    @property
    def anonymous_id(self) -> str | None:
        """The browser SDK's id of the visitor, if that is the request's user."""
        found = self._anonymous_id()
        return None if found is None or self.is_impersonated else found

    def _anonymous_id(self) -> str | None:
        request, options = self._request, self._settings.rum_cookie_options
        if isinstance(request, ASGIRequest):
            return anonymous_id_from_scope(request.scope["headers"], cookie_options=options)
        return anonymous_id_from_environ(request.META, cookie_options=options)

    def _consent_of(self, request: HttpRequest) -> bool | None:
        return request_consent(self._settings, request, request.META.get("HTTP_SEC_GPC"))

    def _id(self, name: str, resolver: Any) -> str | None:
        return cast("str | None", self._read(name, resolver))

    def _read(self, name: str, resolver: Any) -> Any:
        try:
            with unnoticed(self._request):
                return resolver(self._request)
        except SynchronousOnlyOperation as error:
            raise EventError(name, "is not loaded yet, which async code cannot do here: use await atrack(…)") from error

    def origin(self, name: str, found: str) -> str:
        """Say where an id that was just read is from; for a debug panel. Calls nothing of the project's."""
        settings = self._settings
        if name == "usr":
            return "USER_ID" if settings.user_id else "login (request.user)"
        if name == "account":
            return "ACCOUNT_ID"
        rum = None if settings.session_id else self._rum_session()
        fallback = fallback_session(self._request) if settings.session_fallback else None
        return session_origin(found, rum=rum, fallback=fallback, otherwise="SESSION_ID")

    def _rum_session(self) -> RumSession | None:
        request, rate = self._request, self._settings.rum_session_sample_rate
        options = self._settings.rum_cookie_options
        handshake: Handshake | None = vars(request).get(HANDSHAKE)
        now = None if handshake is None else handshake.now
        if handshake is not None and now is None:
            return None
        if isinstance(request, ASGIRequest):
            # Its META joins the fields of a split Cookie header with a comma, in which cookies get lost.
            return rum_session_from_scope(request.scope["headers"], now=now, sample_rate=rate, cookie_options=options)
        return rum_session_from_environ(request.META, now=now, sample_rate=rate, cookie_options=options)


def _fields(whose: Whose, user: Any, names: tuple[str, ...], usr: str | None) -> dict[str, Any]:
    if usr is not None:
        own = [each.attname for each in user._meta.concrete_fields if each.unique] if hasattr(user, "_meta") else ["pk"]
        require_same(whose, usr, user, [getattr(user, name, None) for name in own])
    return fields_of(whose, user, names)


def primary_key(request: HttpRequest) -> str | None:
    user = current_user(request)
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    key = getattr(user, "pk", None)
    return None if key is None else str(key)
