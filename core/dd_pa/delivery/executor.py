from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from dd_pa.delivery.unseen import out_of_sight

P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(ThreadPoolExecutor):
    """Runs what the loop hands out (name look-ups) at once, on the loop's own thread.

    A pool would start a second thread, and refuses work as soon as the interpreter begins to exit, which is when a
    short script opens its first connection. Blocking this loop delays nothing but delivery itself.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` before returning."""
        future: Future[T] = Future()
        try:
            with out_of_sight():
                result = fn(*args, **kwargs)
            future.set_result(result)
        except Exception as error:  # handed to whoever awaits the future
            future.set_exception(error)
        return future
