"""Flask-Login's side. Imported only by apps that have a login manager, as Flask-Login is no dependency of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, g, has_request_context
from flask_login import current_user, user_needs_refresh, user_unauthorized

from dd_pa_flask.context import SessionUnchanged

_LOADED = "_login_user"  # where Flask-Login keeps the user of the request in `g`


def logged_in_user_id() -> str | None:
    """Return `get_id()` of the user who is logged in, or None.

    Loads the user as the view would, once for both. But where loading writes to the session (a remember-me cookie,
    session protection), that is undone and left to the application, so that no event puts a cookie on a response.
    """
    if _LOADED in g:
        return id_of(current_user)
    session = SessionUnchanged()
    with session:
        user_id = id_of(current_user)
    if session.was_changed:
        g.pop(_LOADED, None)
    return user_id


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


def _refused(app: Flask, **_: Any) -> None:
    state = app.extensions.get("dd_pa")
    if state is not None and has_request_context():
        state.refuse()


# A refusal usually redirects to the login page, which by its status alone would pass for a success.
user_unauthorized.connect(_refused)
user_needs_refresh.connect(_refused)
