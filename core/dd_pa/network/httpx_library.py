"""httpx, or its successor httpx2 where that is installed; whoever needs either imports it from here."""

from __future__ import annotations

import contextlib
import importlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dd_pa.network.tls_trust import tls_to_nobody

if TYPE_CHECKING:
    import httpx as httpx  # noqa: PLC0414 - says that others may import it from here
else:
    httpx = importlib.import_module("httpx2" if find_spec("httpx2") else "httpx")

_HTTPX = (
    "dd_pa.network.httpx_outlet",
    "dd_pa.network.httpx_transport",
    "anyio._backends._asyncio",
    "anyio.streams.tls",
    "h2.connection",
    "importlib.readers",
    "importlib.resources.readers",
)
_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}
"""What httpx and its transports import when they are first used; where one is missing, nothing else misses it."""


def library_of(transport: object) -> Any:
    """Return the library that a given transport belongs to: it takes only requests of its own library."""
    for name in ("httpx", "httpx2"):
        library = sys.modules.get(name)
        if library is not None and isinstance(transport, library.BaseTransport | library.AsyncBaseTransport):
            return library
    return httpx


def warm_up_httpx() -> None:
    """Load and make now what would else be loaded and made bit by bit with the first request; see `delivery.warmup`."""
    core = _CORES[httpx.__name__]
    for name in (*_HTTPX, f"{core}._async.http2", f"{core}._backends.anyio"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    tls_to_nobody()
