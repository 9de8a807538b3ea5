"""SETTINGS (RFC 9113, section 6.5): ours, and which of the peer's are none."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dd_pa.network.http2 import frames
from dd_pa.network.http2.exchange import MAX_ANSWER
from dd_pa.network.http2.frames import Code, ConnectionFault, frame

FIRST_WINDOW, MAX_WINDOW = 65_535, 2**31 - 1
FIRST_TABLE = 4_096
"""Bytes of HPACK's table, unless SETTINGS say otherwise."""

WINDOW = 1_048_576
"""Bytes of all answers together that the peer may be ahead of us."""

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME_SIZE, MAX_FIELDS_SIZE = range(1, 7)
OURS = {HEADER_TABLE_SIZE: 0, ENABLE_PUSH: 0, INITIAL_WINDOW: 2 * MAX_ANSWER, MAX_FIELDS_SIZE: frames.MAX_BLOCK}
OPENING = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(frames.SETTINGS, 0, 0, b"".join(struct.pack(">HI", *setting) for setting in OURS.items()))
    + frame(frames.WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - FIRST_WINDOW))
)
_LIMITS = {
    ENABLE_PUSH: (0, 0, Code.PROTOCOL_ERROR),
    INITIAL_WINDOW: (0, MAX_WINDOW, Code.FLOW_CONTROL_ERROR),
    MAX_FRAME_SIZE: (frames.MAX_FRAME, 2**24 - 1, Code.PROTOCOL_ERROR),
}


def read(flags: int, payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield what the peer sets, in order; raise `ConnectionFault` at what it may not."""
    if len(payload) % 6 or (flags & frames.ACK and payload):
        raise ConnectionFault(Code.FRAME_SIZE_ERROR)
    for name, value in struct.iter_unpack(">HI", payload):
        least, most, code = _LIMITS.get(name, (0, value, Code.NO_ERROR))
        if not least <= value <= most:
            raise ConnectionFault(code)
        yield name, value
