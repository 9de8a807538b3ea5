"""The parts of Flask's request context that have no public name in every supported version."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import flask.globals
from flask import has_request_context
from flask.sessions import SecureCookieSession, SessionMixin


def request_context() -> Any:
    """Return the context of the current request; raises `RuntimeError` outside of one."""
    # Flask 3.2 merges the two kinds, and warns on access by the old name.
    proxy = vars(flask.globals).get("request_ctx", flask.globals.app_ctx)
    return proxy._get_current_object()


def _session_unseen() -> SessionMixin:
    """Return the current request's session without marking it as accessed; where there is none (yet), an empty one."""
    if not has_request_context():
        return SecureCookieSession()
    contents = vars(request_context())
    # Since Flask 3.1.3 it is reading `session` that marks it; before, `_session` does not exist.
    found: SessionMixin | None = contents["_session"] if "_session" in contents else contents["session"]
    return SecureCookieSession() if found is None else found


class UnmarkedSession:
    """A block in which reading Flask's session adds no `Vary: Cookie` to the response.

    What the block writes to the session is kept, and sent with a `Vary` as usual.
    """

    def __enter__(self) -> SessionMixin:
        self._session = _session_unseen()
        self._accessed = self._session.accessed
        return self._session

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session.accessed != self._accessed:
            self._session.accessed = self._accessed


class UnchangedSession(UnmarkedSession):
    """A block in which the session can be read, and after which it is as it was before."""

    def __enter__(self) -> SessionMixin:
        session = super().__enter__()
        self._modified, self._contents = session.modified, dict(session)
        return session

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if dict(self._session) != self._contents:
            self._session.clear()
            self._session.update(self._contents)
        if self._session.modified != self._modified:
            self._session.modified = self._modified
        super().__exit__(exc_type, exc, traceback)
