"""What is better done before there is a delivery thread.

A process that forks while one of its threads imports a module, or sets up OpenSSL, hands its child a lock that nobody
will ever open: the child's own delivery would wait for it for ever.
"""

from __future__ import annotations

import contextlib
import importlib

from dd_pa.delivery.transport import fast_is_installed, is_secure, tls_context, tls_to_nobody
from dd_pa.settings import Settings

_LATE = (
    "anyio._backends._asyncio",
    "anyio.streams.tls",
    "certifi",
    "encodings.idna",
    "h2.connection",
    "httpcore._async.http2",
    "httpcore._backends.anyio",
    "importlib.readers",
    "importlib.resources.readers",
    "pyreqwest.compatibility.httpx",
    "pyreqwest.proxy",
)
"""Modules that the transports import when they are first used; where one is missing, nothing else misses it."""


def warm_up(settings: Settings) -> None:
    """Do now, on the thread that makes an emitter, what the first event would else do on the delivery thread."""
    for name in _LATE:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    tls_to_nobody()
    if is_secure(settings) and not fast_is_installed():
        tls_context(settings.ca_file)
