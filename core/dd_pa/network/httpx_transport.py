"""httpx's transports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from dd_pa.network.httpx_library import httpx
from dd_pa.network.httpx_network import OwnTransport
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
