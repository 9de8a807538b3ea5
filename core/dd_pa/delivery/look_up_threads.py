"""Where the delivery's loop has host names looked up, which may take half a minute and cannot be cut short."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from dd_pa.network.event_loop import yielding

P = ParamSpec("P")
T = TypeVar("T")


class LookUpThreads(ThreadPoolExecutor):
    """Runs each look-up on a thread that ends with it, so that answers, time-outs and the end wait for none.

    A pool would keep its threads, have the end of the process wait for one that hangs, and refuse work as soon as the
    interpreter begins to exit, which is when a short script opens its first connection. Who asks the same again while a
    resolver hangs waits for the same answer, so that those threads do not pile up.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # of its own threads none is ever started
        self._running: dict[object, Future[Any]] = {}

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin `fn`; where there can be no other thread, run it before returning. For one loop's thread."""
        asked = (fn, args, tuple(kwargs.items()))
        running = self._running.get(asked)
        if running is not None and not running.done():
            return running
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # who gives up waiting does not end it

        def look_up() -> None:
            try:
                result = fn(*args, **kwargs)
            except Exception as error:  # handed to whoever awaits the future
                future.set_exception(error)
            else:
                future.set_result(result)

        self._running = {asked: future}
        try:
            _thread.start_new_thread(look_up, ())
        except RuntimeError:  # there are as many threads as there may be, or the interpreter ends
            with yielding():
                look_up()
        return future
