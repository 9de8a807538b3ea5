"""Which HTTP transport carries the events: httpx's own, or the faster one of the `fast` extra."""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import httpx

from dd_pa import forks
from dd_pa.delivery.quiet import keep_headers_out_of_logs
from dd_pa.settings import Settings

logger = logging.getLogger("dd_pa")

Transport = httpx.AsyncBaseTransport
"""What can be passed to an `Emitter` in place of the network."""

_fast_generation: int | None = None
"""The process that used the fast transport first, as `forks` counts them."""


def make_transport(settings: Settings) -> httpx.AsyncBaseTransport:
    """Return the transport for the settings; it verifies certificates and reads no proxy variable and no `.netrc`."""
    if not fast_is_installed():
        return httpx_transport(settings)
    if _fast_generation in (None, forks.generation):
        return fast_transport(settings)
    # Its runtime has threads that this forked child lacks, and may have been forked with a lock taken.
    logger.warning("the fast transport was used before this process was forked: httpx's is used here")
    return httpx_transport(settings)


def is_secure(settings: Settings) -> bool:
    """Tell whether the intake is reached by TLS."""
    return str(settings.intake_url).startswith("https:")


@functools.cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return what httpx trusts, made once per process: that takes 40 ms."""
    tls = httpx.create_ssl_context(trust_env=False)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        tls.load_verify_locations(ca_file)
    return tls


@functools.cache
def tls_to_nobody() -> ssl.SSLContext:
    """Return what httpx wants to have even for plain HTTP; made once, as a forked child may be unable to."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def httpx_transport(settings: Settings) -> httpx.AsyncBaseTransport:
    """Return httpx's own transport."""
    keep_headers_out_of_logs()
    secure = is_secure(settings)
    tls = tls_context(settings.ca_file) if secure else tls_to_nobody()

    def connection_pool() -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=tls, http2=True, proxy=settings.proxy, trust_env=False)

    if secure:  # TLS is where HTTP/2 is negotiated
        return connection_pool()
    return SeparateConnections(connection_pool)


def fast_is_installed() -> bool:
    """Tell whether the `fast` extra is there."""
    return find_spec("pyreqwest") is not None


def fast_transport(settings: Settings) -> httpx.AsyncBaseTransport:
    """Return pyreqwest's transport: the same requests for a sixth of the processor time, the GIL released meanwhile."""
    from pyreqwest.client import ClientBuilder  # noqa: PLC0415 - optional
    from pyreqwest.compatibility.httpx import HttpxTransport  # noqa: PLC0415 - optional
    from pyreqwest.proxy import ProxyBuilder  # noqa: PLC0415 - optional

    global _fast_generation  # noqa: PLW0603 - pyreqwest's runtime is one per process too
    if _fast_generation is None:
        _fast_generation = forks.generation
    builder = ClientBuilder().no_proxy().follow_redirects(False).min_tls_version("TLSv1.2")
    builder = builder.connect_timeout(timedelta(seconds=settings.timeout)).tcp_nodelay(True).http2(True)
    builder = builder.gzip(False).brotli(False).deflate(False).zstd(False)  # no bomb is inflated
    if settings.proxy:
        builder = builder.proxy(ProxyBuilder.all(settings.proxy))
    if settings.ca_file:
        builder = builder.add_root_certificate_pem(Path(settings.ca_file).read_bytes())

    class FastTransport(HttpxTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            try:
                return await super().handle_async_request(request)
            except httpx.ConnectError as error:
                raise _as_it_is(error) from None

        async def aclose(self) -> None:
            await super().aclose()
            del self._client  # its connections end with it, not when it is closed
            # Measured with pyreqwest 0.15: in one of eight processes that exit right after this, its own thread
            # meets the interpreter's end and aborts the process; after 10 ms, in none of 50.
            await asyncio.sleep(0.02)

    return FastTransport(builder.build())


def _as_it_is(error: httpx.ConnectError) -> httpx.NetworkError:
    """Return an error that tells a connection lost under a request from one that could not be made: pyreqwest does not.

    Only its list of causes does; should their words change, a lost connection is again taken for an outage.
    """
    causes = str(getattr(error.__cause__, "details", ""))
    return httpx.WriteError("the connection was lost") if "(SendRequest)" in causes else error


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
