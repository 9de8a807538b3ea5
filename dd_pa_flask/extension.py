from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, overload

from blinker import Signal
from flask import (
    Flask,
    current_app,
    got_request_exception,
    has_app_context,
    has_request_context,
    request_finished,
    request_started,
)

from dd_pa import Emitter, Event, Id, Identity, SettingsError
from dd_pa.gateways.event_rule import EventRule
from dd_pa.gateways.view_success import AttributesOfView, ViewCondition
from dd_pa_flask import browser, commands
from dd_pa_flask.app_signals import listen
from dd_pa_flask.configuration import load_settings
from dd_pa_flask.signal_events import AttributesOfSignal, Connection, IdOfSignal
from dd_pa_flask.state import AppState
from dd_pa_flask.view_events import OnReturn, observed

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

    from dd_pa.sqlalchemy import AnySession, ModelOptions

P = ParamSpec("P")
R = TypeVar("R")
ModelT = TypeVar("ModelT", bound=type)

KEY = "dd_pa"
"""Where the app keeps its state: `app.extensions["dd_pa"]`."""


class ProductAnalytics:
    """Sends named events of Flask apps, linked to the user, account and browser session of the request.

    One instance can serve several apps: it keeps nothing itself. `app.extensions["dd_pa"]` holds each app's `AppState`.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read the app's configuration and make its emitter. Starts no thread and opens no file.

        Every setting of `dd_pa.Settings` is read from `app.config` as `DD_PA_<SETTING>`, else from the environment
        under the same name (`DD_API_KEY`, `DD_SITE`, `DD_SERVICE`, `DD_ENV` and `DD_VERSION` too). Those that a Flask
        app looks at first:

        - `DD_PA_APPLICATION_ID`, `DD_PA_API_KEY`: required, unless `DD_PA_ENABLED` is false. Where only these are
          missing, commands other than `flask run` get a warning and no events.
        - `DD_PA_INTAKE_URL`: the emulator in development.
        - `DD_PA_STRICT`: raise on a bad event; the default is `app.debug or app.testing` when the first event is
          tracked, so that `TESTING` may be set on an app that a factory has made.
        - `DD_PA_USER_ID`, `DD_PA_ACCOUNT_ID`, `DD_PA_SESSION_ID`: callables of the request, or their dotted paths.
          Without the first, the user is Flask-Login's, by `get_id()`: set it where `get_id()` is no primary key but an
          e-mail or an alternative token (Flask-Security's `fs_uniquifier`).
        - `DD_PA_AUTH_EVENTS`: sign-ins and sign-outs of Flask-Login, failed ones and sign-ups of Flask-Security.
        - `DD_PA_RUM_SESSION_SAMPLE_RATE`, `DD_PA_RUM_COOKIE_OPTIONS`: what the browser SDK is configured with.
        - `DD_PA_CLIENT_TOKEN`: what the Jinja global `dd_pa_rum()` sets the browser SDK up with.

        Other changes to the configuration after this call are not reflected.
        Raises `SettingsError` that names the key, and `RuntimeError` if the app has Product Analytics already.
        """
        if not isinstance(app, Flask):
            raise TypeError(
                f"{type(app).__name__} is no Flask app; on Quart use dd_pa.Emitter as docs/flask.md shows, "
                "since its requests and contexts are of another kind"
            )
        if KEY in app.extensions:
            raise RuntimeError(
                f"Product Analytics is set up on {app.name!r} already: call init_app() once for each app, "
                "and import the ProductAnalytics instance that was used instead of making another."
            )
        settings, lacking = load_settings(app)
        state = AppState(app, settings, lacking)
        if settings.enabled and settings.auth_events:
            _connect_auth_events(app, state)
        listen(request_started, app, state.begin)
        app.teardown_request(state.ends)
        listen(request_finished, app, state.finish)
        listen(got_request_exception, app, state.fail)
        app.extensions[KEY] = state
        app.cli.add_command(commands.group)
        browser.init_app(app, settings, state.page_identity)

    @property
    def emitter(self) -> Emitter:
        """The emitter of the current app, for `flush()` or `stats()`. Raises as `track()` does."""
        return self._state().emitter

    def track(
        self,
        name: str | Event,
        attributes: Mapping[str, Any] | None = None,
        *,
        usr: Id | None = None,
        account: Id | None = None,
        session: Id | None = None,
        identity: Identity | None = None,
        on_commit: bool | AnySession | None = None,
    ) -> str | None:
        """Record that something happened; return the event's id, or None if it was not kept (the reason is counted).

        Ids that are left out come from `dd_pa.identify()`, then from the current request, unless `usr` is another user;
        only then is its user loaded. `identity` is a whole person: nothing is taken from anywhere. Never blocks on the
        network and leaves the response's headers alone. In a streamed body the request is known under
        `stream_with_context`; a plain generator must take `analytics.emitter` and the ids beforehand.

        The event is built now. Beside Flask-SQLAlchemy it leaves when `db.session` commits and vanishes with a
        rollback, to a savepoint too, as docs/sqlalchemy.md says case by case; with `DD_PA_ON_COMMIT = False`, at once.
        `on_commit` decides for one event: False sends it at once; True, or another session of SQLAlchemy, lets it wait
        for that session's commit and for nothing else.

        Raises `RuntimeError` outside of an app context, and `EventError` for a bad event in strict mode.
        """
        ids = {"usr": usr, "account": account, "session": session, "identity": identity}
        return self._state().track(name, attributes, on_commit=on_commit, **ids)

    def tracked(
        self,
        name: str | Event | type[Event],
        attributes: AttributesOfView | None = None,
        *,
        when: ViewCondition | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a view, sync or async, so that it fires an event each time the request ends in a success.

        A success is a status from 200 to 399 on the final response, from a view that returned. A redirect that asks to
        log in first is none, nor whatever Flask-Login answers to those whom it refuses. `when(request, response)`
        decides instead of the status, as `form_accepted` does. `attributes` is a mapping or a callable of request and
        response. If a callable fails, the event is dropped and counted, or the error raised in strict mode.

        Put it below `@app.route`, on a method of a `MethodView` or in a view class's `decorators`. Decorators that can
        still fail after the view, as one that commits a transaction, belong below it: what they raise above it, and
        an error handler turns into a success, is not seen. A function that is called in a request context which Flask
        does not dispatch, as Flask-SocketIO does, has succeeded when it returns; its callables get what it returned.
        Called outside of a request, the view just runs.
        """
        if not isinstance(name, (str, Event, type(Event))):
            raise TypeError('tracked() needs the name of the event: @analytics.tracked("report.viewed")')
        rule = EventRule(event=name, attributes=attributes, when=when)
        return lambda view: observed(view, lambda: self._expect(rule))

    def _expect(self, rule: EventRule) -> OnReturn | None:
        return self._state().expect(rule) if has_request_context() else None

    def connect(
        self,
        signal: Signal,
        name: str | Event | type[Event],
        attributes: AttributesOfSignal | None = None,
        *,
        when: Callable[..., bool] | None = None,
        usr: IdOfSignal | None = None,
        account: IdOfSignal | None = None,
        app: Flask | None = None,
    ) -> Connection:
        """Fire an event each time a blinker signal is sent: one of Flask, of an extension or of your own.

        The event is the sender's if that is a Flask app, else the current app's. `attributes`, `usr` and `account` are
        values or callables, and `when` is a callable, of the sender and the signal's keywords, as its receivers are. If
        one fails, the event is dropped and counted, or the error raised in strict mode.

        Call it once, next to where the signal is defined or imported: no app is needed yet, and all apps that are set
        up fire it, until `disconnect()`. In an application factory pass `app`, after `init_app(app)`: the event is
        fired for this app only, and the connection ends with it.
        """
        if not isinstance(signal, Signal):
            raise TypeError(f"connect() needs a blinker signal, not {type(signal).__name__}")
        rule = EventRule(event=name, attributes=attributes, when=when, usr=usr, account=account)
        if app is not None:
            self._state(app)  # raises where it is not set up
        return Connection(signal, rule, app)

    @overload
    def track_model(self, model: ModelT, /, **options: Unpack[ModelOptions]) -> ModelT: ...
    @overload
    def track_model(self, model: None = None, /, **options: Unpack[ModelOptions]) -> Callable[[ModelT], ModelT]: ...
    def track_model(
        self, model: ModelT | None = None, /, **options: Unpack[ModelOptions]
    ) -> ModelT | Callable[[ModelT], ModelT]:
        """Decorate a mapped class of SQLAlchemy, so that its rows fire events when they come, change and go.

        See `dd_pa.sqlalchemy.ModelEvents.track_model` for `created`, `updated`, `deleted`, `attributes`, `when` and
        `identity`. No app is needed yet: the event is the current app's at the flush, and leaves when the session
        commits. A flush outside of an app context, or in an app that is not set up, fires nothing.
        """
        from dd_pa_flask.models import model_events  # noqa: PLC0415 - needs SQLAlchemy

        return model_events.track_model(model, **options)

    def use_outbox(self, app: Flask, database: Engine | Any, table: Table) -> None:
        """Keep the events of an app's SQLAlchemy sessions in `table`, in the transactions of their data.

        That is: events of `track_model`, and of `track(…, on_commit=db.session)`. `flask dd-pa deliver` delivers them.
        `table` comes from `dd_pa.outbox.sqlalchemy.outbox_table(db.metadata)`; `database` is the extension of
        Flask-SQLAlchemy, or an engine. Connects to nothing.
        """
        state = self._state(app)
        state.keep_in(database, table)

    def close(self, app: Flask | None = None, timeout: float | None = None) -> None:
        """Deliver what waits and end the thread of an app (the current one by default); for tests that make many apps.

        Blocks for at most `timeout` seconds (`DD_PA_SHUTDOWN_TIMEOUT` when None). The end of the process does it too.
        """
        self._state(app).emitter.close(timeout)

    def _state(self, app: Flask | None = None) -> AppState:
        if app is None and not has_app_context():
            raise RuntimeError(
                "Product Analytics needs to know the app: call this in a request or a Flask command, "
                "or inside `with app.app_context():` (a thread or job starts without one)."
            )
        state = AppState.of(app or current_app)
        if state is None:
            raise RuntimeError(
                f"Product Analytics is not set up on {(app or current_app).name!r}: "
                "call analytics.init_app(app) where the app is made."
            )
        return state


def _connect_auth_events(app: Flask, state: AppState) -> None:
    try:
        from dd_pa_flask.auth_events import AuthEvents  # noqa: PLC0415 - needs Flask-Login
    except ImportError as error:
        raise SettingsError(
            "DD_PA_AUTH_EVENTS", "needs Flask-Login, or Flask-Security; neither is installed"
        ) from error
    AuthEvents(app, state)
