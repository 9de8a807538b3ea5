"""Views whose events django-debug-toolbar is to show, to whoever asks with the header `X-Toolbar`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from dd_pa import EventDraft, identify
from dd_pa.jobs import IdentityCarrier
from dd_pa_django import atrack, get_emitter, track, tracked

HOSTILE = '<img src=x onerror="alert(1)">'
PAGE = "<html><body>page</body></html>"


def shows(request: HttpRequest) -> bool:
    return "X-Toolbar" in request.headers


def censor(draft: EventDraft) -> EventDraft | None:
    if draft.name == "user.swapped":
        draft.usr, draft.account = "somebody", None
    return None if draft.name == "noise.made" else draft


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


@tracked("report.viewed", attributes={"report": {"rows": 3}})
def report(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


async def report_async(request: HttpRequest) -> HttpResponse:
    await atrack("report.viewed", {"report": {"rows": 3}})
    return HttpResponse(PAGE)


def commits(request: HttpRequest) -> HttpResponse:
    track("page.viewed")
    with transaction.atomic():
        track("basket.opened")
        with suppress(LookupError), transaction.atomic():
            track("order.placed")
            raise LookupError
    with suppress(LookupError), transaction.atomic():
        track("order.paid")
        raise LookupError
    return HttpResponse(PAGE)


def names_ids(request: HttpRequest) -> HttpResponse:
    track("from.request")
    track("from.argument", usr="given")
    with identify(usr="bound"):
        track("from.block")
    carrier = IdentityCarrier(get_emitter())
    with identify(usr="queuer", inherit=False):
        header = carrier.header("task", "1")
    with carrier.restored(header, "task", "1"), identify(account="other"):
        track("from.job")
    track("user.swapped", usr="given", account="acme")
    return HttpResponse(PAGE)


def drops(request: HttpRequest) -> HttpResponse:
    track("page.viewed")
    track("noise.made", usr="u")
    track("", usr="u")
    track(3, usr="u")  # type: ignore[arg-type]
    with identify(consent=False):
        track("visit.hidden", usr="u")
    track("order.placed", {"total": float("nan"), "count": 1, "session.id": "x"}, usr="u")
    return HttpResponse(PAGE)


def hostile(request: HttpRequest) -> HttpResponse:
    track(HOSTILE, {"</pre>": HOSTILE, "long": "x" * 6000}, usr=HOSTILE, session=f'"{HOSTILE}')
    return HttpResponse(PAGE)


def many(request: HttpRequest) -> HttpResponse:
    for number in range(int(request.GET["count"])):
        track("item.listed", {"number": number}, usr="u")
    return HttpResponse(PAGE)


def streams(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        for number in range(2):
            track("chunk.made", {"number": number})
            yield PAGE

    track("stream.started")
    return StreamingHttpResponse(body())


async def streams_async(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        for number in range(2):
            await atrack("chunk.made", {"number": number})
            yield PAGE

    await atrack("stream.started")
    return StreamingHttpResponse(body())


def fails(request: HttpRequest) -> HttpResponse:
    track("page.viewed")
    raise LookupError


VIEWS = (nothing, report, report_async, commits, names_ids, drops, hostile, many, streams, streams_async, fails)
