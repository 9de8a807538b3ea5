"""Events that are fired by blinker signals, rather than by the application's code."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from blinker import Signal
from flask import Flask, current_app, has_app_context

from dd_pa import Id
from dd_pa_flask.context import SessionUnseen
from dd_pa_flask.state import AppState, StateFinder

AttributesOfSignal = Mapping[str, Any] | Callable[..., Mapping[str, Any] | None]
"""The attributes of an event, or a callable of the signal's sender and keywords."""

IdOfSignal = Id | Callable[..., Id | None]
"""An id, or a callable of the signal's sender and keywords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEvent:
    """What `connect()` was told about the event."""

    name: str
    """`event.name`."""

    attributes: AttributesOfSignal | None
    """Its attributes, or a callable that returns them."""

    when: Callable[..., bool] | None
    """Decides whether the event is fired."""

    usr: IdOfSignal | None
    """Who acted, or a callable that knows; None leaves it to the request."""

    account: IdOfSignal | None
    """For which account, or a callable that knows; None leaves it to the request."""

    def fire(self, state: AppState, sender: Any, values: Mapping[str, Any]) -> None:
        """Track the event if it is wanted. In strict mode raises what a callable raises."""
        emitter = state.emitter
        if not emitter.settings.enabled:
            return
        try:
            with SessionUnseen():
                if self.when is not None and not self.when(sender, **values):
                    return
                attributes = self.attributes(sender, **values) if callable(self.attributes) else self.attributes
                usr = self.usr(sender, **values) if callable(self.usr) else self.usr
                account = self.account(sender, **values) if callable(self.account) else self.account
        except Exception as error:
            emitter.integration.drop_invalid(self.name, error)
            return
        state.track(self.name, attributes, usr=usr, account=account)


class Connection:
    """A signal and the event that it fires, from `ProductAnalytics.connect()` until `disconnect()`.

    The signal keeps it alive; with an app of its own, that app does, and takes it along when it is collected.
    """

    def __init__(self, signal: Signal, event: SignalEvent, app: Flask | None = None) -> None:
        self._signal = signal
        self._event = event
        self._find_state = StateFinder(f"the signal of {event.name[:200]!r} was sent")
        self._app = None if app is None else weakref.ref(app)
        signal.connect(self, weak=app is not None)

    def disconnect(self) -> None:
        """Fire nothing any more. Calling it again does nothing."""
        self._signal.disconnect(self)

    def __call__(self, sender: Any = None, /, **values: Any) -> None:
        """Receive the signal. Apps without Product Analytics are left alone."""
        app = _app_of(sender)
        if self._app is not None and self._app() is not app:
            return
        state = self._find_state(app)
        if state is not None:
            self._event.fire(state, sender, values)


def _app_of(sender: Any) -> Flask | None:
    if isinstance(sender, Flask):
        return sender
    return current_app._get_current_object() if has_app_context() else None  # type: ignore[attr-defined] # a proxy
