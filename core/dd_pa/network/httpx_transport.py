"""httpx's transports, with what they lack."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

from dd_pa.network.event_loop import yielding
from dd_pa.network.httpx_library import httpx
from dd_pa.network.log_filter import keep_headers_out_of_logs
from dd_pa.network.tls_trust import is_secure, tls_context, tls_to_nobody
from dd_pa.settings.settings import Settings

Transport = httpx.AsyncBaseTransport
"""What can be passed to an `Emitter` in place of the network."""


def httpx_transport(settings: Settings) -> httpx.AsyncBaseTransport:
    """Return httpx's transport; it verifies certificates and reads no proxy variable and no `.netrc`."""
    secure = is_secure(settings)  # TLS is where httpx negotiates HTTP/2
    return _connection_pool(settings) if secure else SeparateConnections(lambda: _connection_pool(settings))


def http1_transport(settings: Settings) -> httpx.AsyncBaseTransport:
    """Return httpx's transport to a server that speaks no HTTP/2."""
    return SeparateConnections(lambda: _connection_pool(settings))


def _connection_pool(settings: Settings) -> httpx.AsyncBaseTransport:
    keep_headers_out_of_logs()
    tls = tls_context(settings.ca_file) if is_secure(settings) else tls_to_nobody()
    return OwnTransport(verify=tls, http2=True, proxy=settings.proxy, trust_env=False)


class SeparateConnections(httpx.AsyncBaseTransport):
    """HTTP/1.1 with a pool of its own for each connection.

    httpx's pool looks at all its connections at each request, system calls included: with 32 of them in one pool an
    event cost five times what it costs here.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._all: list[httpx.AsyncBaseTransport] = []
        self._free: list[httpx.AsyncBaseTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport = self._free.pop() if self._free else self._add()
        try:
            response = await transport.handle_async_request(request)
        except BaseException:
            self._free.append(transport)
            raise
        response.stream = _Returning(response.stream, lambda: self._free.append(transport))
        return response

    def _add(self) -> httpx.AsyncBaseTransport:
        transport = self._make()
        self._all.append(transport)
        return transport

    async def aclose(self) -> None:
        for transport in self._all:
            await transport.aclose()


class _Returning(httpx.AsyncByteStream):
    """An answer's body that gives its connection back when it is closed."""

    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream, give_back: Callable[[], None]) -> None:
        self._stream = stream
        self._give_back = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._stream, httpx.AsyncByteStream):
            async for chunk in self._stream:
                yield chunk

    async def aclose(self) -> None:
        try:
            if isinstance(self._stream, httpx.AsyncByteStream):
                await self._stream.aclose()
        finally:
            self._give_back()


class OwnTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over `Network`, which it has no name for; it also closes what its pool has lost sight of."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        pool: Any = self._pool
        self._network = pool._network_backend = Network(pool._network_backend)

    async def aclose(self) -> None:
        """Close all connections. Of one to a server that changed its protocol httpx2 forgets some."""
        await super().aclose()
        for connection in list(self._network.open):
            await connection.aclose()


class Network:
    """Connects as the pool's own network does: httpcore's, or that of httpx2."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.open: set[Stream] = set()

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> Stream:
        """Connect."""
        return Stream(await self._network.connect_tcp(*args, **kwargs), self.open)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._network.sleep(seconds)


class Stream:
    """One that is closed when its handshake is cancelled, and that does not show the delivery's loop to greenlets."""

    def __init__(self, stream: Any, open_ones: set[Stream]) -> None:
        self._stream, self._open = stream, open_ones
        self._open.add(self)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read."""
        content: bytes = await self._stream.read(max_bytes, timeout)
        return content

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close."""
        self._open.discard(self)
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """Encrypt. When this is cancelled httpcore forgets the connection, and whoever collects it is blamed."""
        try:
            stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self.aclose()
            raise
        self._open.discard(self)
        return Stream(stream, self._open)

    def get_extra_info(self, info: str) -> Any:
        """Look; `is_readable` polls the socket, which gevent makes a wait that lets other greenlets run."""
        with yielding():
            return self._stream.get_extra_info(info)
