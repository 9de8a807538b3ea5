from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from dd_pa.gateways.gateway import Work
from dd_pa_django.browser import close_to_ids, keep_private, shows_ids
from dd_pa_django.emitter import get_emitter
from dd_pa_django.identity import StreamedRequest, current_request
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
        with served(request) as work:
            response = self._get_response(request)
        return _answered(request, response, work)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        with served(request) as work:
            response = await self._aget_response(request)
        return _answered(request, response, work)


class served:  # noqa: N801 - a class, as a generator would cost a request that tracks nothing a microsecond
    """A block in which a request is served. What it gives is not over yet, if there is an answer."""

    __slots__ = ("_previous", "_request", "_work")

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def __enter__(self) -> Work:
        self._previous = current_request.get()
        self._work = Work()
        current_request.set(self._request)
        return self._work

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if current_request.get() is self._request:
            current_request.set(self._previous)
        if kind is None:
            self._work.pause()
        else:
            self._work.end()


def _answered(request: HttpRequest, response: HttpResponseBase, work: Work) -> HttpResponseBase:
    if shows_ids(request):
        keep_private(response)
    if getattr(response, "streaming", False):
        close_to_ids(request)
        keep_request(StreamedRequest(request, work), cast("StreamingHttpResponse", response))
    else:
        work.end()
    return response
