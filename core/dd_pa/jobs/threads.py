from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, ParamSpec, TypeVar, cast

from dd_pa.capture.function_wrapper import awaited, stepwise
from dd_pa.capture.work import carry

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def bind(work: T) -> T:
    """Return a function or coroutine that runs with the identity, and all else that is context-local, of this moment.

    For what may outlive the request or block that starts it, and for threads, which begin with nothing:
    `pool.submit(bind(send_invoice), order.id)`, `asyncio.create_task(bind(send_invoice(order.id)))`. A function, of
    any kind, may be called often, and by several threads at once.
    """
    context = copy_context()
    context.run(carry)
    if inspect.iscoroutine(work):
        return cast("T", awaited(work, _Carried(context)))
    return cast("T", stepwise(cast("Callable[..., Any]", work), lambda: _Carried(context.copy()), decorator="bind()"))


class _Carried:
    """Runs one call in a context of its own: one context can be entered by one thread only."""

    def __init__(self, context: Context) -> None:
        self.run = context.run

    def end(self) -> None:
        """Nothing is to be put back."""
