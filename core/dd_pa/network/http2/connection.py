from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Protocol, cast

from dd_pa.network.http2 import fields, frames, settings
from dd_pa.network.http2.exchange import MAX_ANSWER, Answer, Exchange, Failure
from dd_pa.network.http2.flow_control import FlowControl
from dd_pa.network.http2.frames import Code, ConnectionFault, StreamFault, frame
from dd_pa.network.http2.settings import WINDOW

FAREWELL = 0.1
"""Seconds that the peer has to take our last words."""

QUIET = 30.0
"""Seconds between two PINGs on a connection without requests; after so many of them it is closed."""
QUIET_PINGS = 10

_MEANING: dict[int, Failure] = {Code.ENHANCE_YOUR_CALM: Failure.CALM, Code.HTTP_1_1_REQUIRED: Failure.HTTP1}


class Owner(Protocol):
    """Whoever gives a connection its requests. It is told on the loop's thread, also from within `post()`."""

    def has_room(self) -> None:
        """Learn that more requests may be sent."""
        ...

    def leaves(self, connection: Connection, served: int) -> None:
        """Learn that a connection takes no more requests; it has answered so many."""
        ...

    def unprocessed(self, exchanges: Sequence[Exchange]) -> None:
        """Take back requests of which the peer says that it has not looked at them."""
        ...


class Connection(asyncio.Protocol):
    """One connection. Nothing that the peer sends raises into the loop, makes us grow, or is waited for without end."""

    def __init__(self, owner: Owner, request: bytes, patience: float) -> None:
        self._owner, self._request, self._patience = owner, request, patience
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Failure | None] = self._loop.create_future()
        """Done when requests can be sent, or with why none ever can."""
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.leaving = self._over = False
        self._most_streams, self._next = 2**31, 1
        self._table_update = b""
        self._exchanges: dict[int, Exchange] = {}
        self._receive_window = WINDOW
        self._reader = frames.Reader()
        self._sending = FlowControl(self._loop)
        self._silent_since, self._asked, self._quiet_pings = 0.0, False, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sending.transport = cast("asyncio.Transport", transport)
        tls = transport.get_extra_info("ssl_object")
        self._secure = tls is not None
        if tls and tls.selected_alpn_protocol() != "h2":
            self._end(Failure.HTTP1)
            return
        self._sending.write(settings.OPENING)

    def data_received(self, data: bytes) -> None:
        self._silent_since, self._asked = self._loop.time(), False
        try:
            for kind, flags, stream, payload in self._reader.feed(b"" if self._over else data):
                self._take(kind, flags, stream, payload)
            self._sending.pump()
        except ConnectionFault as fault:
            self._end(Failure.LOST, fault.code)
        self._owner.has_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Failure.LOST)
        self._farewell.cancel()
        self.ended.set_result(None)

    def pause_writing(self) -> None:
        self._sending.clogged = True

    def resume_writing(self) -> None:
        self._sending.clogged = False
        self._sending.pump()
        self._owner.has_room()

    @property
    def busy(self) -> bool:
        """Requests are in flight on it."""
        return bool(self._exchanges)

    @property
    def full(self) -> bool:
        """The peer allows no more requests at a time."""
        return len(self._exchanges) >= self._most_streams

    @property
    def room(self) -> bool:
        """A request can be sent now."""
        return not (self.leaving or self._sending.clogged or self.full)

    @property
    def begun(self) -> int:
        """Requests that were ever sent on it."""
        return self._next >> 1

    def send(self, exchange: Exchange) -> None:
        """Send a request, or as much of it as the peer's windows allow. Only if there is `room`."""
        if not self._exchanges:
            self._silent_since, self._quiet_pings = self._loop.time(), 0
        stream = self._next
        self._next += 2
        self._exchanges[stream] = exchange
        block = self._table_update + self._request + fields.length_literal(len(exchange.body))
        self._table_update = b""
        self._sending.request(stream, exchange, block)
        if self._next > frames.LAST_STREAM:
            self.leave()

    def look(self, now: float) -> None:
        """Give up requests whose time is over; ask a silent peer whether it is there, and leave one that is not.

        Where a request was given up, others go elsewhere: a peer may have lost what a window has, or read no more.
        """
        late = [stream for stream, exchange in self._exchanges.items() if exchange.deadline <= now]
        for stream in late:
            self._give_up(stream, Code.CANCEL, self._exchanges[stream].taken or Failure.TIMEOUT)
        if late:
            self.leave()
        patience = self._patience if self.busy or self._asked else QUIET
        if self._over or not self.ready.done() or now - self._silent_since < patience:
            return
        if self._asked:
            self._end(Failure.LOST)
        elif not self.busy and self._quiet_pings >= QUIET_PINGS:
            self.leave()
        else:
            self._silent_since, self._asked = now, True
            self._quiet_pings += not self.busy
            self._sending.write(frame(frames.PING, 0, 0, bytes(8)))

    def leave(self, served: int = 0) -> None:
        """Take no more requests, and close when all are answered; the peer says that it `served` so many."""
        self.leaving = True
        self._owner.leaves(self, served)
        if not self._exchanges:
            self.close()

    def close(self) -> None:
        """Say farewell; what is in flight fails."""
        self._end(Failure.CLOSED)

    def _end(self, failure: Failure, code: Code = Code.NO_ERROR) -> None:
        """End it now; nothing that still comes is looked at."""
        if self._over:
            return
        self._over = self.leaving = True
        exchanges, self._exchanges = self._exchanges, {}
        for stream in exchanges:
            self._sending.forget(stream)
        if failure is not Failure.HTTP1:  # such a server would take it for a request
            self._sending.write(frame(frames.GOAWAY, 0, 0, struct.pack(">II", 0, code)))
        self._sending.flush()
        self._sending.transport.close()
        self._farewell = self._loop.call_later(FAREWELL, self._sending.transport.abort)
        if not self.ready.done():
            old = failure is Failure.HTTP1 or (code and not self._secure)
            self.ready.set_result(Failure.HTTP1 if old else Failure.CONNECT)
        self._owner.leaves(self, 0)
        for exchange in exchanges.values():
            exchange.end((None if code else exchange.taken) or failure)

    def _forget(self, stream: int) -> Exchange:
        self._sending.forget(stream)
        exchange = self._exchanges.pop(stream)
        if self.leaving and not self._exchanges:
            self._loop.call_soon(self.close)
        return exchange

    def _reset(self, stream: int, code: Code) -> None:
        self._sending.write(frame(frames.RST_STREAM, 0, stream, struct.pack(">I", code)))

    def _give_up(self, stream: int, code: Code, result: Answer | Failure) -> None:
        exchange = self._forget(stream)
        self._reset(stream, code)
        exchange.end(result)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if stream and (not stream & 1 or stream >= self._next):
            raise ConnectionFault  # nobody has opened that stream
        try:
            _TAKERS[kind](self, flags, stream, payload)
        except StreamFault as fault:
            if stream in self._exchanges:
                self._give_up(stream, fault.code, Failure.LOST)

    def _take_data(self, flags: int, stream: int, payload: bytes) -> None:
        self._receive_window -= len(payload)
        if self._receive_window < WINDOW // 2:
            more = struct.pack(">I", WINDOW - self._receive_window)
            self._sending.write(frame(frames.WINDOW_UPDATE, 0, 0, more))
            self._receive_window = WINDOW
        content = frames.unpadded(flags, payload)
        exchange = self._exchanges.get(stream)
        if exchange is None:  # we gave it up
            return
        exchange.take_data(content)
        if flags & frames.END_STREAM or exchange.read >= MAX_ANSWER:
            self._answer(stream, exchange, whole=bool(flags & frames.END_STREAM))

    def _take_headers(self, flags: int, stream: int, block: bytes) -> None:
        exchange = self._exchanges.get(stream)
        if exchange is None:  # we gave it up, and there is no table that would miss it
            return
        last = bool(flags & frames.END_STREAM)
        exchange.take_head(fields.read(block), last=last)
        if last:
            self._answer(stream, exchange, whole=True)

    def _answer(self, stream: int, exchange: Exchange, *, whole: bool) -> None:
        result = exchange.result(whole=whole)
        self._forget(stream)
        if not whole or exchange.unsent:
            self._reset(stream, Code.CANCEL)
        if not self._sending.clogged:
            self._reader.noise = 0
        exchange.end(result)

    def _take_reset(self, flags: int, stream: int, payload: bytes) -> None:
        if stream not in self._exchanges:
            return
        exchange, code = self._forget(stream), int.from_bytes(payload, "big")
        if code == Code.REFUSED_STREAM:
            self._owner.unprocessed([exchange])
        else:
            exchange.end(exchange.taken or _MEANING.get(code, Failure.LOST))

    def _take_settings(self, flags: int, stream: int, payload: bytes) -> None:
        for name, value in settings.read(flags, payload):
            if name == settings.MAX_STREAMS:
                self._most_streams = value
            elif name == settings.MAX_FRAME_SIZE:
                self._sending.max_frame = value
            elif name == settings.INITIAL_WINDOW:
                self._sending.set_first_window(value)
            elif name == settings.HEADER_TABLE_SIZE and value < settings.FIRST_TABLE:
                self._table_update = fields.NO_TABLE
        if flags & frames.ACK:
            return
        self._sending.write(frame(frames.SETTINGS, frames.ACK, 0))
        if not self.ready.done():
            self.ready.set_result(None)

    def _take_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if not flags & frames.ACK:
            self._sending.write(frame(frames.PING, frames.ACK, 0, payload))

    def _take_goaway(self, flags: int, stream: int, payload: bytes) -> None:
        last, code = struct.unpack_from(">II", payload)
        last &= 0x7FFFFFFF
        late = [self._forget(stream) for stream in list(self._exchanges) if stream > last]
        self.leave((last + 1) // 2 if last < self._next else 0)
        if code not in _MEANING:
            self._owner.unprocessed(late)
            return
        for exchange in late:
            exchange.end(_MEANING[code])

    def _take_window(self, flags: int, stream: int, payload: bytes) -> None:
        self._sending.widen(stream, int.from_bytes(payload, "big") & 0x7FFFFFFF)


_TAKERS = {
    frames.DATA: Connection._take_data,
    frames.HEADERS: Connection._take_headers,
    frames.RST_STREAM: Connection._take_reset,
    frames.SETTINGS: Connection._take_settings,
    frames.PING: Connection._take_ping,
    frames.GOAWAY: Connection._take_goaway,
    frames.WINDOW_UPDATE: Connection._take_window,
}
