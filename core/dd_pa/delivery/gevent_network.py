"""httpcore's network under gevent: it looks whether a kept connection is still good, and that look lets others run."""

from __future__ import annotations

import ssl
import sys
from typing import Any

import httpcore

from dd_pa.delivery.loop import yielding


def is_cooperative() -> bool:
    """Tell whether gevent has replaced the calls by which a thread waits for sockets."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("select"))


class UnseenBackend(httpcore.AnyIOBackend):
    """Connects as httpcore does, to streams that hide the delivery's loop where other greenlets may run."""

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Connect."""
        connect: Any = super().connect_tcp  # pyright: ignore[reportAttributeAccessIssue] # it needs anyio, which httpx has
        return UnseenStream(await connect(*args, **kwargs))


class UnseenStream(httpcore.AsyncNetworkStream):
    """A connection of httpcore."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read."""
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt."""
        return UnseenStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Look; `is_readable` polls the socket, which gevent makes a wait of."""
        with yielding():
            return self._stream.get_extra_info(info)
