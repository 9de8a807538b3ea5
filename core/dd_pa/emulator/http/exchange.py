"""One request over HTTP/2 and its answer, as ASGI sees them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from h2.errors import ErrorCodes
from starlette.types import ASGIApp, Message, Scope

if TYPE_CHECKING:
    from uvicorn.server import ServerState

_OF_HTTP1 = frozenset({b"alt-svc", b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_WITHOUT_BODY = (204, 304)

_log = logging.getLogger("uvicorn.error")


class Connection(Protocol):
    """What carries it."""

    state: ServerState

    async def answer(self, exchange: Exchange, head: list[tuple[bytes, bytes]], body: bytes, *, last: bool) -> None:
        """Send fields, if there are any, and a piece of the body; waits while the client takes no more."""

    def take_back(self, stream: int, size: int) -> None:
        """Let the client send as many bytes again."""

    def reset(self, stream: int, code: ErrorCodes) -> None:
        """End a stream alone."""

    def over(self, exchange: Exchange) -> None:
        """Forget a request."""


class Exchange:
    """A request and its answer, as ASGI sees them."""

    def __init__(self, connection: Connection, stream: int, abort: Callable[[], None]) -> None:
        self.stream, self.abort = stream, abort
        self.scope: Scope = {}
        self.lost = False
        """The client, or we, have given it up."""
        self._connection = connection
        self._body, self._used = b"", 0
        self._more = True
        self._head: list[tuple[bytes, bytes]] = []
        self._begun = self._ended = self._mute = False
        self._came = asyncio.Event()

    def feed(self, data: bytes, used: int) -> None:
        """Take a piece of the body, which used so much of the window."""
        self._body += data
        self._used += used
        self._came.set()

    def finish(self) -> None:
        """Take no more: the body is whole."""
        self._more = False
        self._came.set()

    def lose(self) -> None:
        """Give it up."""
        self.lost = True
        self._came.set()

    async def run(self, app: ASGIApp) -> None:
        """Have it answered."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:  # as uvicorn does it
            _log.exception("Exception in ASGI application")
            if not self._begun:
                await self.send({"type": "http.response.start", "status": 500, "headers": []})
                await self.send({"type": "http.response.body", "body": b"Internal Server Error"})
        finally:
            self._connection.take_back(self.stream, self._used)
            if not self._ended or self._more:
                self._connection.reset(self.stream, ErrorCodes.NO_ERROR if self._ended else ErrorCodes.INTERNAL_ERROR)
            self._connection.over(self)

    async def receive(self) -> Message:
        """Wait for more of the body, or for the client to leave."""
        if not self.lost and not self._ended:
            await self._came.wait()
            self._came.clear()
        if self.lost or self._ended:
            return {"type": "http.disconnect"}
        self._connection.take_back(self.stream, self._used)
        body, self._body, self._used = self._body, b"", 0
        return {"type": "http.request", "body": body, "more_body": self._more}

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if self.lost:
            return
        if message["type"] == "http.response.start":
            self._begun = True
            self._mute = self.scope["method"] == "HEAD" or message["status"] in _WITHOUT_BODY
            fields = [*self._connection.state.default_headers, *message.get("headers", ())]
            lowered = [(name.lower(), value) for name, value in fields]
            self._head = [
                (b":status", b"%d" % message["status"]),
                *(field for field in lowered if field[0] not in _OF_HTTP1),
            ]
            return
        head, self._head = self._head, []
        last = not message.get("more_body", False)
        await self._connection.answer(self, head, b"" if self._mute else message.get("body", b""), last=last)
        if last:
            self._ended = True
            self._came.set()
