"""Events in websockets of Django Channels: linked to the user and the browser session of the handshake."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from channels.auth import login, logout
from channels.consumer import AsyncConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.urls import path

from dd_pa.capture import rum_session as rum_module
from dd_pa.testing import capture_events
from dd_pa_django import atrack, track, tracked
from dd_pa_django.websocket import WebsocketMiddleware
from tests.django_app.conftest import Configure

SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"


class AsyncChat(AsyncWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    async def connect(self) -> None:
        await self.accept()
        await atrack("chat.opened")

    @tracked("chat.sent")
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "log in":
            self.scope["user"] = await User.objects.aget(username="ada")
        if text_data == "fail":
            raise ValueError(text_data)
        await self.send(text_data or "")

    async def disconnect(self, code: int) -> None:
        await atrack("chat.closed")


class Chat(WebsocketConsumer):  # type: ignore[misc] # Channels has no types
    def connect(self) -> None:
        self.accept()
        track("chat.opened")

    @tracked("chat.sent")
    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "log in":
            self.scope["user"] = User.objects.get(username="ada")
        if text_data == "fail":
            raise ValueError(text_data)
        self.send(text_data or "")

    def disconnect(self, code: int) -> None:
        track("chat.closed")


Told = list[tuple[str, str | None, str | None]]


async def talk(consumer: type[AsyncConsumer], user: Any, headers: dict[str, str], *said: str) -> Told:
    """Open a websocket, say something, wait for each answer, close it; return the events."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    websocket = WebsocketCommunicator(WebsocketMiddleware(consumer.as_asgi()), "/chat/", headers=pairs)
    websocket.scope["user"] = user
    with capture_events() as events:
        assert (await websocket.connect())[0]
        for text in said:
            await websocket.send_to(text_data=text)
            assert await websocket.receive_from(timeout=20) == text
        await websocket.disconnect()
    return [(event.name, event.usr, event.session) for event in events]


@pytest.mark.parametrize("consumer", [AsyncChat, Chat])
@pytest.mark.asyncio
async def test_events_belong_to_the_handshake(ada: User, consumer: type[AsyncConsumer]) -> None:
    """From the first to the last, in sync and async consumers."""
    told = await talk(consumer, ada, {"baggage": f"session.id={SESSION}"}, "hi")

    key = str(ada.pk)
    assert told == [("chat.opened", key, SESSION), ("chat.sent", key, SESSION), ("chat.closed", key, SESSION)]


@pytest.mark.parametrize("consumer", [AsyncChat, Chat])
@pytest.mark.asyncio
async def test_login_in_the_consumer_counts_from_there(ada: User, consumer: type[AsyncConsumer]) -> None:
    """The scope's user of this moment is the one who acts."""
    told = await talk(consumer, AnonymousUser(), {"baggage": f"session.id={SESSION}"}, "log in")

    assert [(name, usr) for name, usr, _ in told] == [
        ("chat.opened", None),
        ("chat.sent", str(ada.pk)),
        ("chat.closed", str(ada.pk)),
    ]


def routed(consumer: Any) -> Any:
    """Return what has a consumer below a path; Django's types know views only."""
    return URLRouter([path("chat/", consumer)])


class Door(AsyncWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    """Logs in and out as Channels has it."""

    async def connect(self) -> None:
        await self.accept()
        await atrack("door.opened")

    @tracked("door.passed")
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "out":
            await logout(self.scope)
        else:
            await login(self.scope, await User.objects.aget(username=text_data))
        await self.send(text_data or "")


@pytest.mark.parametrize(
    "application",
    [
        pytest.param(lambda: WebsocketMiddleware(routed(Door.as_asgi())), id="around a router"),
        pytest.param(lambda: routed(WebsocketMiddleware(Door.as_asgi())), id="inside of it"),
        pytest.param(lambda: WebsocketMiddleware(Door.as_asgi()), id="no router"),
    ],
)
@pytest.mark.asyncio
async def test_login_and_logout_of_channels(ada: User, configure: Configure, application: Callable[[], Any]) -> None:
    """A router hands the consumer a copy of the scope: who left must not act on in it, nor who was there before."""
    configure(AUTH_EVENTS=True, USER_ID=lambda request: request.user.get_username() or None)
    await User.objects.acreate(username="grace")
    headers = [(b"baggage", f"session.id={SESSION}".encode())]
    websocket: Any = WebsocketCommunicator(application(), "/chat/", headers=headers)
    websocket.scope |= {"user": ada, "session": SessionStore()}
    with capture_events() as events:
        assert (await websocket.connect())[0]
        for text in ("grace", "out", "ada"):
            await websocket.send_to(text_data=text)
            assert await websocket.receive_from(timeout=20) == text
        await websocket.disconnect()

    assert [(event.name, event.usr) for event in events] == [
        ("door.opened", "ada"),
        ("user.signed_in", "grace"),
        ("door.passed", "grace"),
        ("user.signed_out", "grace"),
        ("door.passed", None),
        ("user.signed_in", "ada"),
        ("door.passed", "ada"),
    ]
    assert {event.session for event in events} == {SESSION}


@pytest.mark.parametrize(
    ("later", "expected"), [pytest.param(3600, SESSION, id="an hour"), pytest.param(4 * 3600, None, id="four hours")]
)
@pytest.mark.asyncio
async def test_session_is_that_of_the_handshake(
    ada: User, monkeypatch: pytest.MonkeyPatch, later: int, expected: str | None
) -> None:
    """Its cookie says that it ends in 15 minutes, as the browser cannot renew it there."""
    now = int(time.time() * 1000)
    cookie = f"_dd_s=rum=1&id={SESSION}&created={now - 1000}&expire={now + 900_000}"
    jumps = {"monotonic": 0.0, "time": 0.0}
    real: dict[str, Callable[[], float]] = {"monotonic": time.monotonic, "time": time.time}

    class Clock:
        monotonic = staticmethod(lambda: real["monotonic"]() + jumps["monotonic"])
        time = staticmethod(lambda: real["time"]() + jumps["time"])

    monkeypatch.setattr(rum_module, "time", Clock)

    class Patient(AsyncChat):
        @tracked("chat.sent")
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            jumps.update(monotonic=later, time=later)
            await self.send(text_data or "")

    told = await talk(Patient, ada, {"cookie": cookie}, "hi")

    assert [session for _, _, session in told] == [SESSION, expected, expected]


@pytest.mark.asyncio
async def test_settings_get_a_request_for_the_handshake(ada: User, configure: Configure) -> None:
    """So that one function serves views and consumers."""
    configure(ACCOUNT_ID=lambda request: f"{request.path} {request.user.username} {request.GET.get('x')}")
    websocket = WebsocketCommunicator(WebsocketMiddleware(AsyncChat.as_asgi()), "/chat/?x=1")
    websocket.scope["user"] = ada
    with capture_events() as events:
        await websocket.connect()
        await websocket.disconnect()

    assert [event.account for event in events] == ["/chat/ ada 1"] * 2


@pytest.mark.asyncio
async def test_other_scopes_pass() -> None:
    """The middleware may stand around a whole application."""
    seen: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await WebsocketMiddleware(application)({"type": "lifespan"}, None, None)  # type: ignore[arg-type] # not called

    assert seen == ["lifespan"]
