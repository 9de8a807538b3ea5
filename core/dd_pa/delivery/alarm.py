"""When the delivery thread looks again whether there is something to do, while events may come at any moment."""

from __future__ import annotations

import asyncio

from dd_pa.store.protocol import Source

TICK = 0.05
"""Seconds between two looks at the store, and at the answers, while events come in. A look costs the thread little;
waking it would cost the caller of `track()` a system call and a switch of threads, each time, and an answer that is
looked at by itself a switch, a decryption and a request's turn at the GIL."""

WHOLE = 1.0
"""Seconds between two whole looks while there is nothing to do: what the store has to tend is due so often. Those
between are glances, at no more than whether events have come, and take a third of the time."""


class Alarm:
    """Sets an event of asyncio after some seconds; if it may glance, only if the store has something by then."""

    def __init__(self, poked: asyncio.Event, store: Source, seconds: float, *, may_glance: bool) -> None:
        self._poked, self._store, self._seconds = poked, store, seconds
        self._glances = max(0, round(WHOLE / seconds) - 1) if may_glance else 0
        self._later = asyncio.get_running_loop().call_later
        self._timer = self._later(seconds, self._ring)

    def cancel(self) -> None:
        """Let it not ring any more."""
        self._timer.cancel()

    def _ring(self) -> None:
        if self._glances and not self._has_come():
            self._glances -= 1
            self._timer = self._later(self._seconds, self._ring)
        else:
            self._poked.set()

    def _has_come(self) -> bool:
        try:
            return self._store.waiting > 0
        except Exception:  # whatever is wrong, the whole look meets it
            return True
