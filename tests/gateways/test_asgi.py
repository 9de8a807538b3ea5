"""`dd_pa.asgi` under FastAPI, Starlette, a bare application and a real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from dd_pa import Emitter
from dd_pa.asgi import ProductAnalyticsMiddleware, request_identity
from tests.gateways.conftest import ANOTHER, SESSION, MakeShop, Shop, cookie, settings


def account_of(scope: Any) -> str | None:
    return "acme" if scope["path"].startswith("/acme") else None


def user_of(scope: Any) -> str | None:
    user = scope.get("user")
    return user.username if user is not None and user.is_authenticated else None


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    given = settings()
    return make_shop(given, request_identity(given, user_id=user_of, account_id=account_of))


def get(app: Any, path: str, **headers: str) -> httpx.Response:
    """Ask an application for a page, in an event loop of its own."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def fastapi_shop(emitter: Emitter) -> FastAPI:
    app = FastAPI()
    app.add_middleware(ProductAnalyticsMiddleware)

    def dependency() -> None:
        emitter.track("dependency.ran", {"number": 1})

    @app.get("/sync", dependencies=[Depends(dependency)])
    def in_a_thread() -> str:
        emitter.track("page.viewed", {"number": 2})
        return "ok"

    @app.get("/acme/async")
    async def in_the_loop(tasks: BackgroundTasks) -> str:
        emitter.track("page.viewed", {"number": 1})
        tasks.add_task(emitter.track, "mail.sent", {"number": 2})
        return "ok"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            for number in range(3):
                emitter.track("part.sent", {"number": number})
                yield str(number)

        return StreamingResponse(parts())

    return app


@pytest.mark.parametrize(
    ("path", "events"),
    [
        pytest.param("/sync", [("dependency.ran", None), ("page.viewed", None)], id="threads"),
        pytest.param("/acme/async", [("page.viewed", "acme"), ("mail.sent", "acme")], id="loop and background"),
        pytest.param("/stream", [("part.sent", None)] * 3, id="streamed body"),
    ],
)
def test_fastapi(path: str, events: list[tuple[str, str | None]], shop: Shop) -> None:
    """Wherever it runs code for a request, that is linked to the browser's session; the answer is as it would be."""
    answer = get(fastapi_shop(shop.emitter), path, **cookie())

    assert answer.status_code == 200
    assert "vary" not in answer.headers
    assert shop.arrived() == [(name, None, account, SESSION) for name, account in events]


class Login(AuthenticationBackend):
    """Believes a header, which a real one would not."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.headers.get("authorization")
        return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None


def starlette_shop(emitter: Emitter) -> Starlette:
    async def page(request: Request) -> PlainTextResponse:
        emitter.track("page.viewed")
        return PlainTextResponse("ok")

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        emitter.track("chat.joined", {"number": 1})
        await websocket.receive_text()
        emitter.track("chat.left", {"number": 2})
        await websocket.close()

    inner = [Route("/page", page)]
    return Starlette(
        routes=[Route("/page", page), Mount("/acme", routes=inner), WebSocketRoute("/talk", talk)],
        middleware=[Middleware(ProductAnalyticsMiddleware), Middleware(AuthenticationMiddleware, backend=Login())],
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"authorization": "u-1"}, ("page.viewed", "u-1", None, SESSION), id="signed in"),
        pytest.param({}, ("page.viewed", None, None, SESSION), id="not signed in"),
        pytest.param(
            {"baggage": f"session.id={ANOTHER},user.id=admin"}, ("page.viewed", None, None, ANOTHER), id="baggage"
        ),
    ],
)
def test_a_login_inside_of_ours_is_seen(headers: dict[str, str], expected: tuple[str, ...], shop: Shop) -> None:
    """As it puts the user into the same scope before an event is tracked; what the browser claims is no login."""
    get(starlette_shop(shop.emitter), "/page", **cookie(), **headers)

    assert shop.arrived() == [expected]


def test_mounted_applications(shop: Shop) -> None:
    """Are part of the same request."""
    get(starlette_shop(shop.emitter), "/acme/page", **cookie())

    assert shop.arrived()[0][3] == SESSION


def test_websockets(shop: Shop) -> None:
    """Belong to the session of their handshake as long as they last."""
    said = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "bye"}])
    answered: list[str] = []
    scope = {
        "type": "websocket",
        "path": "/talk",
        "query_string": b"",
        "headers": [(b"cookie", cookie()["cookie"].encode())],
    }

    async def receive() -> Any:
        return next(said)

    async def send(message: Any) -> None:
        answered.append(message["type"])

    asyncio.run(starlette_shop(shop.emitter)(scope, receive, send))

    assert answered == ["websocket.accept", "websocket.close"]
    assert shop.arrived() == [("chat.joined", None, None, SESSION), ("chat.left", None, None, SESSION)]


def test_lifespan_is_nobodys(shop: Shop) -> None:
    """What starts with the application passes through, untouched."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send, shop.emitter.track("shop.opened")))

    given = ({"type": "lifespan"}, object(), object())
    asyncio.run(ProductAnalyticsMiddleware(app)(*given))  # type: ignore[arg-type]

    assert seen == [(*given, None)]


@pytest.mark.parametrize("ends", [None, RuntimeError, asyncio.CancelledError])
def test_nothing_stays_behind(ends: type[BaseException] | None, shop: Shop) -> None:
    """In the task that made the call, however the call ended; a request inside another one gives back the outer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/outer":
            await inner({**scope, "path": "/acme", "headers": []}, receive, send)
            shop.emitter.track("outer.seen", {"number": 2})
        else:
            shop.emitter.track("inner.seen", {"number": 1})
        if ends is not None:
            raise ends

    inner = ProductAnalyticsMiddleware(app)
    scope = {"type": "http", "path": "/outer", "headers": [(b"cookie", cookie()["cookie"].encode())]}

    async def call() -> None:
        with _ignoring(ends):
            await ProductAnalyticsMiddleware(app)(scope, None, None)  # type: ignore[arg-type]
        assert shop.emitter.track("after") is None

    expected: list[tuple[str, str | None, str | None, str | None]] = [("inner.seen", None, "acme", None)]
    if ends is None:
        expected.append(("outer.seen", None, None, SESSION))
    asyncio.run(call())

    assert shop.arrived() == expected


@contextmanager
def _ignoring(kind: type[BaseException] | None) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if kind is None or not isinstance(error, kind):
            raise


def test_settings_name_the_callables_too(make_shop: MakeShop) -> None:
    """USER_ID, ACCOUNT_ID, SESSION_ID and CONSENT are called with the scope; GPC is read."""
    given = settings(
        user_id=lambda scope: scope["path"],
        account_id=lambda scope: "acme",
        session_id=lambda scope: "chosen",
        consent=lambda scope: scope["path"] != "/no",
        respect_gpc=True,
    )
    shop = make_shop(given, request_identity(given))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        shop.emitter.track("page.viewed")
        await PlainTextResponse("ok")(scope, receive, send)

    connected = ProductAnalyticsMiddleware(app)
    get(connected, "/yes")
    get(connected, "/no")
    get(connected, "/yes", **{"sec-gpc": "1"})
    twice = [(b"sec-gpc", b"0"), (b"sec-gpc", b"1")]  # as proxies may leave it: one objection is one

    async def send(message: Any) -> None:
        """Nobody reads the answer."""

    asyncio.run(connected({"type": "http", "path": "/yes", "headers": twice}, send, send))  # type: ignore[arg-type]

    assert shop.arrived() == [("page.viewed", "/yes", "acme", "chosen")]
    assert shop.emitter.stats().dropped == {"consent": 3}


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Run an application on a real server."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def test_a_visitor_who_leaves(shop: Shop) -> None:
    """A streamed body that is abandoned ends as work for its request; others at the same time are not confused."""
    ended = threading.Event()

    async def page(request: Request) -> Any:
        async def parts() -> AsyncIterator[str]:
            try:
                while True:
                    yield "x" * 65536
                    await asyncio.sleep(0.001)
            finally:
                shop.emitter.track("stream.ended")
                ended.set()

        return StreamingResponse(parts())

    async def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(shop.emitter.track("page.viewed")))

    app = Starlette(
        routes=[Route("/stream", page), Route("/plain", plain)], middleware=[Middleware(ProductAnalyticsMiddleware)]
    )
    with served(app) as url, httpx.Client(base_url=url) as client:
        with client.stream("GET", "/stream", headers=cookie()) as answer:
            next(answer.iter_raw())
            assert httpx.get(url + "/plain").text == "None"
        assert ended.wait(30)
        assert httpx.get(url + "/plain").text == "None"

    assert shop.arrived() == [("stream.ended", None, None, SESSION)]
