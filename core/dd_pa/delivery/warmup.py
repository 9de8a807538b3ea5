"""What the delivery needs and an emitter does not, loaded before there is a delivery thread.

httpx, asyncio and OpenSSL take ten times as long as all of ours: who tracks nothing does not pay for them. The first
event does, on the thread that tracks it; under a server, the making of the emitter (`hosts.serves`).

A process that forks while one of its threads imports a module, or sets up OpenSSL, hands its child a lock that nobody
will ever open. So the delivery thread imports nothing, and a fork waits for whoever does (`forks.loading`).
"""

from __future__ import annotations

import contextlib
import importlib

from dd_pa.delivery.httpx_library import httpx
from dd_pa.delivery.transport import is_secure, tls_context, tls_to_nobody
from dd_pa.settings.settings import Settings

_CORE = "httpcore2" if httpx.__name__ == "httpx2" else "httpcore"
_LATE = (
    "anyio._backends._asyncio",
    "anyio.streams.tls",
    "certifi",
    "encodings.idna",
    "h2.connection",
    f"{_CORE}._async.http2",
    f"{_CORE}._backends.anyio",
    "importlib.readers",
    "importlib.resources.readers",
)
"""Modules that the transports import when they are first used; where one is missing, nothing else misses it."""

_OURS = (
    "dd_pa.delivery.dispatcher",
    "dd_pa.delivery.loop",
    "dd_pa.delivery.outlet_factory",
    "email.utils",
)
"""Modules that `pipeline`, `worker` and `outcome` import when the delivery runs."""


def warm_up(settings: Settings) -> None:
    """Load and make now what would else be loaded and made bit by bit; a second time, it takes nothing."""
    for name in _OURS:
        importlib.import_module(name)
    for name in _LATE:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if settings.relay is not None:
        importlib.import_module(f"dd_pa.relay.{settings.relay.kind.extra}_publisher")
    tls_to_nobody()
    if is_secure(settings):
        tls_context(settings.ca_file)
