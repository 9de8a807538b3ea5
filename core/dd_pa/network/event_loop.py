"""Keeps the delivery's running loop out of sight of whatever else runs on its thread.

Under gevent the delivery thread is a greenlet, and asyncio notes the running loop by operating system thread. Without
this, every other greenlet seems to be inside a coroutine while delivery waits: Django's ORM refuses to work there
(`SynchronousOnlyOperation`), and `asyncio.run()` too.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
from collections.abc import Iterator
from weakref import WeakKeyDictionary

_others: WeakKeyDictionary[asyncio.AbstractEventLoop, list[asyncio.AbstractEventLoop | None]] = WeakKeyDictionary()
"""By the delivery's loop: the loop of a greenlet that waits while it runs."""


LAST_TASKS = 1.0
"""Seconds that cancelled tasks have to end before their loop is closed."""


@contextlib.contextmanager
def yielding() -> Iterator[None]:
    """Keep the delivery's loop, which runs this, out of sight inside the block, where other greenlets may run."""
    ours = asyncio.get_running_loop()
    others = _others.get(ours, [ours])  # another kind of loop hides nothing
    asyncio._set_running_loop(others[0])
    try:
        yield
    finally:
        _show(ours, others)


def _show(ours: asyncio.AbstractEventLoop, others: list[asyncio.AbstractEventLoop | None]) -> None:
    others[0] = asyncio._get_running_loop()
    asyncio._set_running_loop(ours)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that is not seen while it waits, and that can be run where another one waits."""

    _closed = True  # until it is made
    gathers = False
    """What comes from the network is looked at when the next timer is due, all together; other threads are heard."""

    def __init__(self) -> None:
        loop, waiting = self, asyncio._get_running_loop()
        asyncio._set_running_loop(None)

        # The base is looked up now: gevent replaces it when it patches.
        class UnseenSelector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
                asyncio._set_running_loop(others[0])  # as `yielding`, for less: an idle thread does little else
                try:
                    if loop.gathers and timeout:
                        loop._calls.select(timeout)
                        timeout = 0.0
                    return super().select(timeout)
                finally:
                    _show(loop, others)

        others = [waiting]
        with contextlib.ExitStack() as failed:  # there may be no descriptor left
            failed.callback(asyncio._set_running_loop, waiting)
            self._calls = failed.enter_context(contextlib.closing(selectors.DefaultSelector()))
            seen = failed.enter_context(contextlib.closing(UnseenSelector()))
            failed.callback(setattr, self, "_closed", True)
            super().__init__(seen)
            failed.pop_all()
        waker: socket.socket = self._ssock  # type: ignore[attr-defined]  # what `call_soon_threadsafe()` writes to
        self._calls.register(waker.fileno(), selectors.EVENT_READ)
        _others[self] = others

    def close(self) -> None:
        self._calls.close()
        super().close()


def close_loop(loop: Loop) -> None:
    """Close a loop, and first what still runs on it; then a greenlet's that waits is the running one."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=LAST_TASKS))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    asyncio._set_running_loop(_others[loop][0])
