"""Sign-ins, sign-outs, failed sign-ins and sign-ups as events. Imported only where `AUTH_EVENTS` is on.

Flask-Login tells of the first two. Flask-Security, where it is installed, tells of the others: Flask-Login has no
signal for a wrong password and none for a new user.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from flask import Flask, has_request_context
from flask_login import user_logged_in, user_logged_out

from dd_pa_flask.app_signals import listen
from dd_pa_flask.login import id_of, logged_in_as
from dd_pa_flask.state import AppState


class AuthEvents:
    """Receives the signals of one app."""

    def __init__(self, app: Flask, state: AppState) -> None:
        self._state = state
        listen(user_logged_in, app, self.signed_in)
        listen(user_logged_out, app, self.signed_out)
        if find_spec("flask_security") is None:
            return
        signals = importlib.import_module("flask_security.signals")
        listen(signals.user_registered, app, self.signed_up)
        if hasattr(signals, "user_failed_authn"):  # since Flask-Security 5.8
            listen(signals.user_failed_authn, app, self.sign_in_failed)

    def signed_in(self, app: Flask, *, user: Any, **_: Any) -> None:
        """Name the user who has just logged in."""
        self._track("user.signed_in", user)

    def signed_out(self, app: Flask, *, user: Any, **_: Any) -> None:
        """Name the user who leaves."""
        self._track("user.signed_out", user)

    def signed_up(self, app: Flask, *, user: Any, **_: Any) -> None:
        """Name the new user when the request has ended: it is saved then, and what failed until then was no sign-up."""
        if has_request_context():
            self._state.at_end("user.signed_up", lambda *_: self._track("user.signed_up", user, may_wait=False))
        else:
            self._track("user.signed_up", user)

    def sign_in_failed(self, app: Flask, **_: Any) -> None:
        """Name nobody but the request's own login and session: who holds the password that was tried did nothing."""
        self._state.emitter.track("user.sign_in_failed")

    def _track(self, name: str, user: Any, *, may_wait: bool = True) -> None:
        if not user or not user.is_authenticated:
            return
        emitter = self._state.emitter
        with logged_in_as(user):
            try:
                usr = self._usr(user)
            except Exception as error:
                emitter.integration.drop_invalid(name, error)
                return
            if usr is None and may_wait and has_request_context():  # the user is not saved yet
                self._state.at_end(name, lambda *_: self._track(name, user, may_wait=False))
                return
            track = self._state.track if may_wait else emitter.track  # at the end of the request nothing waits any more
            track(name, usr=usr)

    def _usr(self, user: Any) -> str | None:
        identity = self._state.identity()
        if identity is not None:
            return identity.usr
        return None if self._state.emitter.settings.user_id else id_of(user)
