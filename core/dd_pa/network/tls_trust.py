"""Whom every connection trusts, whichever library makes it."""

from __future__ import annotations

import functools
import ssl

from dd_pa.process import forks
from dd_pa.settings.settings import Settings

OLDEST = ssl.TLSVersion.TLSv1_2
"""Version of TLS; browsers and RFC 9113 ask for no newer one."""


def is_secure(settings: Settings) -> bool:
    """Tell whether the intake is reached by TLS."""
    return str(settings.intake_url).startswith("https:")


@functools.cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return what httpx trusts (httpx2 asks the operating system), made once per process: that takes 20 to 40 ms."""
    with forks.loading:
        import certifi  # noqa: PLC0415 - takes importlib.resources, and is needed here only

        tls = ssl.create_default_context(cafile=certifi.where())
        tls.minimum_version = OLDEST
        tls.options |= ssl.OP_NO_RENEGOTIATION  # RFC 9113, section 9.2.1
        tls.set_alpn_protocols(["h2", "http/1.1"])
        if ca_file:
            tls.load_verify_locations(ca_file)
        return tls


def broker_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return what verifies a broker's certificate and name, by the system's authorities and those of `CA_FILE`."""
    context = ssl.create_default_context()
    context.minimum_version = OLDEST
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


@functools.cache
def tls_to_nobody() -> ssl.SSLContext:
    """Return what httpx wants to have even for plain HTTP; made once, as a forked child may be unable to."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
