"""
The RUM session that a request belongs to, as its browser or mobile app claims.

The claim is a correlation key and never an authentication: anyone can send any id. Nothing of the headers but a live,
well-formed id leaves this module, and nothing is logged. No input raises.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from dd_pa.capture.baggage import session_id_in_baggage
from dd_pa.capture.rum_cookie import (
    MAX_HEADER_LENGTH,
    READ_LENGTH,
    SESSION_LASTS,
    anonymous_id,
    cookie_of_environ,
    live_state,
)

_MAX_DATE = 8_640_000_000_000_000  # of JavaScript's Date


class RumSession(msgspec.Struct, frozen=True, kw_only=True):
    """A RUM session that was live when the request was read."""

    id: str
    """A lower-case UUIDv4, equal to ``session.id`` of the browser's RUM events."""

    source: Literal["baggage", "_dd_s_v2", "_dd_s"]
    """The header or cookie that named the session."""

    created: int | None
    """When the session began, epoch milliseconds by the browser's clock; None when not said, as always in baggage."""


class Handshake:
    """When a websocket was opened, or a streamed body begun. What comes through it is of the session of that moment.

    The cookie that came with it is never renewed: by the clock of a later event it would be dead after 15 minutes.
    """

    __slots__ = ("_opened", "_since")

    def __init__(self) -> None:
        self._opened = time.time()
        self._since = time.monotonic()

    @property
    def now(self) -> float | None:
        """The time to read the session by, in epoch seconds; None once no session lasts that long."""
        return self._opened if time.monotonic() - self._since < SESSION_LASTS else None


def read_rum_session(
    *,
    cookie: str = "",
    baggage: str = "",
    now: float | None = None,
    sample_rate: float = 100.0,
    cookie_options: str | None = None,
) -> RumSession | None:
    """
    Read the session from the ``Cookie`` and ``Baggage`` headers, each with its fields joined by ``;`` resp. ``,``.

    Baggage wins, and ``sample_rate`` does not apply to it: the SDKs write it for tracked sessions only, and mobile ids
    are sampled by another rule. ``now`` is in epoch seconds and defaults to the clock. ``sample_rate`` is the browser
    SDK's ``sessionSampleRate`` in percent; ``cookie_options`` the ``c=`` value of the cookie to prefer among copies.

    Dates are the browser's. No skew is allowed for: a page in use moves ``expire`` to 15 minutes ahead at least once a
    minute, which covers a clock that is up to 14 minutes slow, and a margin would revive sessions the browser has left.

    Only the first 16 KiB of either header are read.
    """
    session_id = session_id_in_baggage(_cut(baggage, ","))
    if session_id is not None:
        return RumSession(id=session_id, source="baggage", created=None)

    now_ms = (time.time() if now is None else now) * 1000
    found = live_state(_cut(cookie, ";"), now_ms=now_ms, sample_rate=sample_rate, cookie_options=cookie_options)
    if found is None:
        return None

    name, state = found
    return RumSession(id=state["id"], source=name, created=_date(state.get("created")))


def rum_session_from_environ(
    environ: Mapping[str, Any],
    *,
    now: float | None = None,
    sample_rate: float = 100.0,
    cookie_options: str | None = None,
) -> RumSession | None:
    """
    Read the session of a WSGI request; see `read_rum_session`.

    For ASGI use `rum_session_from_scope`, also where a framework offers a WSGI-like mapping there.
    """
    return read_rum_session(
        cookie=cookie_of_environ(environ),
        baggage=environ.get("HTTP_BAGGAGE", ""),
        now=now,
        sample_rate=sample_rate,
        cookie_options=cookie_options,
    )


def rum_session_from_scope(
    headers: Iterable[tuple[bytes, bytes]],
    *,
    now: float | None = None,
    sample_rate: float = 100.0,
    cookie_options: str | None = None,
) -> RumSession | None:
    """Read the session of an ASGI request from ``scope["headers"]``; see `read_rum_session`."""
    cookies: list[bytes] = []
    baggage: list[bytes] = []
    for name, value in headers:
        if name == b"cookie":
            cookies.append(value)
        elif name == b"baggage":
            baggage.append(value)
    return read_rum_session(
        cookie=_joined(cookies, b";"),
        baggage=_joined(baggage, b","),
        now=now,
        sample_rate=sample_rate,
        cookie_options=cookie_options,
    )


def anonymous_id_from_environ(environ: Mapping[str, Any], *, cookie_options: str | None = None) -> str | None:
    """Read the SDK's id of the visitor of a WSGI request; see `anonymous_id_from_scope`."""
    return anonymous_id(_cut(cookie_of_environ(environ), ";"), cookie_options=cookie_options)


def anonymous_id_from_scope(headers: Iterable[tuple[bytes, bytes]], *, cookie_options: str | None = None) -> str | None:
    """
    Read the SDK's id of the visitor of an ASGI request, from its cookies: a lower-case UUIDv4, or nothing.

    It stays when a session ends, so no date is looked at. No header but the cookie has it.
    """
    cookies = [value for name, value in headers if name == b"cookie"]
    return anonymous_id(_cut(_joined(cookies, b";"), ";"), cookie_options=cookie_options)


def _joined(fields: list[bytes], separator: bytes) -> str:
    return separator.join(fields)[:READ_LENGTH].decode("latin-1")


def _cut(header: str, separator: str) -> str:
    """Cut a header at the last separator within the limit."""
    if len(header) <= MAX_HEADER_LENGTH:
        return header
    return header[: max(header.rfind(separator, 0, READ_LENGTH), 0)]


def _date(milliseconds: str | None) -> int | None:
    if milliseconds is None:
        return None
    date = int(milliseconds)
    return date if date <= _MAX_DATE else None
