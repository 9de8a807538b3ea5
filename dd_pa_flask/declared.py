"""Events that are declared on a view with `tracked()`, rather than fired by its code."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from flask import Request, Response

from dd_pa import Emitter

P = ParamSpec("P")
R = TypeVar("R")

AttributesOf = Mapping[str, Any] | Callable[[Request, Response], Mapping[str, Any] | None]
"""The attributes of a declared event, or how to find them at the end of the request."""

Condition = Callable[[Request, Response], bool]

AtEnd = Callable[[Emitter, Request, Response], None]
"""What is called when a request has ended, unless it failed or was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredEvent:
    """What `tracked()` was told."""

    name: str
    """`event.name`."""

    attributes: AttributesOf | None
    """Its attributes, or a callable that returns them."""

    when: Condition | None
    """Decides whether the event is fired, instead of the response's status."""

    def fire(self, emitter: Emitter, request: Request, response: Response) -> None:
        """Track the event if the response deserves it. In strict mode raises what a callable raises."""
        if not emitter.settings.enabled:
            return
        try:
            if not self._wanted(request, response):
                return
            attributes = self.attributes(request, response) if callable(self.attributes) else self.attributes
        except Exception as error:
            emitter.drop_invalid(self.name, error)
            return
        emitter.track(self.name, attributes)

    def _wanted(self, request: Request, response: Response) -> bool:
        if self.when is not None:
            return self.when(request, response)
        return 200 <= response.status_code < 400


def observed(view: Callable[P, R], on_call: Callable[[], Callable[[], None] | None]) -> Callable[P, R]:
    """Wrap a view: `on_call` is called before it; what that returns is called after it, unless the view raised."""
    if isinstance(view, type):
        raise TypeError(f"tracked() decorates functions: put it on a method of {view.__name__} or in its `decorators`")
    if inspect.iscoroutinefunction(view):
        return cast("Callable[P, R]", _observed_async(view, on_call))

    @functools.wraps(view)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        on_return = on_call()
        answer = view(*args, **kwargs)
        if on_return is not None:
            on_return()
        return answer

    return call


def _observed_async(view: Callable[..., Any], on_call: Callable[[], Callable[[], None] | None]) -> Callable[..., Any]:
    @functools.wraps(view)
    async def call(*args: Any, **kwargs: Any) -> Any:
        on_return = on_call()
        answer = await view(*args, **kwargs)
        if on_return is not None:
            on_return()
        return answer

    return call
