"""SESSION_FALLBACK: an id of Flask's session where the browser has no RUM session."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSession

from dd_pa import pseudonymous_session
from dd_pa_flask.context import UnmarkedSession

KEY = "_dd_pa_session"
"""Where a session in a cookie keeps the random id."""


def fallback_session(app: Flask, *, may_write: bool) -> str | None:
    """Return the id of the current request's session, or None if it has none and cannot get one.

    A session on the server (Flask-Session) has a key: its pseudonym is used, once there is something in the session.
    A session in a cookie has none: a random id is put into it, which sends the cookie, if `may_write`.
    """
    with UnmarkedSession() as session:
        key = getattr(session, "sid", None)
        if isinstance(key, str):
            return pseudonymous_session(app.secret_key, key) if app.secret_key and session else None
        if not isinstance(session, SecureCookieSession) or app.session_interface.is_null_session(session):
            return None
        return _kept_in(session, may_write=may_write)


def _kept_in(session: Any, *, may_write: bool) -> str | None:
    kept = session.get(KEY)
    if kept is None and may_write:
        kept = session[KEY] = str(uuid.uuid4())
    return kept if isinstance(kept, str) else None
