from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dd_pa.delivery.http2.connection import Connection

QUIET = 30.0
"""Seconds between two PINGs on a connection without requests; after so many of them it is closed."""
QUIET_PINGS = 10


class Watch:
    """Asks a silent peer whether it is there; leaves one that does not answer, or is not needed any more."""

    def __init__(self, watched: Connection, patience: float) -> None:
        self._watched, self._patience = watched, patience
        self._loop = asyncio.get_running_loop()
        self._heard = self._asked = False
        self._quiet = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Watch from now on."""
        self._look_after(QUIET)

    def hear(self) -> None:
        """Take note that the peer has said something."""
        self._heard = True

    def hurry(self) -> None:
        """Take note that somebody waits for the peer again."""
        if not self._asked:
            self._look_after(self._patience)

    def stop(self) -> None:
        """Look no more."""
        if self._timer:
            self._timer.cancel()

    def _look_after(self, delay: float) -> None:
        self.stop()
        self._timer = self._loop.call_later(delay, self._look)

    def _look(self) -> None:
        if self._asked and not self._heard:
            self._watched.lose()
            return
        busy = self._watched.busy
        self._asked = not self._asked and not (busy and self._heard)
        if self._asked:
            self._quiet = 0 if busy else self._quiet + 1
            if self._quiet > QUIET_PINGS:
                self._watched.leave()
                return
            self._watched.ping()
        self._heard = False
        self._look_after(self._patience if busy or self._asked else QUIET)
