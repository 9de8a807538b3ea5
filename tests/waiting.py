"""How tests wait: for the thing itself, which another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds after which what did not happen will not: far more than a busy machine takes."""

_TURN = 0.02


def wait_until(holds: Callable[[], object], why: Callable[[], object] = lambda: None) -> None:
    """Block until something holds; fail with `why()` if it does not."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(_TURN)
