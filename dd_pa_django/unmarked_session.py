"""Reading a request's session and user so that the answer stays what it would have been.

Django adds `Vary: Cookie` when the session was accessed, and deletes the cookie of a session that turns out to be
gone. An event's own look at the user must do neither. What the view reads afterwards must count as ever, or a page made
for one user would be cached for all: so a user who was loaded for an event is handed to the view as one still to load.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject, empty

_lock = threading.Lock()
_looking: ContextVar[object] = ContextVar("dd_pa_django_looking", default=None)
"""The session that an event looks at, in this thread or task."""


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it, and does not exist any more
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)


@contextmanager
def unmarked_session(request: HttpRequest) -> Iterator[None]:
    """Undo what a look at the session in this block would do to the answer; what was changed in it stays changed.

    Other threads and tasks of the request may read the session meanwhile, and that counts.
    """
    session: Any = getattr(request, "session", None)
    if session is None or getattr(session, "accessed", True):
        yield
        return
    user: Any = getattr(request, "user", None)
    load = user.__dict__["_setupfunc"] if is_pending(user) else None
    key, modified = session.session_key, session.modified
    with _told_apart(session):
        outer = _looking.get()
        _looking.set(session)
        try:
            yield
        finally:
            _looking.set(outer)
            if session.modified != modified:
                session.accessed = True
            elif not session.accessed:
                _forget_loss(session, key)
                if load is not None and not is_pending(user):
                    _load_again(request, user, SeenUser(session, user._wrapped, load))


@contextmanager
def _told_apart(session: Any) -> Iterator[None]:
    """Let a session tell the looks of events from those of others, as long as there are any."""
    contents = vars(session)
    with _lock:
        if _LOOKS not in contents:
            session.__class__ = _watched(session.__class__)
        contents[_LOOKS] = contents.get(_LOOKS, 0) + 1
    try:
        yield
    finally:
        with _lock:
            contents[_LOOKS] -= 1
            if not contents[_LOOKS]:
                del contents[_LOOKS]
                session.__class__ = session.__class__.__base__


_LOOKS = "_dd_pa_looks"


@functools.cache
def _watched(kind: Any) -> Any:
    """Return a class of session that does not count the looks of events as access."""

    def accessed(self: Any) -> bool:
        return bool(vars(self).get("accessed"))

    def access(self: Any, value: bool) -> None:
        if _looking.get() is not self:
            vars(self)["accessed"] = value

    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "accessed": property(accessed, access)})


def is_pending(user: Any) -> bool:
    """Tell whether a user is a lazy one that nobody has looked at."""
    return isinstance(user, SimpleLazyObject) and user._wrapped is empty


def _forget_loss(session: Any, key: str | None) -> None:
    """Undo what happens where no such session is found: its key is dropped, which would delete the browser's cookie."""
    if session.session_key != key:
        session._session_key = key
        vars(session).pop("_session_cache", None)


def _load_again(request: HttpRequest, user: Any, seen: SeenUser) -> None:
    user.__dict__["_setupfunc"] = seen.get
    user._wrapped = empty
    request.__dict__.pop("_cached_user", None)


class SeenUser:
    """A user loaded for an event, kept for whoever asks next, as long as the session says the same login."""

    def __init__(self, session: Any, user: Any, load: Callable[[], Any]) -> None:
        self.user = user
        self._session = session
        self.load = load
        self._login = self._stored_login()

    def _stored_login(self) -> tuple[object, object]:
        stored = getattr(self._session, "_session_cache", {})
        return stored.get(SESSION_KEY), stored.get(HASH_SESSION_KEY)

    @property
    def is_current(self) -> bool:
        return self._login == self._stored_login()

    def get(self) -> Any:
        """Return the user as the sync loader would: the session counts as accessed."""
        self._session.accessed = True
        return self.user if self.is_current else self.load()

    async def aget(self) -> Any:
        """Return the user as `request.auser()` would: the session counts as accessed."""
        self._session.accessed = True
        return self.user if self.is_current else await self.load()


class QuietSession:
    """A session as the async authentication sees it while it loads the user of an event.

    Reads leave no trace, even if other tasks of the request use the session meanwhile. Changes are passed on: a
    session that is renewed or found forged must reach the browser.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    async def aget(self, key: str, default: Any = None) -> Any:
        stored = await self._stored()
        return stored.get(key, default)

    async def _stored(self) -> dict[str, Any]:
        session = self._session
        if hasattr(session, "_session_cache"):
            return dict(session._session_cache)
        key = session.session_key
        loaded: dict[str, Any] = {} if key is None else await session.aload()
        if session.session_key != key:
            session._session_key = key
        elif not hasattr(session, "_session_cache"):
            session._session_cache = loaded
        return loaded

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        change: Callable[..., Awaitable[Any]] = getattr(self._session, name)
        return change
