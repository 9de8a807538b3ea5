"""Middleware of other people, of each kind, to stand around ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import async_only_middleware, sync_only_middleware
from django.utils.functional import SimpleLazyObject

from tests.django_app.views import ViewError


@sync_only_middleware
def sync_only(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Cannot do without a thread on an async server."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    return middleware


@async_only_middleware
def async_only(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    """Cannot do without an event loop on a sync server."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        return await get_response(request)

    return middleware


@sync_only_middleware
def failing_login(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Authenticates by itself, and cannot reach what it needs for that."""

    def load() -> User:
        raise ViewError

    async def aload() -> User:
        raise ViewError

    def middleware(request: HttpRequest) -> HttpResponse:
        request.user = cast("User", SimpleLazyObject(load))
        request.auser = aload
        return get_response(request)

    return middleware
