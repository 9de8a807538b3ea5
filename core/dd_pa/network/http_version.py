"""Which version of HTTP is spoken with the intake, and when HTTP/2 is tried again with one that did not speak it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from dd_pa.network.tls_trust import is_secure
from dd_pa.settings.settings import Settings

AGAIN = 600.0
"""Seconds after which a server that spoke no HTTP/2 is offered it again."""

_OFFER = re.compile(r'\bh2c=":(\d+)"')
"""What an `Alt-Svc` says of HTTP/2 without TLS (RFC 7838)."""


def speaks_http2_itself(settings: Settings) -> bool:
    """Tell whether HTTP/2 is spoken without httpx, which keeps proxies."""
    return settings.transport == "auto" and settings.proxy is None


def needs_httpx(settings: Settings) -> bool:
    """Tell whether httpx is needed in any case; over TLS a server that speaks no HTTP/2 may need it as well."""
    return not (speaks_http2_itself(settings) and is_secure(settings))


class HttpVersion:
    """Whether a server is spoken HTTP/2 to, or HTTP/1.1.

    Over TLS it is negotiated. A plain server, which is on this machine, may offer it by `Alt-Svc`: to one that
    knows nothing of it, the attempt would look like a broken request (RFC 9113, section 3.3).
    """

    def __init__(self, *, secure: bool, port: int, clock: Callable[[], float]) -> None:
        self._secure, self._port, self._clock = secure, port, clock
        self._again_at = 0.0
        self.is_http2 = secure

    def is_tried_again(self) -> bool:
        """Try HTTP/2 again, if it is time for that; return whether it is."""
        if self._secure and not self.is_http2 and self._clock() >= self._again_at:
            self.is_http2 = True
        return self.is_http2

    def refused(self) -> None:
        """Note that the server speaks no HTTP/2."""
        self.is_http2 = False
        self._again_at = self._clock() + AGAIN

    def heard(self, fields: Mapping[str, str]) -> None:
        """Take up what the fields of an answer in HTTP/1.1 offer."""
        offer = None if self._secure else _OFFER.search(fields.get("alt-svc", ""))
        if offer and int(offer[1]) == self._port and self._clock() >= self._again_at:
            self.is_http2 = True
