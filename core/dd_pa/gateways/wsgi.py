"""Identity for any WSGI application: a plain middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from dd_pa.gateways.gateway import HANDSHAKE, EnvironHeaders, GatewayIdentity, Handshake, Resolver, Steps, Work
from dd_pa.settings.settings import Settings

Environ = dict[str, Any]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_current: ContextVar[Environ | None] = ContextVar("dd_pa_wsgi_environ", default=None)

_FILE_WRAPPER = "wsgi.file_wrapper"


class ProductAnalyticsMiddleware:
    """Lets events know which request they belong to, in its streamed body and in the body's `close()` too.

    It remembers the environ and nothing else: no header is read before an event is tracked, none is changed. Between
    two parts of a body nothing of the request is left in the thread. A file that the server sends by itself stays one.
    """

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _Request(environ)
        try:
            with request.serving(), _noting_files(environ) as is_servers_file:
                body = self._app(environ, start_response)
        except BaseException:
            request.end()
            raise
        # Of these no code runs while they are sent, and a server may look at what they are.
        if isinstance(body, (list, tuple)) or is_servers_file(body):
            request.end()
            return body
        environ[HANDSHAKE] = Handshake()
        return Body(request, body)


class _Request:
    """A request, from its call to the end of its body."""

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self._work = Work()
        self._work.pause()
        self._steps = Steps(self._work)

    @contextmanager
    def serving(self) -> Iterator[None]:
        before = _current.get()
        _current.set(self._environ)
        try:
            with self._steps.step():
                yield
        finally:
            _current.set(before)

    def end(self) -> None:
        self._work.end()


@contextmanager
def _noting_files(environ: Environ) -> Iterator[Callable[[object], bool]]:
    """Give what tells a file that the server will send by itself.

    Some servers (gunicorn) know it by its type, which is their wrapper; others (uWSGI) by its being the very object
    that their wrapper returned.
    """
    wrapper = environ.get(_FILE_WRAPPER)
    if wrapper is None or isinstance(wrapper, type):
        yield lambda body: wrapper is not None and isinstance(body, wrapper)
        return
    files: list[object] = []

    def noted(*args: Any) -> Any:
        files.append(file := wrapper(*args))
        return file

    environ[_FILE_WRAPPER] = noted
    try:
        yield lambda body: any(body is file for file in files)
    finally:
        environ[_FILE_WRAPPER] = wrapper


class Body:
    """A body whose parts are made as work for its request."""

    def __init__(self, request: _Request, parts: Iterable[bytes]) -> None:
        self._request = request
        self._parts = parts
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._request.serving():
            if self._iterator is None:
                self._iterator = iter(self._parts)
            return next(self._iterator)

    def close(self) -> None:
        """End the body, at its end or in its middle, as servers do."""
        close = getattr(self._parts, "close", None)
        try:
            if close is not None:
                with self._request.serving():
                    close()
        finally:
            self._request.end()


def request_identity(
    settings: Settings, *, user_id: Resolver | None = None, account_id: Resolver | None = None
) -> GatewayIdentity:
    """Return what `Emitter(settings, identity=…)` takes. The browser session comes from baggage or cookie.

    `user_id` and `account_id` (else USER_ID and ACCOUNT_ID) are called with the environ when an event needs them, and
    return None for nobody. SESSION_ID, CONSENT, USER_ATTRIBUTES and ACCOUNT_ATTRIBUTES are called with the environ too.
    """
    return GatewayIdentity(
        settings=settings, current=_current, headers=EnvironHeaders, user_id=user_id, account_id=account_id
    )
