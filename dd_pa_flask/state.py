from __future__ import annotations

import _thread
import contextlib
import dataclasses
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from flask import Flask, Request, Response, after_this_request, current_app, has_app_context, has_request_context

from dd_pa import Emitter, Event, Identity, Settings, SettingsError
from dd_pa.gateways.event_rule import EventRule
from dd_pa.gateways.gateway import HANDSHAKE, Handshake, RequestIdentity, Work, is_request_known
from dd_pa.gateways.rum_page import is_personal, unknown_visitor
from dd_pa_flask.browser import keep_private
from dd_pa_flask.commit import CommitWatch
from dd_pa_flask.configuration import says_strict, strict_by_default
from dd_pa_flask.context import request_context
from dd_pa_flask.identity import FlaskRequest, uses_flask_login
from dd_pa_flask.view_events import AtEnd, OnReturn, fire

if TYPE_CHECKING:
    from sqlalchemy import Table

    from dd_pa.sqlalchemy import AnySession

logger = logging.getLogger("dd_pa")


class AppState:
    """What Product Analytics keeps for one app, as `app.extensions["dd_pa"]`. Does not keep the app alive."""

    def __init__(self, app: Flask, settings: Settings, lacking: SettingsError | None = None) -> None:
        self._app = weakref.ref(app)
        # Its thread must not keep alive what the app's own callables refer to.
        self._made = Emitter(settings, identity=_weakly(self))
        self._by_strictness = {settings.strict: self._made}
        self._decided = self._made if says_strict(app) else None
        close_when_collected(app, self._made)

        self.lacking = lacking
        """What is missing, so that this command runs without events."""

        self.outbox: tuple[Any, Any] | None = None
        """Where `flask dd-pa deliver` delivers from: Flask-SQLAlchemy's extension or an engine, and the table."""

        self.commits = CommitWatch(app)
        """When events leave that are tracked beside `db.session`."""

        # Keyed by request rather than kept in `g`, which tests share between requests by pushing an app context.
        self._expected: WeakKeyDictionary[Request, list[tuple[str, AtEnd]]] = WeakKeyDictionary()
        # By context: a copy of it (`copy_current_request_context`) has the same request, and ends in its own thread.
        self._works: WeakKeyDictionary[Any, Work] = WeakKeyDictionary()
        self._refused: WeakSet[Request] = WeakSet()
        self._personal: WeakSet[Request] = WeakSet()
        self._streaming: WeakSet[Request] = WeakSet()
        self._begun: WeakSet[Request] = WeakSet()
        self._answered: WeakSet[Request] = WeakSet()

    @classmethod
    def of(cls, app: Flask) -> AppState | None:
        """Return the state of an app, or None if Product Analytics is not set up on it."""
        state = app.extensions.get("dd_pa")
        return state if isinstance(state, cls) else None

    @property
    def emitter(self) -> Emitter:
        """The emitter of this app, as strict as the app's flags say when it is first used."""
        return self._decided or self._decide()

    def _decide(self) -> Emitter:
        app = self._app()
        strict = self._made.settings.strict if app is None else strict_by_default(app)
        if app is not None and strict not in self._by_strictness:
            made = Emitter(dataclasses.replace(self._made.settings, strict=strict), identity=_weakly(self))
            made.outbox = self._made.outbox
            if self._by_strictness.setdefault(strict, made) is made:  # else another thread was first
                close_when_collected(app, made)
        self._decided = self._by_strictness[strict]
        return self._decided

    def keep_in(self, database: Any, table: Table) -> None:
        """Keep the events of sessions in a table of SQLAlchemy."""
        self.outbox = (database, table)
        for emitter in self._by_strictness.values():
            emitter.outbox = table

    def track(
        self,
        name: str | Event,
        attributes: Mapping[str, Any] | None = None,
        *,
        on_commit: bool | AnySession | None = None,
        **ids: Any,
    ) -> str | None:
        """Do what `ProductAnalytics.track` does, for this app."""
        emitter = self.emitter
        event = emitter.integration.build(name, attributes, **ids)
        return event.id if event is not None and self.commits.hand_over(emitter, event, on_commit) else None

    def identity(self) -> RequestIdentity | None:
        """Return the ids of the current request, unless there is none, it is over, or it is another app's."""
        if not has_request_context() or not is_request_known():
            return None
        context = request_context()
        if any(app.extensions.get("dd_pa") is not self for app in (context.app, current_app)):
            return None
        is_answered = context.request in self._answered
        is_dispatched = context.request in self._begun
        served = FlaskRequest(context.app, context.request, is_answered=is_answered, is_dispatched=is_dispatched)
        return RequestIdentity(served, self.emitter.settings)

    def ends(self, error: BaseException | None) -> None:
        """Be called when the context of a request is left for good: what was started in it acts for nobody any more."""
        work = self._works.pop(request_context(), None)
        if work is not None:
            work.end()

    def expect(self, rule: EventRule) -> OnReturn:
        """Return what is called with a view's answer, so that its event is fired at the end of the request."""
        if uses_flask_login(current_app):
            import dd_pa_flask.login  # noqa: PLC0415, F401 - needs Flask-Login; listens for refusals from now on
        return partial(self._returned, rule)

    def _returned(self, rule: EventRule, answer: Any) -> None:
        current = _request()
        if current in self._begun:
            self.at_end(rule.name, partial(fire, rule))
        elif current not in self._refused:  # nobody will say when it ends
            fire(rule, self.emitter, current, answer)

    def begin(self, app: Flask, **_: Any) -> None:
        """Receive `request_started`: this request is dispatched by Flask, which will say when it has ended."""
        self._works[request_context()] = Work()
        self._begun.add(_request())

    def at_end(self, name: str, fire: AtEnd) -> None:
        """Call `fire`, which tracks event `name`, when the current request has ended, unless it fails or is refused."""
        self._expected.setdefault(_request(), []).append((name, fire))
        if self.emitter.settings.session_fallback:
            after_this_request(self._give_session)

    def expected(self) -> list[str]:
        """Return the names of what the end of the current request may fire."""
        current = _request()
        return [] if current in self._refused else [name for name, _ in self._expected.get(current, ())]

    def _give_session(self, response: Response) -> Response:
        """Put an id into the session while it can still be saved; what waits for the end is fired after that."""
        will_fire = _request() in self._expected and _request() not in self._refused
        source = self.identity() if will_fire and response.status_code < 400 else None
        if source is not None and self.emitter.integration.consent() is not False:
            _ = source.session
        return response

    def page_identity(self) -> Identity:
        """Return the ids for a page of the current request, whose answer is then private.

        Nobody's outside of a request, and once the headers are on their way.
        """
        if not has_request_context() or _request() in self._streaming:
            return unknown_visitor(self.emitter.settings)
        found = self.emitter.integration.identity(traits=True)
        if is_personal(self.emitter.settings, found):
            self._personal.add(_request())
        return found

    def refuse(self) -> None:
        """Fire nothing that was declared on the current request's views."""
        self._refused.add(_request())

    def fail(self, app: Flask, **_: Any) -> None:
        """Receive `got_request_exception`: what an error handler answers from now on is no success of a view."""
        self.refuse()

    def finish(self, app: Flask, *, response: Response, **_: Any) -> None:
        """Receive `request_finished`: the response is final, and the session and its `Vary` are written already."""
        current = _request()
        if current in self._personal:
            keep_private(response)
        self.commits.request_ends()
        if response.is_streamed:
            self._streaming.add(current)
            current.environ[HANDSHAKE] = Handshake()
        self._answered.add(current)
        expected = self._expected.pop(current, [])
        if current in self._refused:
            return
        for _name, act in expected:
            act(self.emitter, current, response)


def close_when_collected(app: Flask, emitter: Emitter) -> None:
    """End the thread of an app that nobody uses any more and nobody closed, as tests make them."""
    weakref.finalize(app, _close_aside, emitter).atexit = False  # the emitter sees to the end of the process itself


def _close_aside(emitter: Emitter) -> None:
    # The collector may interrupt a thread that holds a lock of `threading` or of logging: nothing is done here.
    with contextlib.suppress(RuntimeError):  # the interpreter ends
        _thread.start_new_thread(_close_if_used, (emitter,))


def _close_if_used(emitter: Emitter) -> None:
    stats = emitter.stats()  # counted while others deliver: the state alone tells whether there is a thread to end
    if stats.state in ("running", "backing_off", "paused") or (stats.state == "idle" and stats.queued):
        # On a thread of `threading`, which would keep a stand-in of this one for ever.
        threading.Thread(target=emitter.close, name="dd-pa-closing", daemon=True).start()


def _weakly(state: AppState) -> Callable[[], RequestIdentity | None]:
    reference = weakref.ref(state)

    def identity() -> RequestIdentity | None:
        found = reference()
        return None if found is None else found.identity()

    return identity


class StateFinder:
    """Finds the state of the app whose event something is; says once if there is no app at all."""

    def __init__(self, about: str) -> None:
        self._about = about
        self._has_complained = False

    def __call__(self, app: Flask | None = None) -> AppState | None:
        """Return the state of `app`, else of the current one, or None."""
        if app is None and not has_app_context():
            self._complain()
            return None
        return AppState.of(app or current_app)

    def emitter(self) -> Emitter | None:
        """Return the emitter of the current app, or None."""
        state = self()
        return None if state is None else state.emitter

    def _complain(self) -> None:
        if self._has_complained:
            return
        self._has_complained = True
        logger.warning("%s outside of an app context, so no event is sent; use `with app.app_context():`", self._about)


def _request() -> Request:
    """Return the request itself: the proxy would stand for another one later on."""
    found: Request = request_context().request
    return found
