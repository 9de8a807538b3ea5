"""What leaves, and when: the peer's windows and frame size, and a socket that takes no more (RFC 9113, section 5.2)."""

from __future__ import annotations

import asyncio

from dd_pa.network.http2 import frames
from dd_pa.network.http2.exchange import Exchange
from dd_pa.network.http2.frames import Code, ConnectionFault, StreamFault, frame
from dd_pa.network.http2.settings import FIRST_WINDOW, MAX_WINDOW

TURN = 262_144
"""Bytes of bodies that are written in one turn of the loop, so that a slow peer is noticed in time."""


class FlowControl:
    """The half of a connection that writes."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clogged = False
        """The socket takes no more for now."""
        self.max_frame = frames.MAX_FRAME
        self._loop = loop
        self._window = self._first_window = FIRST_WINDOW
        self._unsent: dict[int, Exchange] = {}
        self._out: list[bytes] = []
        self._left = TURN

    def request(self, stream: int, exchange: Exchange, fields: bytes) -> None:
        """Send a request, or as much of it as the windows allow."""
        exchange.begin(self._first_window)
        self.write(frame(frames.HEADERS, frames.END_HEADERS, stream, fields))
        self._unsent[stream] = exchange
        self.pump()

    def forget(self, stream: int) -> None:
        """Send no more of a body."""
        self._unsent.pop(stream, None)

    def write(self, data: bytes) -> None:
        """Write frames in this turn of the loop, with all else that comes up in it: one TLS record, one system call."""
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(data)

    def flush(self) -> None:
        """Write them now."""
        if self._out and not self.transport.is_closing():
            self.transport.write(b"".join(self._out))
        self._out.clear()
        self._left = TURN
        self.pump()

    def pump(self) -> None:
        """Send as much of the bodies as the windows allow now, the oldest first."""
        if self.clogged or self._window <= 0:
            return
        for stream, exchange in list(self._unsent.items()):
            while self._left > 0:
                size = min(exchange.unsent, exchange.window, self._window, self.max_frame)
                if size <= 0 < exchange.unsent:
                    break
                self._left -= size
                self._window -= size
                self.write(frame(frames.DATA, size == exchange.unsent, stream, exchange.piece(size)))
                if not exchange.unsent:
                    del self._unsent[stream]
                    break

    def widen(self, stream: int, more: int) -> None:
        """Take a WINDOW_UPDATE of a stream, or of the connection (0)."""
        if not stream:
            self._window += more
            if not more or self._window > MAX_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR)
        elif not more:
            raise StreamFault
        elif exchange := self._unsent.get(stream):
            exchange.window += more
            if exchange.window > MAX_WINDOW:
                raise StreamFault(Code.FLOW_CONTROL_ERROR)

    def set_first_window(self, size: int) -> None:
        """Take another size of each stream's window, also of those that are open."""
        for exchange in self._unsent.values():
            exchange.window += size - self._first_window  # may be less than nothing
            if exchange.window > MAX_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
        self._first_window = size
