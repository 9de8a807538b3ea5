"""Intakes that fail in ways the emulator cannot, on real sockets, and the settings to send to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from dd_pa import Emitter, RetryPolicy, Settings
from dd_pa.emulator.server import stop_accepting
from dd_pa.network.httpx_transport import httpx_transport

KEY = "0123456789abcdef0123456789abcdef"
QUICK = RetryPolicy(base=0.02, cap=0.1, pause=0.02)
NEVER = RetryPolicy(base=3600.0, cap=3600.0, pause=3600.0, draw=lambda least, most: most)

MakeTransport = Callable[[Settings], httpx.AsyncBaseTransport | None]
TRANSPORTS: dict[str, MakeTransport] = {"httpx": httpx_transport, "http2": lambda settings: None}
"""httpx for everything, and the default: our own HTTP/2 where the server speaks it."""


def settings_for(url: str, **changes: Any) -> Settings:
    """Return settings that send to an intake of this machine, and give up waiting for it soon."""
    usual: dict[str, Any] = {"application_id": "shop", "api_key": KEY, "timeout": 5.0, "shutdown_timeout": 5.0}
    return Settings(intake_url=url, **({"spool_dir": None} | usual | changes))


class Emitters:
    """Makes emitters that send over one kind of transport, and closes them."""

    def __init__(self, make_transport: MakeTransport) -> None:
        self.make_transport = make_transport
        self._made: list[Emitter] = []

    def __call__(self, url: str, *, retry: RetryPolicy = QUICK, **changes: Any) -> Emitter:
        settings = settings_for(url, **changes)
        emitter = Emitter(settings, transport=self.make_transport(settings), retry=retry)
        self._made.append(emitter)
        return emitter

    def close(self) -> None:
        for emitter in self._made:
            emitter.close(0.0)


def track(emitter: Emitter, count: int, name: str = "order.placed") -> list[str]:
    """Track some events and return their ids, sorted."""
    return sorted(str(emitter.track(name, {"number": number}, usr="u-1")) for number in range(count))


def ids(bodies: list[dict[str, Any]]) -> list[str]:
    """Return the event ids of request bodies, sorted, as often as they came."""
    return sorted(body["dd_pa"]["event_id"] for body in bodies)


@dataclass(slots=True, kw_only=True)
class Post:
    """One request that a `RawIntake` got."""

    number: int
    """Its place among all requests, from 0."""
    head: bytes
    """Request line and headers."""
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def event(self) -> dict[str, Any]:
        """The parsed body."""
        event: dict[str, Any] = json.loads(self.body)
        return event


Handler = Callable[[Post, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int, body: bytes = b"{}", **headers: object) -> bytes:
    """Return a whole HTTP/1.1 response; `headers` in snake_case."""
    lines = [f"HTTP/1.1 {status} Because", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def accept(post: Post, writer: asyncio.StreamWriter) -> None:
    """Answer as the intake does when all is well."""
    writer.write(answer(202))


class RawIntake:
    """An HTTP/1.1 server whose handler writes bytes; it may write nonsense, nothing, or close the connection."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.posts: list[Post] = []
        self.connections = 0
        self.url = ""
        self._handler, self._tls, self._port = handler, tls, port
        self._came = threading.Condition()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._stopped = False

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Serve in a thread while the block lasts; yields the origin."""
        loop, ready = asyncio.new_event_loop(), threading.Event()
        stop = asyncio.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, ssl=self._tls, backlog=512)
            port = server.sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}" if self._tls is None else f"https://localhost:{port}"
            ready.set()
            await stop.wait()
            await stop_accepting(server)
            server.close()
            self._stopped = True
            for task, writer in self._open.items():
                writer.transport.abort()
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            while accepting := asyncio.all_tasks() - {asyncio.current_task()}:  # that have no task of ours
                await asyncio.wait(accepting)
            await asyncio.sleep(0)

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="raw-intake", daemon=True)
        thread.start()
        assert ready.wait(5)
        try:
            yield self.url
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(5)
            loop.close()

    def wait_for(self, posts: int, timeout: float = 5.0) -> list[Post]:
        """Block until so many requests came."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.posts) >= posts, timeout), f"only {len(self.posts)} came"
            return list(self.posts)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopped:
            writer.transport.abort()
            return
        self._open[asyncio.create_task(self._connected(reader, writer))] = writer

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                await self._handler(await self._read(reader), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            if self._tls is None:
                writer.close()
            else:  # a farewell in TLS would wait for the client's
                writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> Post:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
        with self._came:
            post = Post(number=len(self.posts), head=head, body=body)
            self.posts.append(post)
            self._came.notify_all()
        return post
