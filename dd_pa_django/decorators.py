from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import isawaitable
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from dd_pa_django.emitter import slot
from dd_pa_django.identity import current_request, serving
from dd_pa_django.tracking import atrack, track

View = TypeVar("View", bound=Callable[..., Any])
Attributes = Mapping[str, Any] | Callable[[Any, Any], Mapping[str, Any] | None] | None
Condition = Callable[[Any, Any], bool] | None


def tracked(name: str, *, attributes: Attributes = None, when: Condition = None) -> Callable[[View], View]:
    """Track an event after each call of a view that answers with a success: a status from 200 to 399, no exception.

    For sync and async views; for methods of class-based and REST framework views as they are, and for the classes by
    `@method_decorator(tracked("report.viewed"), name="dispatch")`. `attributes` is a mapping or a callable of the
    request and the response; `when`, a callable of the same, decides instead of the status. They are called right
    after the view, when a `TemplateResponse` is not rendered yet. In strict mode their errors are raised; otherwise
    the event is dropped and counted, and the answer stays what it is.
    """
    if not isinstance(name, str):
        raise TypeError('tracked needs the name of an event: @tracked("report.viewed")')
    rule = _Rule(name=name, attributes=attributes, when=when)

    def decorate(view: View) -> View:
        if isinstance(view, type):
            raise TypeError(f'{view.__name__} is a class: use @method_decorator(tracked("{name}"), name="dispatch")')
        return cast("View", _async_view(view, rule) if iscoroutinefunction(view) else _sync_view(view, rule))

    return decorate


def _sync_view(view: Callable[..., Any], rule: _Rule) -> Callable[..., Any]:
    @wraps(view)
    def tracked_view(*args: Any, **kwargs: Any) -> Any:
        response = view(*args, **kwargs)
        request = _request_among(args, kwargs)
        if isawaitable(response):
            return _finish(response, rule, request)  # the dispatch of an async class
        rule.fire(request, response)
        return response

    return tracked_view


def _async_view(view: Callable[..., Any], rule: _Rule) -> Callable[..., Any]:
    @wraps(view)
    async def tracked_view(*args: Any, **kwargs: Any) -> Any:
        return await _finish(view(*args, **kwargs), rule, _request_among(args, kwargs))

    return tracked_view


async def _finish(pending: Awaitable[Any], rule: _Rule, request: Any) -> Any:
    response = await pending
    await rule.afire(request, response)
    return response


def _request_among(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the request of a view, or of a method whose first argument is its view object."""
    found = (value for value in args[:2] if isinstance(_http_request(value), HttpRequest))
    return next(found, kwargs.get("request"))


def _http_request(request: Any) -> Any:
    """Return Django's request inside one of the REST framework."""
    return getattr(request, "_request", request)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    name: str
    attributes: Attributes
    when: Condition

    def fire(self, request: Any, response: Any) -> None:
        with serving(_http_request(request) or current_request.get()):
            for details in self._due(request, response):
                track(self.name, details)

    async def afire(self, request: Any, response: Any) -> None:
        with serving(_http_request(request) or current_request.get()):
            for details in self._due(request, response):
                await atrack(self.name, details)

    def _due(self, request: Any, response: Any) -> list[Mapping[str, Any] | None]:
        """Return the attributes of the event to track, or nothing."""
        emitter = slot.find()
        if emitter is None or not emitter.settings.enabled:
            return []
        try:
            if not self._applies(request, response):
                return []
            return [self.attributes(request, response) if callable(self.attributes) else self.attributes]
        except Exception as error:
            emitter.drop_invalid(self.name, error)
            return []

    def _applies(self, request: Any, response: Any) -> bool:
        if self.when is not None:
            return bool(self.when(request, response))
        return 200 <= getattr(response, "status_code", 0) < 400
