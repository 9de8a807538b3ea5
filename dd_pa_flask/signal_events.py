"""Events that are fired by blinker signals, rather than by the application's code."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from blinker import Signal
from flask import Flask

from dd_pa import Event, Id
from dd_pa.gateways.event_rule import EventRule
from dd_pa_flask.app_signals import app_of, listen, stop_listening
from dd_pa_flask.context import UnmarkedSession
from dd_pa_flask.state import StateFinder

AttributesOfSignal = Mapping[str, Any] | Callable[..., Mapping[str, Any] | Event | None]
"""The attributes of an event, or a callable of the signal's sender and keywords; or it returns a typed event."""

IdOfSignal = Id | Callable[..., Id | None]
"""An id, or a callable of the signal's sender and keywords."""


class Connection:
    """A signal and the event that it fires, from `ProductAnalytics.connect()` until `disconnect()`.

    The signal keeps it alive; with an app of its own, that app does, and takes it along when it is collected.
    """

    def __init__(self, signal: Signal, rule: EventRule, app: Flask | None = None) -> None:
        self._signal = signal
        self._rule = rule
        self._find_state = StateFinder(f"the signal of {rule.name[:200]!r} was sent")
        self._app = None if app is None else weakref.ref(app)
        if app is None:
            signal.connect(self, weak=False)
        else:
            listen(signal, app, self)

    def disconnect(self) -> None:
        """Fire nothing any more. Calling it again does nothing."""
        if self._app is None:
            self._signal.disconnect(self)
        elif (app := self._app()) is not None:
            stop_listening(self._signal, app, self)

    def __call__(self, sender: Any = None, /, **values: Any) -> None:
        """Receive the signal, and in strict mode raise what a callable raises."""
        state = self._find_state(app_of(sender))
        if state is None or not state.emitter.settings.enabled:
            return
        with UnmarkedSession():
            found = self._rule.ask(state.emitter, sender, named=values)
        if found is not None:
            state.track(found.event, found.attributes, usr=found.usr, account=found.account)
