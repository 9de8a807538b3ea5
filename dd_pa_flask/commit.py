"""When an event of `track()` leaves: at once, or with what a session of SQLAlchemy commits.

SQLAlchemy is no dependency of ours. Where an app does not use it, an event costs a look into a dictionary more.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from flask import (
    Flask,
    Request,
    appcontext_pushed,
    appcontext_tearing_down,
    current_app,
    has_app_context,
    has_request_context,
)
from flask.globals import app_ctx

from dd_pa import BuiltEvent, Emitter, EventError
from dd_pa_flask.app_signals import listen, stop_listening
from dd_pa_flask.context import request_context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session

    from dd_pa.sqlalchemy import AnySession


class CommitWatch:
    """Lets the events of one app wait for the commits of its sessions, and ends the wait when there is none to come."""

    def __init__(self, app: Flask) -> None:
        self._watched: object = None
        """The `db.session` whose work is noted."""

        # By the app context that ends the wait; each with the request that does, if it was begun in one.
        self._waiting: WeakKeyDictionary[Any, dict[Session, Request | None]] = WeakKeyDictionary()
        app.teardown_request(self.request_ends)
        listen(appcontext_pushed, app, self._first_context)
        listen(appcontext_tearing_down, app, self._context_ends)

    def hand_over(self, emitter: Emitter, event: BuiltEvent, on_commit: bool | AnySession | None) -> bool:
        """Submit a built event now or on commit, as `ProductAnalytics.track` says; return False if it was dropped."""
        if on_commit is False or (on_commit is None and not emitter.settings.on_commit) or not self._is_current():
            return emitter.integration.submit(event)
        sessions = self._sessions(current_app)
        if on_commit is None:
            return emitter.integration.submit(event) if sessions is None else self._with_work(sessions, emitter, event)
        session = _plain(sessions if on_commit is True else on_commit)
        if session is None:
            _refuse(emitter, on_commit)
            return emitter.integration.submit(event)
        from dd_pa.sqlalchemy.session_work import submit_on_next_commit  # noqa: PLC0415 - needs SQLAlchemy

        self._expect(session)
        return submit_on_next_commit(session, emitter, event)

    def _is_current(self) -> bool:
        """Tell whether the app's own context is the current one; a signal of the app may be sent elsewhere."""
        return has_app_context() and getattr(current_app.extensions.get("dd_pa"), "commits", None) is self

    def _with_work(self, sessions: scoped_session[Any], emitter: Emitter, event: BuiltEvent) -> bool:
        from dd_pa.sqlalchemy.session_work import submit_with_work  # noqa: PLC0415 - needs SQLAlchemy

        # A script that never commits may stay in one app context for ever: there, only what has begun is waited for.
        if not has_request_context() and not (sessions.registry.has() and sessions().in_transaction()):
            return emitter.integration.submit(event)
        session = sessions()
        self._expect(session)
        return submit_with_work(session, emitter, event)

    def _sessions(self, app: Flask) -> scoped_session[Any] | None:
        """Return the `db.session` of Flask-SQLAlchemy, or None."""
        extension = app.extensions.get("sqlalchemy")
        if extension is None or (sessions := getattr(extension, "session", None)) is None:
            return None
        if sessions is not self._watched:
            from dd_pa.sqlalchemy.session_work import watch  # noqa: PLC0415 - needs SQLAlchemy

            if not watch(sessions):
                return None
            self._watched = sessions
        return cast("scoped_session[Any]", sessions)

    def _expect(self, session: Session) -> None:
        request = request_context().request if has_request_context() else None
        self._waiting.setdefault(app_ctx._get_current_object(), {}).setdefault(session, request)  # type: ignore[attr-defined] # a proxy

    def request_ends(self, error: BaseException | None = None) -> None:
        """Let go of what waits in sessions that have nothing to write. In a nested request, the outer one's stays."""
        waiting = self._waiting.get(app_ctx._get_current_object())  # type: ignore[attr-defined] # a proxy
        if not waiting:
            return
        from dd_pa.sqlalchemy.session_work import settle  # noqa: PLC0415 - needs SQLAlchemy

        current = request_context().request
        for session, request in list(waiting.items()):
            if request is current:
                settle(session)

    def _first_context(self, app: Flask, **_: Any) -> None:
        """By now the app's extensions are set up, and nothing is written yet."""
        stop_listening(appcontext_pushed, app, self._first_context)
        self._sessions(app)

    def _context_ends(self, app: Flask, **_: Any) -> None:
        waiting = self._waiting.pop(app_ctx._get_current_object(), None)  # type: ignore[attr-defined] # a proxy
        if not waiting:
            return
        from dd_pa.sqlalchemy.session_work import release  # noqa: PLC0415 - needs SQLAlchemy

        for session in waiting:
            release(session)


def _plain(sessions: Any) -> Session | None:
    """Return the sync session of one that is scoped, async or both; None of what is no session."""
    own = sessions() if callable(sessions) else sessions
    session: Any = getattr(own, "sync_session", own)
    orm = sys.modules.get("sqlalchemy.orm")
    return session if orm is not None and isinstance(session, orm.Session) else None


def _refuse(emitter: Emitter, on_commit: object) -> None:
    kind = "True, but the app has no db.session of Flask-SQLAlchemy" if on_commit is True else type(on_commit).__name__
    problem = f"is {kind}: pass a session of SQLAlchemy, or False to send the event at once"
    if emitter.settings.strict:
        raise EventError("on_commit", problem)
    emitter.integration.say("on_commit", "an event left at once, as on_commit %s", problem)
