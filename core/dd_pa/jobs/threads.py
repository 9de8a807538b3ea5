from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def bind(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that runs with the identity, and all else that is context-local, of this moment.

    For threads, which begin with an empty context: `pool.submit(bind(send_invoice), order.id)`. It may be called
    often, and by several threads at once. The tasks of `asyncio`, `asyncio.to_thread` and asgiref's `sync_to_async`
    need none of this.
    """
    context = copy_context()

    @functools.wraps(function)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)  # a context itself can be entered by one thread only

    return bound
