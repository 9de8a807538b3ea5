"""How long somebody waits for an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_AGAIN = 0.05


class QueryTimeoutError(Exception):
    """The query took too long and was stopped."""


class AbandonedError(QueryTimeoutError):
    """Nobody waits for the answer any more."""


class QueryDeadline:
    """Ends at a deadline, or when the asker leaves. Safe to use from any thread."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._changed = threading.Condition()
        self._left = False

    def leave(self) -> None:
        """Say that nobody waits any more: what is interrupted by it ends at once."""
        with self._changed:
            self._left = True
            self._changed.notify_all()

    @property
    def seconds(self) -> float:
        """Return what is left, 0 or less after the end."""
        return self._deadline - time.monotonic()

    def check(self) -> None:
        """Raise AbandonedError or QueryTimeoutError after the end. Costs next to nothing: ask in every loop."""
        if self._left:
            raise AbandonedError
        if time.monotonic() > self._deadline:
            raise QueryTimeoutError

    @contextmanager
    def interrupting(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop`, from another thread, when the end comes within the block; raises as `check` if it has come."""
        self.check()
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(stop, done), name="dd-pa-patience", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            with self._changed:
                done.set()
                self._changed.notify_all()
            watcher.join()

    def _watch(self, stop: Callable[[], None], done: threading.Event) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._left or done.is_set(), max(0.0, self.seconds))
        while not done.is_set():
            stop()
            # What has not quite begun forgets that it was interrupted: say it again.
            done.wait(_AGAIN)
