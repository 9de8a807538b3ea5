"""Events that are declared on a view with `tracked()`, rather than fired by its code."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from flask import Request

from dd_pa import Emitter
from dd_pa.gateways.event_rule import EventRule
from dd_pa.gateways.view_success import earned

P = ParamSpec("P")
R = TypeVar("R")

AtEnd = Callable[[Emitter, Request, Any], None]
"""What is called with the response when a request has ended, unless it failed or was refused."""

OnReturn = Callable[[Any], None]
"""What is called with what a view has returned."""


def fire(rule: EventRule, emitter: Emitter, request: Request, response: Any) -> None:
    """Track an event if the response deserves it. In strict mode raises what a callable raises."""
    found = earned(rule, emitter, request, response, path=request.path)
    if found is not None:
        emitter.track(found.event, found.attributes)


def observed(view: Callable[P, R], on_call: Callable[[], OnReturn | None]) -> Callable[P, R]:
    """Wrap a view: `on_call` is called before it; what that returns is called with its answer, unless it raised."""
    if isinstance(view, type):
        raise TypeError(f"tracked() decorates functions: put it on a method of {view.__name__} or in its `decorators`")
    if inspect.iscoroutinefunction(view):
        return cast("Callable[P, R]", _observed_async(view, on_call))

    @functools.wraps(view)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        on_return = on_call()
        answer = view(*args, **kwargs)
        if on_return is not None:
            on_return(answer)
        return answer

    return call


def _observed_async(view: Callable[..., Any], on_call: Callable[[], OnReturn | None]) -> Callable[..., Any]:
    @functools.wraps(view)
    async def call(*args: Any, **kwargs: Any) -> Any:
        on_return = on_call()
        answer = await view(*args, **kwargs)
        if on_return is not None:
            on_return(answer)
        return answer

    return call
