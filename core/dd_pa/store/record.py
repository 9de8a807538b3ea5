"""What is written in a segment: a header line, then one record per event.

A record begins and ends with a newline, so a torn one is never glued to the next: a line that is not followed by an
empty one was torn. Its check sum tells a line that was damaged later.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple
from zlib import crc32

import msgspec

from dd_pa.capture.attributes import MAX_BYTES
from dd_pa.capture.event import BuiltEvent

FORMAT = 1
"""Version of the format; a segment of another one is left alone."""

MAX_LINE = MAX_BYTES + 64 * 1024
"""Longest line that is read; no record is that long."""

LAST_MOMENT = 253_402_300_799_999
"""The end of the year 9999, in epoch milliseconds: what no clock shows is damage, and nobody reckons with it."""

_PREFIX = 9


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a segment: whose events it holds."""

    format: int
    application_id: str
    intake: str
    created: int
    """Epoch milliseconds."""

    boot: str = ""
    """The run of the machine that its events were tracked in; empty if they may be of several."""

    started: float = 0.0
    """When that run began, in epoch seconds, by the wall clock that its events were dated by."""


class Line(NamedTuple):
    """A line of a segment."""

    offset: int
    data: bytes
    torn: bool
    """Its writer did not finish it."""


class DamagedRecordError(Exception):
    """A line that is no record of this destination; it is never sent."""


class _Named(msgspec.Struct):
    name: str


class _Identified(msgspec.Struct):
    id: str


class _Ours(msgspec.Struct):
    event_id: str
    occurred_at: Annotated[int, msgspec.Meta(ge=0, le=LAST_MOMENT)]


class _Body(msgspec.Struct):
    event: _Named
    application: _Identified
    dd_pa: _Ours


_decode_header = msgspec.json.Decoder(Header).decode
_decode_body = msgspec.json.Decoder(_Body).decode


def encode_header(header: Header) -> bytes:
    return msgspec.json.encode(header) + b"\n"


def decode_header(line: bytes) -> Header | None:
    """Return the header, or None if the line is none of this format."""
    try:
        header = _decode_header(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return header if header.format == FORMAT else None


def encode(body: bytes) -> bytes:
    """Return the record of a body that holds no newline."""
    return b"\n%08x %b\n" % (crc32(body), body)


def checked_body(line: bytes) -> bytes:
    """Return what was encoded. Raises `DamagedRecordError`."""
    body = line[_PREFIX:]
    if line[:_PREFIX] != b"%08x " % crc32(body):
        raise DamagedRecordError("check sum")
    return body


def event_of(body: bytes, application_id: str) -> BuiltEvent:
    """Return the event of a request's body. Raises `DamagedRecordError` also for one of another application."""
    try:
        known = _decode_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedRecordError("no event") from error
    if known.application.id != application_id:
        raise DamagedRecordError("another application's")
    return BuiltEvent(id=known.dd_pa.event_id, name=known.event.name, occurred_at=known.dd_pa.occurred_at, body=body)
