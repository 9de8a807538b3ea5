from __future__ import annotations

import asyncio
import struct
from typing import Protocol, cast

from dd_pa.delivery.http2 import frames
from dd_pa.delivery.http2.exchange import MAX_ANSWER, Exchange, Failure
from dd_pa.delivery.http2.fields import length_literal, read
from dd_pa.delivery.http2.frames import Code, ConnectionFault, StreamFault, frame

FIRST_WINDOW, MAX_WINDOW = 65_535, 2**31 - 1
WINDOW = 1_048_576
"""Bytes of all answers together that the peer may be ahead of us."""

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME_SIZE, MAX_FIELDS_SIZE = range(1, 7)
OURS = {HEADER_TABLE_SIZE: 0, ENABLE_PUSH: 0, INITIAL_WINDOW: 2 * MAX_ANSWER, MAX_FIELDS_SIZE: frames.MAX_BLOCK}
OPENING = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(frames.SETTINGS, 0, 0, b"".join(struct.pack(">HI", *setting) for setting in OURS.items()))
    + frame(frames.WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - FIRST_WINDOW))
)

QUIET = 30.0
"""Seconds between two PINGs on a connection without requests; after so many of them it is closed."""
QUIET_PINGS = 10

LAST_STREAM = 2**30
"""A connection is replaced long before its numbers end."""

TURN = 262_144
"""Bytes of large bodies that are written in one turn of the loop, so that a slow peer is noticed in time."""

FAREWELL = 0.1
"""Seconds that the peer has to take our last words."""

_LIMITS = {
    ENABLE_PUSH: (0, 0, Code.PROTOCOL_ERROR),
    INITIAL_WINDOW: (0, MAX_WINDOW, Code.FLOW_CONTROL_ERROR),
    MAX_FRAME_SIZE: (frames.MAX_FRAME, 2**24 - 1, Code.PROTOCOL_ERROR),
}
_MEANING: dict[int, Failure] = {Code.ENHANCE_YOUR_CALM: Failure.CALM, Code.HTTP_1_1_REQUIRED: Failure.HTTP1}


class Owner(Protocol):
    """Who hears what becomes of a connection."""

    def has_room(self) -> None:
        """Send what waits: a request may fit."""
        ...

    def unprocessed(self, exchanges: list[Exchange]) -> None:
        """Take back requests that the peer has not processed."""
        ...

    def wears_out(self) -> None:
        """Have another connection ready: this one will not take requests for much longer."""
        ...

    def leaves(self, connection: Connection, served: int) -> None:
        """Give it no more requests: we end it, or the peer does, after it served so many."""
        ...


class Connection(asyncio.Protocol):
    """One connection. Nothing that the peer sends raises into the loop, makes us grow, or is waited for without end."""

    def __init__(self, owner: Owner, fields: bytes, patience: float, lifetime: int = LAST_STREAM) -> None:
        self._owner, self._fields, self._patience, self._lifetime = owner, fields, patience, lifetime
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Failure | None] = self._loop.create_future()
        """Done when requests can be sent, or with why none ever can."""
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.worn = self.leaving = self._over = False
        self._most_streams, self._next = 2**31, 1
        self._exchanges: dict[int, Exchange] = {}
        self._stalled: dict[int, Exchange] = {}
        self._window = self._initial_window = FIRST_WINDOW
        self._max_frame = frames.MAX_FRAME
        self._receive_window = WINDOW
        self._reader = frames.Reader()
        self._out: list[bytes] = []
        self._clogged = self._heard = self._asked = False
        self._quiet = 0
        self._watching: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        tls = transport.get_extra_info("ssl_object")
        self._secure = tls is not None
        if tls and tls.selected_alpn_protocol() != "h2":
            self._end(Failure.HTTP1)
            return
        self._write(OPENING)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            for kind, flags, stream, payload in self._reader.feed(b"" if self._over else data):
                self._take(kind, flags, stream, payload)
            self._pump()
        except ConnectionFault as fault:
            self._end(Failure.LOST, fault.code)
        self._owner.has_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Failure.LOST)
        if self._watching:
            self._watching.cancel()
        self.ended.set_result(None)

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        self._pump()
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
        return not (self.leaving or self._clogged or len(self._exchanges) >= self._most_streams)

    def send(self, exchange: Exchange) -> None:
        """Send a request, or as much of it as the peer's windows allow. Only if there is `room`."""
        if not self._exchanges and not self._asked:
            self._watch_after(self._patience)
        stream, size = self._next, len(exchange.body)
        self._next += 2
        self._exchanges[stream] = exchange
        exchange.begin(self._initial_window)
        head = frame(frames.HEADERS, frames.END_HEADERS, stream, self._fields + length_literal(size))
        if size <= self._window and size <= self._initial_window and size <= self._max_frame and not self._stalled:
            self._window -= size
            self._write(head + frame(frames.DATA, frames.END_STREAM, stream, exchange.piece(size)))
        else:
            self._write(head)
            self._stalled[stream] = exchange
            self._pump()
        if stream >> 1 >= self._lifetime and not self.worn:
            self.worn = True
            self._owner.wears_out()

    def expire(self, now: float) -> None:
        """Give up the requests whose time is over."""
        for stream, exchange in list(self._exchanges.items()):
            if exchange.deadline <= now:
                self._give_up(stream, Code.CANCEL, Failure.TIMEOUT)

    def leave(self, served: int = 0) -> None:
        """Take no more requests, and close when all are answered."""
        self.leaving = True
        self._owner.leaves(self, served)
        if not self._exchanges:
            self.close()

    def close(self) -> None:
        """Say farewell; what is in flight fails."""
        self._end(Failure.CLOSED)

    def _write(self, data: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        """Write all that came up in this turn of the loop at once: one record of TLS, one system call."""
        if self._out and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()
        self._pump()

    def _pump(self) -> None:
        """Send as much of the stalled bodies as the windows allow now."""
        left = TURN
        for stream, exchange in list(self._stalled.items()):
            while left > 0 and not self._clogged:
                size = min(exchange.unsent, exchange.window, self._window, self._max_frame)
                if size <= 0 < exchange.unsent:
                    break
                left -= size
                self._window -= size
                self._write(frame(frames.DATA, size == exchange.unsent, stream, exchange.piece(size)))
                if not exchange.unsent:
                    del self._stalled[stream]
                    break

    def _forget(self, stream: int) -> Exchange:
        self._stalled.pop(stream, None)
        exchange = self._exchanges.pop(stream)
        if self.leaving and not self._exchanges:
            self._loop.call_soon(self.close)
        return exchange

    def _reset(self, stream: int, code: Code) -> None:
        self._write(frame(frames.RST_STREAM, 0, stream, struct.pack(">I", code)))

    def _give_up(self, stream: int, code: Code, failure: Failure) -> None:
        exchange = self._forget(stream)
        self._reset(stream, code)
        exchange.end(failure)

    def _end(self, failure: Failure, code: Code = Code.NO_ERROR) -> None:
        """End it now; nothing that still comes is looked at."""
        if self._over:
            return
        self._over = self.leaving = True
        exchanges, self._exchanges, self._stalled = self._exchanges, {}, {}
        self._out.append(frame(frames.GOAWAY, 0, 0, struct.pack(">II", 0, code)))
        self._flush()
        self._transport.close()
        if self._watching:
            self._watching.cancel()
        self._watching = self._loop.call_later(FAREWELL, self._transport.abort)
        if not self.ready.done():
            old = failure is Failure.HTTP1 or (code and not self._secure)
            self.ready.set_result(Failure.HTTP1 if old else Failure.CONNECT)
        self._owner.leaves(self, 0)
        for exchange in exchanges.values():
            exchange.end(failure)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if stream and kind != frames.PRIORITY and (not stream & 1 or stream >= self._next):
            raise ConnectionFault  # nobody has opened that stream
        try:
            _TAKERS[kind](self, flags, stream, payload)
        except StreamFault as fault:
            if stream in self._exchanges:
                self._give_up(stream, fault.code, Failure.LOST)

    def _take_data(self, flags: int, stream: int, payload: bytes) -> None:
        self._receive_window -= len(payload)
        if self._receive_window < WINDOW // 2:
            self._write(frame(frames.WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - self._receive_window)))
            self._receive_window = WINDOW
        content = frames.unpadded(flags, payload)
        exchange = self._exchanges.get(stream)
        if exchange is None:  # we gave it up
            return
        exchange.take_data(content, len(payload))
        if flags & frames.END_STREAM or exchange.used >= MAX_ANSWER:
            self._answer(stream, exchange, whole=bool(flags & frames.END_STREAM))

    def _take_headers(self, flags: int, stream: int, block: bytes) -> None:
        exchange = self._exchanges.get(stream)
        if exchange is None:  # we gave it up, and there is no table that would miss it
            return
        last = bool(flags & frames.END_STREAM)
        exchange.take_head(read(block), last=last)
        if last:
            self._answer(stream, exchange, whole=True)

    def _answer(self, stream: int, exchange: Exchange, *, whole: bool) -> None:
        result = exchange.result(whole=whole)
        self._forget(stream)
        if not whole or exchange.unsent:
            self._reset(stream, Code.CANCEL)
        if not self._clogged:
            self._reader.noise = 0
        exchange.end(result)

    def _take_reset(self, flags: int, stream: int, payload: bytes) -> None:
        if stream not in self._exchanges:
            return
        exchange, (code,) = self._forget(stream), struct.unpack(">I", payload)
        if code == Code.REFUSED_STREAM:
            self._owner.unprocessed([exchange])
        else:
            exchange.end(_MEANING.get(code, Failure.LOST))

    def _take_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if len(payload) % 6 or (flags & frames.ACK and payload):
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
        if flags & frames.ACK:
            return
        for name, value in struct.iter_unpack(">HI", payload):
            least, most, code = _LIMITS.get(name, (0, value, Code.NO_ERROR))
            if not least <= value <= most:
                raise ConnectionFault(code)
            self._set(name, value)
        self._write(frame(frames.SETTINGS, frames.ACK, 0))
        if not self.ready.done():
            self.ready.set_result(None)
            self._watch_after(QUIET)

    def _set(self, name: int, value: int) -> None:
        if name == MAX_STREAMS:
            self._most_streams = value
        elif name == MAX_FRAME_SIZE:
            self._max_frame = value
        elif name == INITIAL_WINDOW:
            for stalled in self._stalled.values():
                stalled.window += value - self._initial_window  # may be less than nothing
                if stalled.window > MAX_WINDOW:
                    raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
            self._initial_window = value

    def _take_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if not flags & frames.ACK:
            self._write(frame(frames.PING, frames.ACK, 0, payload))

    def _take_goaway(self, flags: int, stream: int, payload: bytes) -> None:
        last, code = struct.unpack_from(">II", payload)
        last &= 0x7FFFFFFF
        late = [self._forget(stream) for stream in list(self._exchanges) if stream > last]
        self.leave((last + 1) // 2 if last < self._next else 0)
        if code == Code.ENHANCE_YOUR_CALM:
            for exchange in late:
                exchange.end(Failure.CALM)
        else:
            self._owner.unprocessed(late)

    def _take_window(self, flags: int, stream: int, payload: bytes) -> None:
        more = struct.unpack(">I", payload)[0] & 0x7FFFFFFF
        if not stream:
            self._window += more
            if not more or self._window > MAX_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR)
        elif not more:
            raise StreamFault
        elif stream in self._stalled:
            self._stalled[stream].window += more
            if self._stalled[stream].window > MAX_WINDOW:
                raise StreamFault(Code.FLOW_CONTROL_ERROR)

    def _take_nothing(self, flags: int, stream: int, payload: bytes) -> None:
        """Ignore a PRIORITY, which has no meaning any more."""

    def _watch_after(self, delay: float) -> None:
        if self._watching:
            self._watching.cancel()
        self._watching = self._loop.call_later(delay, self._watch)

    def _watch(self) -> None:
        """Ask a silent peer whether it is there; leave one that does not answer, or is not needed any more."""
        if self._asked and not self._heard:
            self._end(Failure.LOST)
            return
        busy = bool(self._exchanges)
        self._asked = not self._asked and not (busy and self._heard)
        if self._asked:
            self._quiet = 0 if busy else self._quiet + 1
            if self._quiet > QUIET_PINGS:
                self.leave()
                return
            self._write(frame(frames.PING, 0, 0, bytes(8)))
        self._heard = False
        self._watch_after(self._patience if busy or self._asked else QUIET)


_TAKERS = (
    Connection._take_data,
    Connection._take_headers,
    Connection._take_nothing,
    Connection._take_reset,
    Connection._take_settings,
    Connection._take_nothing,
    Connection._take_ping,
    Connection._take_goaway,
    Connection._take_window,
)
