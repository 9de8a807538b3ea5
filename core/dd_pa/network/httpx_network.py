"""The connections under httpx's transport, with what they lack."""

from __future__ import annotations

import ssl
from typing import Any

from dd_pa.network.event_loop import yielding
from dd_pa.network.httpx_library import httpx


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
        self.open: set[Connection] = set()

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> Connection:
        """Connect."""
        return Connection(await self._network.connect_tcp(*args, **kwargs), self.open)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._network.sleep(seconds)


class Connection:
    """One that is closed when its handshake is cancelled, and that does not show the delivery's loop to greenlets."""

    def __init__(self, stream: Any, open_ones: set[Connection]) -> None:
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
    ) -> Connection:
        """Encrypt. When this is cancelled httpcore forgets the connection, and whoever collects it is blamed."""
        try:
            stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self.aclose()
            raise
        self._open.discard(self)
        return Connection(stream, self._open)

    def get_extra_info(self, info: str) -> Any:
        """Look; `is_readable` polls the socket, which gevent makes a wait that lets other greenlets run."""
        with yielding():
            return self._stream.get_extra_info(info)
