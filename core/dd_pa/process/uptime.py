"""The clock that nobody sets: it runs from the machine's start, also while the machine sleeps."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
uptime: Callable[[], float] = time.monotonic if _CLOCK is None else functools.partial(time.clock_gettime, _CLOCK)
"""Returns seconds; the same in all processes of a machine, until it is started again."""


BOOT: str | None = None
"""What `boot()` returns, once it was asked for."""


def boot() -> str:
    """Return what tells this run of the machine from all others; empty where there is nothing."""
    global BOOT  # noqa: PLW0603 - read once, and not by an import
    if BOOT is None:
        BOOT = _boot_id()
    return BOOT


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() if hasattr(time, "CLOCK_BOOTTIME") else ""
    except OSError:
        return ""


def started() -> float:
    """Return when the machine was started, in epoch seconds, as the wall clock shows it now."""
    return time.time() - uptime()
