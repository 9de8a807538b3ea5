"""Our log, and text that is fit to be shown.

What an application's own handlers raise must not reach the code that tracks, or stop the delivery.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

_logger = logging.getLogger("dd_pa")

INTERVAL = 60.0
"""Seconds between two warnings about the same thing."""


def warning(message: str, *values: object) -> None:
    """Log a warning, if that is possible; there is nobody to tell otherwise."""
    with contextlib.suppress(Exception):
        _logger.warning(message, *values)


def error(message: str, *values: object) -> None:
    """Log an error, if that is possible."""
    with contextlib.suppress(Exception):
        _logger.error(message, *values)


class Complaints:
    """Warnings that something of every event would repeat: said once per `INTERVAL`. Thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._saying = threading.RLock()  # a handler of a signal may say something while this thread does
        self._said: dict[str, float] = {}

    def say(self, about: str, message: str, *values: object) -> None:
        """Log a warning, unless one about the same thing was logged within the interval."""
        now = self._clock()
        with self._saying:
            if now - self._said.get(about, float("-inf")) < INTERVAL:
                return
            self._said[about] = now
        warning(message, *values)


def printable(text: str) -> str:
    """Return a text without what could control a terminal: what was stored or answered is not to be trusted."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
