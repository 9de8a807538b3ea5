"""The middleware in every kind of chain, and on servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from itertools import permutations
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings

from dd_pa_django.identity import current_request
from dd_pa_django.middleware import ProductAnalyticsMiddleware
from tests.django_app.conftest import Configure, Events
from tests.django_app.views import FALLBACK

OURS = "dd_pa_django.middleware.ProductAnalyticsMiddleware"
LOGIN = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
NEIGHBOURS = ["tests.django_app.chain.sync_only", "tests.django_app.chain.async_only"]
CHAINS = [
    pytest.param([*before, *LOGIN, *after], id="-".join(name.rpartition(".")[2] for name in (*before, "login", *after)))
    for order in permutations([OURS, *NEIGHBOURS])
    for before, after in ((order, ()), ((), order))
]
MARKED = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"


@pytest.mark.parametrize("chain", CHAINS)
def test_each_order_on_a_sync_server(ada: User, events: Events, chain: list[str]) -> None:
    """Sync, async and ours, before and after the login, in front of either kind of view."""
    client = Client()
    with override_settings(MIDDLEWARE=chain):
        client.force_login(ada)
        answers = [client.get(f"/{path}/").content for path in ("tracking", "tracking_async")]

    assert answers == [b"tracked", b"tracked"]
    assert [event["usr"]["id"] for event in events()] == [str(ada.pk)] * 2
    assert current_request.get() is None


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.asyncio
async def test_each_order_on_an_async_server(ada: User, events: Events, chain: list[str]) -> None:
    """The same chains under ASGI."""
    client = AsyncClient()
    with override_settings(MIDDLEWARE=chain):
        await client.aforce_login(ada)
        answers = [(await client.get(f"/{path}/")).content for path in ("tracking", "tracking_async")]

    assert answers == [b"tracked", b"tracked"]
    assert [event["usr"]["id"] for event in events()] == [str(ada.pk)] * 2
    assert current_request.get() is None


def test_mode_is_that_of_the_chain() -> None:
    """An async chain gets a coroutine function, a sync one a plain one."""

    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(ProductAnalyticsMiddleware(answer))
    assert not iscoroutinefunction(ProductAnalyticsMiddleware(lambda request: HttpResponse()))


@pytest.mark.asyncio
async def test_abandoned_coroutine_is_let_go() -> None:
    """A request whose coroutine is closed in another context leaves nothing behind and raises nothing."""
    started = asyncio.Event()

    async def answer(request: HttpRequest) -> HttpResponse:
        started.set()
        await asyncio.Event().wait()
        return HttpResponse()

    middleware: Any = ProductAnalyticsMiddleware(answer)
    coroutine = middleware(RequestFactory().get("/"))
    task = asyncio.create_task(_step(coroutine))
    await task

    coroutine.close()

    assert current_request.get() is None


async def _step(coroutine: Any) -> None:
    """Run a coroutine up to its first pause, in this task's context."""
    coroutine.send(None)


def test_failing_view_leaves_nothing_in_the_thread(client: Client) -> None:
    """The request is forgotten whichever way the view ends."""

    def fail(request: HttpRequest) -> HttpResponse:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ProductAnalyticsMiddleware(fail)(RequestFactory().get("/"))

    assert current_request.get() is None


def live_cookie(session_id: str, name: str = "_dd_s_v2") -> str:
    """The browser SDK's cookie of a visit that began a minute ago."""
    now = int(time.time() * 1000)
    rum = "&rum=1" if name == "_dd_s" else ""
    return f"{name}=id={session_id}&created={now - 60_000}&expire={now + 840_000}{rum}&c=0"


VISITS = [
    pytest.param([("cookie", live_cookie(MARKED))], MARKED, id="cookie"),
    pytest.param([("cookie", live_cookie(MARKED, "_dd_s"))], MARKED, id="older cookie"),
    pytest.param([("cookie", f"bad name{{=x; {live_cookie(MARKED)}; a=b")], MARKED, id="malformed neighbour"),
    pytest.param([("baggage", f"session.id={MARKED},user.id=admin")], MARKED, id="baggage"),
    pytest.param([("baggage", f"session.id={MARKED}"), ("cookie", live_cookie(FALLBACK))], MARKED, id="both"),
    pytest.param([("cookie", "a=b"), ("cookie", live_cookie(MARKED)), ("cookie", "c=d")], MARKED, id="split cookie"),
    pytest.param([("cookie", "_dd_s_v2=isExpired=1&c=0")], None, id="expired"),
    pytest.param([("baggage", "session.id=admin")], None, id="no session id"),
]


@pytest.mark.parametrize(("headers", "session"), VISITS)
@pytest.mark.parametrize("path", ["tracking", "tracking_async"])
@pytest.mark.asyncio
async def test_session_on_an_async_server(
    configure: Configure, events: Events, headers: list[tuple[str, str]], session: str | None, path: str
) -> None:
    """From the raw headers of the ASGI scope, where Cookie may come in several fields."""
    configure(USER_ID=lambda request: "u-1")
    transport = httpx.ASGITransport(app=get_asgi_application())  # type: ignore[arg-type]  # Django types its own scopes

    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as browser:
        response = await browser.get(f"/{path}/", headers=headers)

    assert response.status_code == 200
    assert [event.get("session", {}).get("id") for event in events()] == [session]


@pytest.mark.asyncio
async def test_comma_inside_a_cookie_is_no_second_cookie(configure: Configure, events: Events) -> None:
    """An async server keeps the fields apart, so nothing is guessed from their text."""
    configure(USER_ID=lambda request: "u-1")

    await AsyncClient().get("/tracking_async/", headers={"cookie": f"note=x,{live_cookie(MARKED)}"})

    assert events() == [{"event": {"name": "page.viewed"}, "usr": {"id": "u-1"}}]


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *values: Any) -> None:
        return


@pytest.fixture
def wsgi_url() -> Iterator[str]:
    """The site on a real WSGI server with a thread."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("headers", "session"), VISITS)
def test_session_on_a_sync_server(
    configure: Configure, events: Events, wsgi_url: str, headers: list[tuple[str, str]], session: str | None
) -> None:
    """From the WSGI environment, in which servers join the fields."""
    configure(USER_ID=lambda request: "u-1")

    response = httpx.get(f"{wsgi_url}/tracking/", headers=headers)

    assert response.status_code == 200
    assert [event.get("session", {}).get("id") for event in events()] == [session]


def test_login_on_a_sync_server(ada_client: Client, ada: User, events: Events, wsgi_url: str) -> None:
    """Over HTTP, with the cookies of a browser: the user and his visit, and no header that was not there before."""
    cookies = f"sessionid={ada_client.cookies['sessionid'].value}; {live_cookie(MARKED)}"

    response = httpx.get(f"{wsgi_url}/tracking/", headers={"cookie": cookies})

    assert events() == [{"event": {"name": "page.viewed"}, "usr": {"id": str(ada.pk)}, "session": {"id": MARKED}}]
    assert not {"vary", "set-cookie"} & set(response.headers)


@pytest.mark.parametrize(
    ("settings", "session"),
    [
        pytest.param({"RUM_SESSION_SAMPLE_RATE": 0}, None, id="sampled out"),
        pytest.param({"RUM_COOKIE_OPTIONS": "2"}, FALLBACK, id="options"),
    ],
)
@pytest.mark.parametrize("path", ["tracking", "tracking_async"])
def test_session_follows_the_browser_sdks_set_up(
    client: Client, configure: Configure, events: Events, settings: dict[str, Any], session: str | None, path: str
) -> None:
    """The sample rate and the cookie's options are those that the page gave to the SDK."""
    configure(USER_ID=lambda request: "u-1", **settings)
    cookies = f"{live_cookie(MARKED)}; {live_cookie(FALLBACK).replace('c=0', 'c=2')}"

    client.get(f"/{path}/", headers={"cookie": cookies})

    assert [event.get("session", {}).get("id") for event in events()] == [session]
