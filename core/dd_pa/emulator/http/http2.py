"""HTTP/2 beside uvicorn's HTTP/1.1, on the same port and without TLS, so that development runs what production runs.

Who knows that we speak it begins with HTTP/2's preface (RFC 9113, section 3.3). The protocol itself is `h2`'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dd_pa.emulator.http.connection import ABORT
from dd_pa.emulator.http.exchange import Exchange

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MOST_STREAMS = 128
"""Requests at a time on one connection, as with nginx."""

WINDOW = 2**20
"""Bytes of bodies that a connection may be ahead of whoever reads them."""

_SETTINGS: dict[SettingCodes, int] = {
    SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
    SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
    SettingCodes.MAX_HEADER_LIST_SIZE: 65_536,
}


class EitherProtocol(HttpToolsProtocol):
    """A connection that speaks what its client began with."""

    _undecided = True
    _first = b""

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self._undecided:
            data = self._first + data
            if len(data) < len(PREFACE) and PREFACE.startswith(data):
                self._first = data
                return
            self._undecided = False
            if data.startswith(PREFACE):
                self._become_http2(data)
                return
        super().data_received(data)

    def _become_http2(self, data: bytes) -> None:
        self.connections.discard(self)
        protocol = Http2Protocol(self.config, self.server_state)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(data)


class Http2Protocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, config: Config, state: ServerState) -> None:
        self.transport: asyncio.Transport
        self.state = state
        self._app = cast("ASGIApp", config.loaded_app)
        self._patience = config.timeout_keep_alive
        self._tasks = state.tasks
        self._connections = cast("set[Any]", state.connections)
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding=None, validate_outbound_headers=False)
        )
        self._h2.local_settings = Settings(client=False, initial_values=_SETTINGS)
        self._exchanges: dict[int, Exchange] = {}
        self._moved = asyncio.Event()
        self._clogged = self._leaving = self._flushing = False
        self._heard = True
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say our settings."""
        self.transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW - 65_535)
        self._watch = self._loop.call_later(self._patience, self._leave_the_silent)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who are still answering."""
        self._connections.discard(self)
        if self._watch:
            self._watch.cancel()
        self._lose_all()

    def pause_writing(self) -> None:
        """Wait with bodies."""
        self._clogged = True

    def resume_writing(self) -> None:
        """Go on with them."""
        self._clogged = False
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._heard = True
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except ProtocolError:
            self._lose_all()
            self._flush()  # it says why
            self.transport.close()
        else:
            self._flush_soon()

    def shutdown(self) -> None:
        """Take no more requests, and close when all are answered."""
        self._leaving = True
        if not self._exchanges and not self.transport.is_closing():
            self._h2.close_connection()
            self._flush()
            self.transport.close()

    def _leave_the_silent(self) -> None:
        if not self._heard and not self._exchanges:
            self.shutdown()
            return
        self._heard = False
        self._watch = self._loop.call_later(self._patience, self._leave_the_silent)

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._begin(event.stream_id, event.headers)
        elif isinstance(event, DataReceived):
            exchange = self._exchanges.get(event.stream_id)
            if exchange is None:
                self.take_back(event.stream_id, event.flow_controlled_length)
            else:
                exchange.feed(event.data, event.flow_controlled_length)
        elif isinstance(event, StreamEnded | StreamReset):
            exchange = self._exchanges.get(event.stream_id)
            if exchange is not None:
                (exchange.finish if isinstance(event, StreamEnded) else exchange.lose)()
        elif isinstance(event, WindowUpdated | RemoteSettingsChanged):
            self._wake()
        elif isinstance(event, ConnectionTerminated):
            self._lose_all()
            self.transport.close()

    def _begin(self, stream: int, fields: list[tuple[bytes, bytes]]) -> None:
        if self._leaving:
            self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        exchange = Exchange(self, stream, lambda: self.reset(stream, ErrorCodes.INTERNAL_ERROR))
        exchange.scope = self._scope(fields, exchange)
        self._exchanges[stream] = exchange
        task = self._loop.create_task(exchange.run(self._app))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _scope(self, fields: list[tuple[bytes, bytes]], exchange: Exchange) -> Scope:
        pseudo = {name: value for name, value in fields if name[:1] == b":"}
        path, _, query = pseudo.get(b":path", b"*").partition(b"?")
        authority = pseudo.get(b":authority")
        own = [] if authority is None else [(b"host", authority)]
        rest = [field for field in fields if field[0][:1] != b":" and not (own and field[0] == b"host")]
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "server": self.transport.get_extra_info("sockname")[:2],
            "client": self.transport.get_extra_info("peername")[:2],
            "scheme": "http",
            "method": pseudo[b":method"].decode("ascii"),
            "root_path": "",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "headers": [*own, *rest],
            "extensions": {ABORT: exchange.abort},
        }

    async def answer(self, exchange: Exchange, head: list[tuple[bytes, bytes]], body: bytes, *, last: bool) -> None:
        """Send fields, if there are any, and a piece of the body; waits while the client takes no more."""
        stream = exchange.stream
        if head:
            self._h2.send_headers(stream, head, end_stream=last and not body)
        elif last and not body:
            self._h2.end_stream(stream)
        while body and not exchange.lost:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room > 0 and not self._clogged:
                self._h2.send_data(stream, body[:room], end_stream=last and room >= len(body))
                body = body[room:]
            else:
                self._flush()
                await self._moved.wait()
        self._flush_soon()

    def take_back(self, stream: int, size: int) -> None:
        """Let the client send as many bytes again."""
        if size and not self.transport.is_closing():
            self._h2.acknowledge_received_data(size, stream)
            self._flush_soon()

    def reset(self, stream: int, code: ErrorCodes) -> None:
        """End a stream alone."""
        exchange = self._exchanges.get(stream)
        if exchange is not None and not exchange.lost:
            exchange.lose()
            self._h2.reset_stream(stream, code)
            self._flush_soon()

    def over(self, exchange: Exchange) -> None:
        """Forget a request."""
        del self._exchanges[exchange.stream]
        if self._leaving:
            self.shutdown()

    def _lose_all(self) -> None:
        for exchange in self._exchanges.values():
            exchange.lose()
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved.clear()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        data = self._h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)
