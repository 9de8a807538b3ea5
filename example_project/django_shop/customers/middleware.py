from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.utils.decorators import sync_and_async_middleware

Answer = HttpResponse | Awaitable[HttpResponse]


@sync_and_async_middleware
def private_pages(get_response: Callable[[HttpRequest], Answer]) -> Callable[[HttpRequest], Answer]:
    """Keep pages out of every cache once they depend on who looks: they carry the user's id."""

    def marked(response: HttpResponse) -> HttpResponse:
        if response.has_header("Vary") and "cookie" in response["Vary"].lower():
            patch_cache_control(response, private=True, no_store=True)
        return response

    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            return marked(await get_response(request))

        return async_middleware

    def middleware(request: HttpRequest) -> HttpResponse:
        return marked(get_response(request))

    return middleware
