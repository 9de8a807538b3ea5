"""Flask-Login's side. Imported only by apps that have a login manager, as Flask-Login is no dependency of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask, Request, g, has_request_context
from flask_login import current_user, user_needs_refresh, user_unauthorized

from dd_pa_flask.context import UnchangedSession, request_context

_LOADED = "_login_user"
"""Where Flask-Login keeps the user in `g`, which all requests that are handled in one app context share."""

_SESSION_USER = "_user_id"
"""Where Flask-Login keeps the id of the user in the session."""

_seen: WeakKeyDictionary[Request, tuple[object, Any]] = WeakKeyDictionary()
"""The users who were loaded for events, with the id that the session had; `g` is the application's own."""


def logged_in_user_id() -> str | None:
    """Return `get_id()` of the user who is logged in, or None.

    Takes the user whom the application has loaded. Else loads one as the view would, once for all events of a request,
    and undoes what that writes to `g` and the session: who is logged in stays the application's business, in nested
    contexts too, and no event puts a cookie on a response. The view loads its user itself then, which costs no query
    where the ORM's session still has the row.
    """
    return id_of(logged_in_user())


def logged_in_user() -> Any:
    """Return the user who is logged in, or the visitor who is not; loaded as `logged_in_user_id` says."""
    return current_user if _LOADED in g else _user_of(request_context().request)


def _user_of(request: Request) -> Any:
    with UnchangedSession() as session:
        claimed = session.get(_SESSION_USER)
        known = _seen.get(request)
        if known is None or known[0] != claimed:
            known = _seen[request] = claimed, _loaded()
    return known[1]


def _loaded() -> Any:
    try:
        return current_user._get_current_object()
    finally:
        g.pop(_LOADED, None)


@contextmanager
def logged_in_as(user: Any) -> Iterator[None]:
    """Let a block see a user as the one who is logged in; for the moment between a sign-up and its first login."""
    missing = object()
    previous = g.get(_LOADED, missing)
    setattr(g, _LOADED, user)
    try:
        yield
    finally:
        if previous is missing:
            g.pop(_LOADED, None)
        else:
            setattr(g, _LOADED, previous)


def id_of(user: Any) -> str | None:
    """Return `get_id()` as text, or None for a visitor who is not logged in."""
    if not user or not user.is_authenticated:
        return None
    user_id = user.get_id()
    return None if user_id is None else str(user_id)


def ids_of(user: Any) -> list[object]:
    """Return what is known to be of this user alone: his id for Flask-Login, his key, unique columns of SQLAlchemy."""
    mapper = getattr(type(user), "__mapper__", None)
    columns = () if mapper is None else mapper.column_attrs
    unique = [each.key for each in columns if each.columns[0].primary_key or each.columns[0].unique]
    return [id_of(user), *(getattr(user, name, None) for name in ("id", "pk", *unique))]


def _refused(app: Flask, **_: Any) -> None:
    state = app.extensions.get("dd_pa")
    if state is not None and has_request_context():
        state.refuse()


# A refusal usually redirects to the login page, which by its status alone would pass for a success.
user_unauthorized.connect(_refused)
user_needs_refresh.connect(_refused)
