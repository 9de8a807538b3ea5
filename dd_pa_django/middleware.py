from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from dd_pa_django.browser import close_to_ids, keep_private, shows_ids
from dd_pa_django.emitter import get_emitter
from dd_pa_django.identity import current_request
from dd_pa_django.streaming import keep_request

Answer = HttpResponseBase | Awaitable[HttpResponseBase]


class ProductAnalyticsMiddleware:
    """Lets events know which request they belong to. It may stand anywhere in `MIDDLEWARE`, sync or async.

    It remembers the request, and nothing else: a request that tracks nothing costs a few hundred nanoseconds. Made when
    the server starts, it raises `ImproperlyConfigured` then if `DD_PA` is wrong.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        self._get_response = cast("Callable[[HttpRequest], HttpResponseBase]", get_response)
        self._aget_response = cast("Callable[[HttpRequest], Awaitable[HttpResponseBase]]", get_response)
        get_emitter()

    def __call__(self, request: HttpRequest) -> Answer:
        if self._is_async:
            return self._acall(request)
        previous = current_request.get()
        current_request.set(request)
        try:
            response = self._get_response(request)
        finally:
            current_request.set(previous)
        return _answered(request, response)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        previous = current_request.get()
        current_request.set(request)
        try:
            response = await self._aget_response(request)
        finally:
            current_request.set(previous)
        return _answered(request, response)


def _answered(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if shows_ids(request):
        keep_private(response)
    if getattr(response, "streaming", False):
        close_to_ids(request)
        keep_request(request, cast("StreamingHttpResponse", response))
    return response
