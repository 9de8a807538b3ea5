from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial, wraps
from inspect import isawaitable
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.template.response import SimpleTemplateResponse
from django.urls import NoReverseMatch

from dd_pa import Event
from dd_pa.gateways.event_rule import EventRule, RuleAnswers
from dd_pa.gateways.view_success import AttributesOfView, ViewCondition, earned
from dd_pa_django.emitter import slot
from dd_pa_django.identity import current_request, serving
from dd_pa_django.tracking import atrack, track

View = TypeVar("View", bound=Callable[..., Any])


def tracked(
    name: str | Event | type[Event],
    *,
    attributes: AttributesOfView | None = None,
    when: ViewCondition | None = None,
) -> Callable[[View], View]:
    """Track an event after each call of a view that did what it says: it answered with a status from 200 to 399.

    An exception is no success, nor a redirect that asks to log in first. A `TemplateResponse` counts when it has been
    rendered. What is no response (of an API's operation, of a websocket's method) counts when it is returned; a pair of
    status and body by its status.

    For sync and async views; for methods of class-based and REST framework views as they are, and for the classes by
    `@method_decorator(tracked("report.viewed"), name="dispatch")`. `attributes` is a mapping or a callable of the
    request and the response; `when`, a callable of the same, decides instead of the status, as `form_accepted` does. In
    strict mode their errors are raised; otherwise the event is dropped and counted, and the answer stays what it is.
    """
    if not isinstance(name, (str, Event, type(Event))):
        raise TypeError('tracked needs the name of an event: @tracked("report.viewed")')
    rule = EventRule(event=name, attributes=attributes, when=when)

    def decorate(view: View) -> View:
        if isinstance(view, type):
            raise TypeError(f'{view.__name__} is a class: use @method_decorator(tracked("{name}"), name="dispatch")')
        return cast("View", _async_view(view, rule) if iscoroutinefunction(view) else _sync_view(view, rule))

    return decorate


def _sync_view(view: Callable[..., Any], rule: EventRule) -> Callable[..., Any]:
    @wraps(view)
    def tracked_view(*args: Any, **kwargs: Any) -> Any:
        response = view(*args, **kwargs)
        request = _request_among(args, kwargs)
        if isawaitable(response):
            return _finish(response, rule, request)  # the dispatch of an async class
        if _is_unrendered(response):
            response.add_post_render_callback(partial(_fire, rule, request))
        else:
            _fire(rule, request, response)
        return response

    return tracked_view


def _async_view(view: Callable[..., Any], rule: EventRule) -> Callable[..., Any]:
    @wraps(view)
    async def tracked_view(*args: Any, **kwargs: Any) -> Any:
        return await _finish(view(*args, **kwargs), rule, _request_among(args, kwargs))

    return tracked_view


async def _finish(pending: Awaitable[Any], rule: EventRule, request: Any) -> Any:
    response = await pending
    if _is_unrendered(response):
        response.add_post_render_callback(partial(_fire, rule, request))  # which Django does in a thread
    else:
        with serving(_http_request(request)):
            found = _earned(rule, request, response)
            if found is not None:
                await atrack(found.event, found.attributes)
    return response


def _fire(rule: EventRule, request: Any, response: Any) -> None:
    with serving(_http_request(request)):
        found = _earned(rule, request, response)
        if found is not None:
            track(found.event, found.attributes)


def _earned(rule: EventRule, request: Any, response: Any) -> RuleAnswers | None:
    emitter = slot.find()
    if emitter is None:
        return None
    http = _http_request(request)
    path = None if http is None else http.path
    return earned(rule, emitter, request, response, path=path, login_path=_login_path)


def _login_path() -> str | None:
    with suppress(NoReverseMatch):
        return urlsplit(str(resolve_url(settings.LOGIN_URL))).path
    return None


def _is_unrendered(response: Any) -> bool:
    return isinstance(response, SimpleTemplateResponse) and not response.is_rendered


def _request_among(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the request of a view, or of a method whose first argument is its view object; else the current one."""
    candidates = (*args[:2], kwargs.get("request"), *(getattr(value, "request", None) for value in args[:1]))
    found = (value for value in candidates if isinstance(_http_request(value), HttpRequest))
    return next(found, None) or current_request.get()


def _http_request(request: Any) -> Any:
    """Return Django's request inside one of the REST framework."""
    return getattr(request, "_request", request)
