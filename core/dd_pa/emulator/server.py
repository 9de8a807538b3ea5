"""Run the emulator on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

import uvicorn
from starlette.types import Receive, Scope, Send

from dd_pa.emulator.http.connection import ABORT
from dd_pa.emulator.http.http2 import EitherProtocol

# Longer than clients keep idle connections: one that closes under a request costs them a retry.
_KEEP_ALIVE = 75
_PATIENCE_AT_EXIT = 0.5


class CannotServeError(Exception):
    """The server cannot start; the text says why and what to do."""


class Served(Protocol):
    """An ASGI application that wants to know when it ends."""

    stopping: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""


class Server(uvicorn.Server):
    """A quiet uvicorn that tells when it is ready, lets the app drop a connection, and exits fast."""

    def __init__(
        self, emulator: Served, port: int, on_ready: Callable[[], None], on_stopped: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                self._serve_request,
                interface="asgi3",
                http=EitherProtocol,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                headers=[
                    ("alt-svc", f'h2c=":{port}"')
                ],  # clients of ours then go on in HTTP/2; browsers do not know it
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=5,
            )
        )
        self._emulator = emulator
        self._on_ready = on_ready
        self._on_stopped = on_stopped

    async def _serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {ABORT: lambda: self._abort(scope["client"]), **scope.get("extensions", {})}
        await self._emulator({**scope, "extensions": extensions}, receive, send)

    def _abort(self, client: tuple[str, int] | None = None) -> None:
        """Drop one connection, or all."""
        for connection in list(self.server_state.connections):
            if client is None or connection.transport.get_extra_info("peername")[:2] == tuple(client):
                connection.transport.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._emulator.stopping = False
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._emulator.stopping = True
        asyncio.get_running_loop().call_later(_PATIENCE_AT_EXIT, self._abort)
        for server in self.servers:
            await stop_accepting(server)
        await super().shutdown(sockets)
        self._on_stopped()


async def stop_accepting(server: asyncio.Server) -> None:
    """Take no more connections, and let those that were just taken begin: then it may be closed.

    Python 3.11 forgets, without closing it, a connection that was accepted but had not begun when the server closed.
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        with contextlib.suppress(NotImplementedError):  # Windows' own loop does not accept this way
            loop.remove_reader(listener.fileno())
    await asyncio.sleep(0)


@contextlib.contextmanager
def serving(emulator: Served, port: int = 0) -> Iterator[str]:
    """Serve in a thread while the block lasts; yields the base URL. Raises CannotServeError."""
    listener = listen("127.0.0.1", port)
    ready = threading.Event()
    server = Server(emulator, port_of(listener), ready.set)

    def run() -> None:
        try:
            server.run([listener])
        finally:
            # Whoever waits for the start must also learn that there was none.
            ready.set()

    thread = threading.Thread(target=run, name="dd-pa-emulator", daemon=True)
    thread.start()
    try:
        ready.wait()
        if not server.started:
            raise CannotServeError("the emulator's server did not start: its thread's traceback says why")
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=1024)
        # asyncio sets this only on sockets that name TCP as their protocol, which this one does not; without it
        # each answer waits 40 ms for the client's delayed acknowledgement. Accepted sockets inherit it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotServeError(
                f"port {port} on {host} is taken, perhaps by another emulator: stop it, or give another --port"
            ) from None
        raise CannotServeError(f"cannot listen on {host} port {port}: {error.strerror or error}") from None


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def url_of(listener: socket.socket) -> str:
    """Return the base URL to reach a listening socket from this machine."""
    address, port = listener.getsockname()[:2]
    parsed = ipaddress.ip_address(address)
    if parsed.is_unspecified:
        address = "127.0.0.1" if parsed.version == 4 else "::1"
    host = f"[{address}]" if parsed.version == 6 else address
    return f"http://{host}:{port}"
