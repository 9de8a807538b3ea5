from __future__ import annotations

import sys
from typing import Any, cast

from flask import Flask, Request

from dd_pa import EventError, RumSession, Settings, request_consent, rum_session_from_environ
from dd_pa.gateways.gateway import Handshake, Whose, anonymous_id_from_environ, fields_of, require_same
from dd_pa.observe.event_log import session_origin
from dd_pa_flask.context import SessionUnseen
from dd_pa_flask.session_fallback import fallback_session

HANDSHAKE = "dd_pa.handshake"
"""Where an environ has when its body was begun, or when an event first asked for the session of a websocket."""


def uses_flask_login(app: Flask) -> bool:
    """Tell whether an app has Flask-Login's manager; does not import it, since then the app has done so."""
    flask_login = sys.modules.get("flask_login")
    return flask_login is not None and isinstance(getattr(app, "login_manager", None), flask_login.LoginManager)


class RequestIdentity:
    """The ids of one request. Each is looked up when it is read, so that an event pays only for what it lacks.

    `is_answered`: the session was saved, and what is written to it now is lost. `is_dispatched`: by Flask itself; else
    somebody has made a request context, as Flask-SocketIO does for each message of a websocket.
    """

    __slots__ = ("_app", "_is_answered", "_is_dispatched", "_request", "_settings")

    def __init__(
        self, app: Flask, request: Request, settings: Settings, *, is_answered: bool, is_dispatched: bool
    ) -> None:
        self._app = app
        self._request = request
        self._settings = settings
        self._is_answered = is_answered
        self._is_dispatched = is_dispatched

    @property
    def usr(self) -> str | None:
        """What `USER_ID` says if it is set, else the id of Flask-Login's user; nothing the client claims."""
        if self._settings.user_id is not None:
            return self._resolved(self._settings.user_id)
        if not uses_flask_login(self._app):
            return None
        from dd_pa_flask.login import logged_in_user_id  # noqa: PLC0415 - needs Flask-Login

        return logged_in_user_id()

    @property
    def account(self) -> str | None:
        """What `ACCOUNT_ID` says."""
        return self._resolved(self._settings.account_id)

    @property
    def session(self) -> str | None:
        """What `SESSION_ID` says if it is set, else the live RUM session of the request's baggage or cookie.

        Where that finds none, with SESSION_FALLBACK, the id of Flask's session.
        """
        settings = self._settings
        if settings.session_id is not None:
            found = self._resolved(settings.session_id)
        else:
            rum = self._rum_session()
            found = rum.id if rum else None
        if found is None and settings.session_fallback:
            return fallback_session(self._app, may_write=not self._is_answered)
        return found

    def known(self, whose: Whose) -> object:
        """Return what `USER_ATTRIBUTES` or `ACCOUNT_ATTRIBUTES` says; names are fields of Flask-Login's user."""
        wanted = self._settings.user_attributes if whose == "usr" else self._settings.account_attributes
        if not isinstance(wanted, tuple):
            return self._resolved(wanted)
        if not uses_flask_login(self._app):
            raise EventError(whose, "names of fields need Flask-Login's user; give a callable of the request")
        from dd_pa_flask.login import ids_of, logged_in_user  # noqa: PLC0415 - needs Flask-Login

        usr = None if self._settings.user_id is None else self.usr
        with SessionUnseen():
            user = logged_in_user()
            if usr is not None:
                require_same(whose, usr, user, ids_of(user))
            return fields_of(whose, user, wanted)

    @property
    def anonymous_id(self) -> str | None:
        """The browser SDK's id of the visitor, if the request's cookie has one."""
        return anonymous_id_from_environ(self._request.environ, cookie_options=self._settings.rum_cookie_options)

    def origin(self, name: str, found: str) -> str:
        """Say where an id that was just read is from; for a debug panel. Calls nothing of the application's."""
        settings = self._settings
        if name == "usr":
            return "login (Flask-Login)" if settings.user_id is None else "USER_ID"
        if name == "account":
            return "ACCOUNT_ID"
        rum = None if settings.session_id is not None else self._rum_session()
        fallback = fallback_session(self._app, may_write=False) if settings.session_fallback else None
        return session_origin(found, rum=rum, fallback=fallback, otherwise="SESSION_ID")

    def _rum_session(self) -> RumSession | None:
        environ = self._request.environ
        if not self._is_dispatched:
            environ.setdefault(HANDSHAKE, Handshake())
        begun: Handshake | None = environ.get(HANDSHAKE)
        now = None if begun is None else begun.now
        if begun is not None and now is None:
            return None
        return rum_session_from_environ(
            environ,
            now=now,
            sample_rate=self._settings.rum_session_sample_rate,
            cookie_options=self._settings.rum_cookie_options,
        )

    @property
    def consent(self) -> bool | None:
        """What RESPECT_GPC and CONSENT say."""
        with SessionUnseen():
            return request_consent(self._settings, self._request, self._request.headers.get("Sec-GPC"))

    def _resolved(self, resolver: Any) -> str | None:
        if not callable(resolver):
            return None
        with SessionUnseen():
            return cast("str | None", resolver(self._request))  # what else it may return, the emitter checks
