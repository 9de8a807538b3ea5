"""Frames of HTTP/2 (RFC 9113, sections 4 and 6): how they are written, cut out of what comes, and which are refused."""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator

MAX_FRAME = 16_384
"""Most bytes of a frame's payload unless SETTINGS allow more; we never do."""

LAST_STREAM = 2**31 - 1

MAX_BLOCK = 65_536
"""Most bytes of an answer's fields, decoded and not."""

NOISE = 20_000
"""Most frames, and settings in them, between two answers; no honest peer sends so many."""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, WITH_PRIORITY = 0x4, 0x8, 0x20

_SIZES = {PRIORITY: (5, 5), RST_STREAM: (4, 4), PING: (8, 8), GOAWAY: (8, MAX_FRAME), WINDOW_UPDATE: (4, 4)}
_OF_THE_CONNECTION = (SETTINGS, PING, GOAWAY)

Frame = tuple[int, int, int, bytes]
"""Kind, flags, stream and payload."""


class Code(enum.IntEnum):
    """Why a stream or a connection is ended."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    FLOW_CONTROL_ERROR = 3
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11
    HTTP_1_1_REQUIRED = 13


class ConnectionFault(Exception):  # noqa: N818 - the RFC's "connection error", which is no `ConnectionError`
    """The peer broke a rule that ends the connection."""

    def __init__(self, code: Code = Code.PROTOCOL_ERROR) -> None:
        super().__init__(code.name)
        self.code = code


class StreamFault(ConnectionFault):
    """The peer broke a rule that ends one stream; most often, its answer is malformed."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    return struct.pack(">HBBBI", len(payload) >> 8, len(payload) & 0xFF, kind, flags, stream) + payload


def unpadded(flags: int, payload: bytes) -> bytes:
    """Return the payload of DATA or HEADERS without its padding."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault
    return payload[1 : len(payload) - payload[0]]


class Reader:
    """Cuts what comes into frames. A block of fields leaves it as one HEADERS frame, whatever it came in."""

    def __init__(self) -> None:
        self.noise = 0
        """Frames and settings since it was last set to 0."""
        self._rest = b""
        self._first = True
        self._block, self._flags, self._stream = bytearray(), 0, 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are whole now; raise `ConnectionFault` at one that must not come."""
        data, self._rest = self._rest + data, b""
        at, size = 0, len(data)
        while size - at >= 9:
            high, low, kind, flags, stream = struct.unpack_from(">HBBBI", data, at)
            end = at + 9 + (high << 8 | low)
            stream &= 0x7FFFFFFF
            if end - at - 9 > MAX_FRAME:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR)
            if size < end:
                break
            payload = data[at + 9 : end]
            at = end
            self._check(kind, flags, stream, len(payload))
            if kind in (HEADERS, CONTINUATION):
                self._gather(kind, flags, stream, payload)
                if not self._stream:
                    yield HEADERS, self._flags, stream, bytes(self._block)
            elif kind < CONTINUATION and kind != PRIORITY:  # extensions of HTTP/2 are to be ignored
                yield kind, flags, stream, payload
        self._rest = data[at:]

    def _check(self, kind: int, flags: int, stream: int, size: int) -> None:
        self.noise += 1 + (size // 6 if kind == SETTINGS else 0)  # each setting may touch every open stream
        if self.noise > NOISE:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM)
        if self._first and (kind != SETTINGS or flags & ACK):
            raise ConnectionFault
        self._first = False
        if (kind == CONTINUATION) is not bool(self._stream) or (self._stream and stream != self._stream):
            raise ConnectionFault
        if kind > CONTINUATION:
            return
        least, most = _SIZES.get(kind, (0, MAX_FRAME))
        if not least <= size <= most:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
        if kind == PUSH_PROMISE or (bool(stream) is (kind in _OF_THE_CONNECTION) and kind != WINDOW_UPDATE):
            raise ConnectionFault

    def _gather(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == HEADERS:
            payload = unpadded(flags, payload)
            if flags & WITH_PRIORITY and len(payload) < 5:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR)
            payload = payload[5 if flags & WITH_PRIORITY else 0 :]
            self._block, self._flags = bytearray(), flags
        self._block += payload
        if len(self._block) > MAX_BLOCK:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM)
        self._stream = 0 if flags & END_HEADERS else stream
