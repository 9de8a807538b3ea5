"""The connections under httpx's transport, with what they lack."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from dd_pa.delivery.httpx_library import httpx
from dd_pa.delivery.loop import yielding


def use_own_network(transport: httpx.AsyncHTTPTransport) -> None:
    """Have a transport connect by `Network`: httpx has no name for it, its pool has."""
    pool: Any = transport._pool  # pyright: ignore[reportPrivateUsage]
    pool._network_backend = Network(pool._network_backend)


class Network:
    """Connects as the pool's own network does: httpcore's, or that of httpx2."""

    def __init__(self, network: Any) -> None:
        self._network = network

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> Connection:
        """Connect."""
        return Connection(await self._network.connect_tcp(*args, **kwargs))

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._network.sleep(seconds)


class Connection:
    """One that is closed when its handshake is cancelled, and that does not show the delivery's loop to greenlets."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read."""
        content: bytes = await self._stream.read(max_bytes, timeout)
        return content

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Connection:
        """Encrypt. When this is cancelled httpcore forgets the connection, and whoever collects it is blamed."""
        try:
            return Connection(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except asyncio.CancelledError:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        """Look; `is_readable` polls the socket, which gevent makes a wait that lets other greenlets run."""
        with yielding():
            return self._stream.get_extra_info(info)
