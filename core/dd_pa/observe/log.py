"""Our log, and text that is fit to be shown.

What an application's own handlers raise must not reach the code that tracks, or stop the delivery.
"""

from __future__ import annotations

import contextlib
import logging

_logger = logging.getLogger("dd_pa")


def warning(message: str, *values: object) -> None:
    """Log a warning, if that is possible; there is nobody to tell otherwise."""
    with contextlib.suppress(Exception):
        _logger.warning(message, *values)


def error(message: str, *values: object) -> None:
    """Log an error, if that is possible."""
    with contextlib.suppress(Exception):
        _logger.error(message, *values)


def printable(text: str) -> str:
    """Return a text without what could control a terminal: what was stored or answered is not to be trusted."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
