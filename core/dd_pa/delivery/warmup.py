"""What the delivery needs and an emitter does not, loaded before there is a delivery thread.

asyncio and OpenSSL take as long as all of ours, and httpx twice that: who tracks nothing does not pay for them. The
first event does, on the thread that tracks it; under a server, the making of the emitter (`hosts.serves`). httpx is
loaded where it is used: for a proxy, for an intake without TLS, for one that turns out to speak no HTTP/2.

A process that forks while one of its threads imports a module, or sets up OpenSSL, hands its child a lock that nobody
will ever open. So the delivery thread does neither, or has a fork wait for it (`forks.loading`), as who loads this has.
"""

from __future__ import annotations

import importlib

from dd_pa.network.tls_trust import is_secure, tls_context
from dd_pa.process import hosts
from dd_pa.settings.settings import Settings

_OURS = (
    "dd_pa.delivery.dispatcher",
    "dd_pa.delivery.alarm",
    "dd_pa.delivery.look_up_threads",
    "dd_pa.delivery.outlet_factory",
    "email.utils",
    "encodings.idna",
)
"""Modules that `pipeline`, `worker`, `outcome` and the loop import when the delivery runs."""


def warm_up(settings: Settings) -> None:
    """Load and make now what would else be loaded and made bit by bit; a second time, it takes nothing."""
    for name in _OURS:
        importlib.import_module(name)
    if settings.relay is not None:
        importlib.import_module("dd_pa.relay.brokers")
        importlib.import_module(f"dd_pa.relay.{settings.relay.kind.extra}_publisher")
    if is_secure(settings) and hosts.stalls_at_imports():
        importlib.import_module("certifi")
    if is_secure(settings) and hosts.serves():  # else the delivery thread makes it, while the caller goes on
        tls_context(settings.ca_file)
    from dd_pa.network.http_version import needs_httpx  # noqa: PLC0415 - the outlet factory has loaded it

    if needs_httpx(settings) or hosts.stalls_at_imports():
        from dd_pa.network.httpx_library import warm_up_httpx  # noqa: PLC0415 - dearer than all of the above

        warm_up_httpx()
