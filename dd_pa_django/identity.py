"""Whose request this is: the ids are looked up when an event is tracked, and only those that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from dd_pa import EventError, Settings
from dd_pa.gateways.gateway import (
    EnvironHeaders,
    Handshake,
    Headers,
    RequestIdentity,
    Resolver,
    ScopeHeaders,
    Steps,
    Whose,
    Work,
    fields_of,
    is_request_known,
    require_same,
)
from dd_pa_django.impersonation import is_impersonated, needs_loading
from dd_pa_django.login import current_user
from dd_pa_django.session_fallback import fallback_session
from dd_pa_django.unmarked_session import unmarked_session

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


class StreamedRequest:
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
    return None if request is None else identity_of(request, settings)


def identity_of(request: HttpRequest, settings: Settings) -> RequestIdentity:
    """Return the identity of a request."""
    return RequestIdentity(DjangoRequest(request, settings), settings)


class DjangoRequest:
    """What Django tells of a request. It may query the database, and leaves the answer's headers as they were."""

    __slots__ = ("_request", "_settings")

    login_name = "login (request.user)"

    def __init__(self, request: HttpRequest, settings: Settings) -> None:
        self._request = request
        self._settings = settings

    @property
    def headers(self) -> Headers:
        request = self._request
        # The META of ASGI joins the fields of a split Cookie header with a comma, in which cookies get lost.
        if isinstance(request, ASGIRequest):
            return ScopeHeaders(request.scope["headers"])
        return EnvironHeaders(request.META)

    @property
    def handshake(self) -> Handshake | None:
        found: Handshake | None = vars(self._request).get(HANDSHAKE)
        return found

    def ask(self, name: str, resolver: Resolver) -> Any:
        try:
            with unmarked_session(self._request):
                return resolver(self._request)
        except SynchronousOnlyOperation as error:
            raise EventError(name, "is not loaded yet, which async code cannot do here: use await atrack(…)") from error

    def login(self) -> str | None:
        return cast("str | None", self.ask("usr", primary_key))

    def fields(self, whose: Whose, names: tuple[str, ...], usr: str | None) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.ask(whose, lambda request: _fields(whose, current_user(request), names, usr))
        return found

    def is_impersonated(self) -> bool:
        request = self._request
        if not needs_loading(request):
            return is_impersonated(request)
        try:
            return bool(self.ask("session", is_impersonated))
        except Exception:
            if self._settings.user_id is None:  # then nobody is named, beside whom the session could be a stranger's
                return False
            raise

    def fallback_session(self, *, may_write: bool) -> str | None:
        return fallback_session(self._request)


def _fields(whose: Whose, user: Any, names: tuple[str, ...], usr: str | None) -> dict[str, Any]:
    if usr is not None:
        own = [each.attname for each in user._meta.concrete_fields if each.unique] if hasattr(user, "_meta") else ["pk"]
        require_same(whose, usr, user, [getattr(user, name, None) for name in own])
    return fields_of(whose, user, names)


def primary_key(request: HttpRequest) -> str | None:
    return key_of(current_user(request))


def key_of(user: Any) -> str | None:
    """Return a user's primary key; None of a visitor, and of one who is not saved or was deleted."""
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    key = getattr(user, "pk", None)
    return None if key is None else str(key)
