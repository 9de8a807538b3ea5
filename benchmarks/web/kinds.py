"""What the shops differ in; the environment tells each which one it is."""

from __future__ import annotations

import os
import sys
from typing import Any

from benchmarks import sdks

NONE, ROW = "no events", "no events, a row written"
MEMORY, THREAD, OWN_PROCESS = "dd-pa (memory)", "dd-pa (spool)", "dd-pa (spool, own process)"
OUTBOX = "dd-pa (outbox), a row written"
QUICK_SWITCH, SLOW_SWITCH = "dd-pa (spool), switch interval 0.5 ms", "dd-pa (spool), switch interval 50 ms"
SWITCHES = {QUICK_SWITCH: 0.0005, SLOW_SWITCH: 0.05}
"""Seconds after which a thread that wants the GIL asks for it; Python's own are 5 ms."""

PEERS = ("posthog", "sentry-sdk (logs)")
PLAIN = "/plain"
"""The same page, in the same shop, without an event."""

ITEMS = [{"name": f"Shoe <{number}>", "price": number * 10} for number in range(100)]


def kind() -> str:
    """Return which shop this process is."""
    found = os.environ["BENCH_KIND"]
    if found in SWITCHES:
        sys.setswitchinterval(SWITCHES[found])
    return found


def place() -> sdks.Place:
    """Return where its events go."""
    given = os.environ
    return sdks.Place(
        url=given["BENCH_URL"], directory=given["BENCH_DIRECTORY"], ca_file=given["BENCH_CA_FILE"] or None
    )


def settings() -> dict[str, Any]:
    """Return the settings of dd-pa, under the names of Django's and Flask's configuration."""
    where, which = place(), kind()
    return {
        "APPLICATION_ID": "bench",
        "API_KEY": "bench",
        "INTAKE_URL": where.url,
        "CA_FILE": where.ca_file,
        "SPOOL_DIR": None if which == MEMORY else f"{where.directory}/spool",
        "DELIVERY": "process" if which == OWN_PROCESS else "thread",
    }
