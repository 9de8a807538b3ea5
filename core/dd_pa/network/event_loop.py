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
import sys
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

_others: WeakKeyDictionary[asyncio.AbstractEventLoop, _Greenlets] = WeakKeyDictionary()


LAST_TASKS = 1.0
"""Seconds that cancelled tasks have to end before their loop is closed."""


class _Greenlets:
    """What asyncio noted of other greenlets on the delivery's thread: the loop of one that waits while it runs, and who
    is told of async generators: else that loop, when it ends, would close those of a request in flight."""

    __slots__ = ("_hooks", "_ours", "loop")

    def __init__(self, ours: Any) -> None:
        self._ours = ours._asyncgen_firstiter_hook, ours._asyncgen_finalizer_hook
        self.loop, self._hooks = asyncio._get_running_loop(), sys.get_asyncgen_hooks()

    def show(self) -> None:
        """Let them run: what they noted is what is seen."""
        asyncio._set_running_loop(self.loop)
        sys.set_asyncgen_hooks(*self._hooks)

    def hide(self, ours: asyncio.AbstractEventLoop) -> None:
        """Let the delivery's loop run."""
        self.loop, self._hooks = asyncio._get_running_loop(), sys.get_asyncgen_hooks()
        asyncio._set_running_loop(ours)
        sys.set_asyncgen_hooks(*self._ours)


@contextlib.contextmanager
def yielding() -> Iterator[None]:
    """Keep the delivery's loop, which runs this, out of sight inside the block, where other greenlets may run."""
    ours = asyncio.get_running_loop()
    greenlets = _others.get(ours)
    if greenlets is None:  # another kind of loop hides nothing
        yield
        return
    greenlets.show()
    try:
        yield
    finally:
        greenlets.hide(ours)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that is not seen while it waits, and that can be run where another one waits."""

    _closed = True  # until it is made
    gathers = False
    """What comes from the network is looked at when the next timer is due, all together; other threads are heard."""

    def __init__(self) -> None:
        loop, greenlets = self, _Greenlets(self)
        asyncio._set_running_loop(None)

        # The base is looked up now: gevent replaces it when it patches.
        class UnseenSelector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
                greenlets.show()  # as `yielding`, for less: an idle thread does little else
                try:
                    if loop.gathers and timeout:
                        loop._calls.select(timeout)
                        timeout = 0.0
                    return super().select(timeout)
                finally:
                    greenlets.hide(loop)

        with contextlib.ExitStack() as failed:  # there may be no descriptor left
            failed.callback(asyncio._set_running_loop, greenlets.loop)
            self._calls = failed.enter_context(contextlib.closing(selectors.DefaultSelector()))
            seen = failed.enter_context(contextlib.closing(UnseenSelector()))
            failed.callback(setattr, self, "_closed", True)
            super().__init__(seen)
            failed.pop_all()
        waker: socket.socket = self._ssock  # type: ignore[attr-defined]  # what `call_soon_threadsafe()` writes to
        self._calls.register(waker.fileno(), selectors.EVENT_READ)
        _others[self] = greenlets

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
    _others[loop].show()
