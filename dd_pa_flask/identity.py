from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from flask import Flask, Request

from dd_pa import EventError
from dd_pa.gateways.gateway import (
    HANDSHAKE,
    EnvironHeaders,
    Handshake,
    Headers,
    Resolver,
    Whose,
    fields_of,
    require_same,
)
from dd_pa_flask.context import UnmarkedSession
from dd_pa_flask.session_fallback import fallback_session


def uses_flask_login(app: Flask) -> bool:
    """Tell whether an app has Flask-Login's manager; does not import it, since then the app has done so."""
    flask_login = sys.modules.get("flask_login")
    return flask_login is not None and isinstance(getattr(app, "login_manager", None), flask_login.LoginManager)


class FlaskRequest:
    """What Flask tells of a request.

    `is_answered`: the session was saved, and what is written to it now is lost. `is_dispatched`: by Flask itself; else
    somebody has made a request context, as Flask-SocketIO does for each message of a websocket.
    """

    __slots__ = ("_app", "_is_answered", "_is_dispatched", "_request")

    login_name = "login (Flask-Login)"

    def __init__(self, app: Flask, request: Request, *, is_answered: bool, is_dispatched: bool) -> None:
        self._app = app
        self._request = request
        self._is_answered = is_answered
        self._is_dispatched = is_dispatched

    @property
    def headers(self) -> Headers:
        return EnvironHeaders(self._request.environ)

    @property
    def handshake(self) -> Handshake | None:
        environ = self._request.environ
        if not self._is_dispatched:
            environ.setdefault(HANDSHAKE, Handshake())
        found: Handshake | None = environ.get(HANDSHAKE)
        return found

    def ask(self, name: str, resolver: Resolver) -> Any:
        with UnmarkedSession():
            return resolver(self._request)

    def login(self) -> str | None:
        if not uses_flask_login(self._app):
            return None
        from dd_pa_flask.login import logged_in_user_id  # noqa: PLC0415 - needs Flask-Login

        return logged_in_user_id()

    def fields(self, whose: Whose, names: tuple[str, ...], usr: str | None) -> Mapping[str, Any]:
        if not uses_flask_login(self._app):
            raise EventError(whose, "names of fields need Flask-Login's user; give a callable of the request")
        from dd_pa_flask.login import ids_of, logged_in_user  # noqa: PLC0415 - needs Flask-Login

        with UnmarkedSession():
            user = logged_in_user()
            if usr is not None:
                require_same(whose, usr, user, ids_of(user))
            return fields_of(whose, user, names)

    def is_impersonated(self) -> bool:
        return False

    def fallback_session(self, *, may_write: bool) -> str | None:
        return fallback_session(self._app, may_write=may_write and not self._is_answered)
