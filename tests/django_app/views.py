"""The views of the test project, each for one thing that a site may do around an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.contrib.auth import alogin, login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from dd_pa import identify
from dd_pa_django import atrack, track, tracked
from tests.django_app.models import Order


class ViewError(Exception):
    """Raised by views to see what becomes of their events."""


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("nothing is tracked")


async def plain_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("nothing is tracked")


def tracking(request: HttpRequest) -> HttpResponse:
    track("page.viewed")
    return HttpResponse("tracked")


async def tracking_async(request: HttpRequest) -> HttpResponse:
    await atrack("page.viewed")
    return HttpResponse("tracked")


async def sync_track_in_async(request: HttpRequest) -> HttpResponse:
    track("page.viewed")
    return HttpResponse("tracked")


async def sync_track_after_auser(request: HttpRequest) -> HttpResponse:
    await request.auser()
    track("page.viewed")
    return HttpResponse("tracked")


def tracks_then_greets(request: HttpRequest) -> HttpResponse:
    held = request.user
    track("page.viewed")
    return HttpResponse(f"hello {held}")


async def tracks_then_greets_async(request: HttpRequest) -> HttpResponse:
    await atrack("page.viewed")
    return HttpResponse(f"hello {await request.auser()}")


async def tracks_beside_greeting(request: HttpRequest) -> HttpResponse:
    _, user = await asyncio.gather(atrack("page.viewed"), request.auser())
    return HttpResponse(f"hello {user}")


def tracks_then_flushes(request: HttpRequest) -> HttpResponse:
    track("page.viewed")
    request.session.flush()
    track("session.ended", session=FALLBACK)
    return HttpResponse(f"hello {request.user}")


async def tracks_then_flushes_async(request: HttpRequest) -> HttpResponse:
    await atrack("page.viewed")
    await request.session.aflush()
    await atrack("session.ended", session=FALLBACK)
    return HttpResponse(f"hello {await request.auser()}")


def signs_in(request: HttpRequest) -> HttpResponse:
    track("before.login", session=FALLBACK)
    login(request, User.objects.get(username="ada"))
    track("after.login")
    return HttpResponse(f"hello {request.user}")


async def signs_in_async(request: HttpRequest) -> HttpResponse:
    await atrack("before.login", session=FALLBACK)
    await alogin(request, await User.objects.aget(username="ada"))
    await atrack("after.login")
    return HttpResponse(f"hello {await request.auser()}")


def signs_out(request: HttpRequest) -> HttpResponse:
    track("before.logout")
    logout(request)
    track("after.logout", session=FALLBACK)
    return HttpResponse(f"hello {request.user}")


def names_ids(request: HttpRequest) -> HttpResponse:
    with identify(usr="bound", account="acme"):
        track("from.block")
        track("from.argument", usr="given", session=FALLBACK)
    track("from.argument.alone", usr="given")
    return HttpResponse()


async def names_ids_async(request: HttpRequest) -> HttpResponse:
    with identify(usr="bound", account="acme"):
        await atrack("from.block")
        await atrack("from.argument", usr="given", session=FALLBACK)
    await atrack("from.argument.alone", usr="given")
    return HttpResponse()


BARRIER: dict[str, asyncio.Barrier] = {}


async def meets(request: HttpRequest) -> HttpResponse:
    """Track, wait until the other request has done so too, track again."""
    await atrack("arrived", {"who": request.GET["who"]})
    await BARRIER["meets"].wait()
    await atrack("left", {"who": request.GET["who"]})
    return HttpResponse()


def checks_out(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        order = Order.objects.create(total=42)
        track("checkout.completed", {"order": {"total": order.total}})
        if "fail" in request.GET:
            raise ViewError
    return HttpResponse()


@tracked("report.viewed")
def report(request: HttpRequest) -> HttpResponse:
    """The report."""
    return HttpResponse("report", status=int(request.GET.get("status", 200)))


@tracked("report.viewed")
async def report_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("report", status=int(request.GET.get("status", 200)))


@tracked("report.viewed")
def report_fails(request: HttpRequest) -> HttpResponse:
    raise ViewError


@tracked("report.viewed")
async def report_fails_async(request: HttpRequest) -> HttpResponse:
    raise ViewError


@csrf_exempt
@tracked("report.viewed", attributes={"kind": "constant"})
def report_with_mapping(request: HttpRequest) -> HttpResponse:
    return HttpResponse("report")


def details(request: Any, response: Any) -> dict[str, Any]:
    return {"path": request.path, "status": response.status_code}


@tracked("report.viewed", attributes=details)
def report_with_callable(request: HttpRequest) -> HttpResponse:
    return HttpResponse("report")


@tracked("report.viewed", attributes=details)
async def report_with_callable_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("report")


@tracked("report.missed", when=lambda request, response: response.status_code == 404)
def report_when(request: HttpRequest) -> HttpResponse:
    return HttpResponse("report", status=int(request.GET.get("status", 200)))


def broken(request: Any, response: Any) -> Any:
    raise ViewError


@tracked("report.viewed", attributes=broken)
def report_broken_attributes(request: HttpRequest) -> HttpResponse:
    return HttpResponse("report")


@tracked("report.viewed", when=broken)
async def report_broken_when(request: HttpRequest) -> HttpResponse:
    return HttpResponse("report")


@tracked("report.viewed", attributes=lambda request, response: {"rendered": response.is_rendered})
def report_template(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, engines["django"].from_string("report"))


class MethodView(View):
    @method_decorator(tracked("report.viewed", attributes=details))
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("report")


class BareMethodView(View):
    @tracked("report.viewed", attributes=details)
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("report")


@method_decorator(tracked("report.viewed", attributes=details), name="dispatch")
class DispatchView(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("report")


class AsyncMethodView(View):
    @method_decorator(tracked("report.viewed", attributes=details))
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("report")


@method_decorator(tracked("report.viewed", attributes=details), name="dispatch")
class AsyncDispatchView(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("report")


def streams(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        try:
            track("stream.started")
            yield "one"
            track("stream.continued")
            yield "two"
        finally:
            track("stream.ended")

    return StreamingHttpResponse(body())


async def streams_async(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        try:
            await atrack("stream.started")
            yield "one"
            await atrack("stream.continued")
            yield "two"
        finally:
            await atrack("stream.ended")

    return StreamingHttpResponse(body())


def sends_file(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(open(__file__, "rb"))


FALLBACK = "3122841d-f7d1-4b2f-9e0d-fbbfd8507279"


def signs_in_by_form(request: HttpRequest) -> HttpResponse:
    form = AuthenticationForm(request, request.POST)
    if not form.is_valid():
        return HttpResponse("wrong", status=403)
    login(request, form.get_user())
    return HttpResponse("signed in")


async def waits_async(request: HttpRequest) -> HttpResponse:
    await BARRIER["waits"].wait()
    try:
        await asyncio.Event().wait()
    finally:
        await atrack("visit.abandoned")
    return HttpResponse("never")
