"""What an app hears of signals: kept by the app itself, and gone with it.

blinker can hold receivers and senders weakly, but it forgets them on whichever thread collects them, and two that do
so at once disturb each other: "dictionary changed size during iteration", out of a place that nobody can catch it in.
So a signal has one receiver of ours, for ever, which looks up what the app wants to hear.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import WeakSet

from blinker import Signal
from flask import Flask, current_app, has_app_context

Receiver: TypeAlias = Callable[..., object]

_KEY = "dd_pa.signals"
"""Where an app keeps its receivers: `app.extensions["dd_pa.signals"]`."""

_heard: WeakSet[Signal] = WeakSet()
_lock = threading.Lock()


def listen(signal: Signal, app: Flask, receiver: Receiver) -> None:
    """Call `receiver` as the signal would, with its sender and keywords, whenever it is sent for this app."""
    with _lock:
        if signal not in _heard:
            signal.connect(_Listener(signal), weak=False)
            _heard.add(signal)
        receivers = app.extensions.setdefault(_KEY, {})
        receivers[signal] = (*receivers.get(signal, ()), receiver)


def stop_listening(signal: Signal, app: Flask, receiver: Receiver) -> None:
    """Call it no more. Calling this again does nothing."""
    with _lock:
        receivers = app.extensions.get(_KEY, {})
        receivers[signal] = tuple(one for one in receivers.get(signal, ()) if one != receiver)


def app_of(sender: object) -> Flask | None:
    """Return the app that a signal is sent for: its sender, else the current one; None where there is none."""
    if isinstance(sender, Flask):
        return sender
    return current_app._get_current_object() if has_app_context() else None  # type: ignore[attr-defined] # a proxy


class _Listener:
    def __init__(self, signal: Signal) -> None:
        self._signal = signal

    def __call__(self, sender: Any = None, /, **values: Any) -> None:
        app = app_of(sender)
        if app is not None and (receivers := app.extensions.get(_KEY)):
            for receiver in receivers.get(self._signal, ()):
                receiver(sender, **values)
