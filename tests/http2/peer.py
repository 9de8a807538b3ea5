"""A server that does what its script says, frame by frame, on a real socket; frames are hyperframe's, not ours."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from dd_pa.emulator.server import stop_accepting
from dd_pa.network.http2 import Answer, Failure, Origin

F = TypeVar("F", bound=Frame)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FIELDS = [(":method", "POST"), (":scheme", "http"), (":authority", "peer"), (":path", "/x"), ("dd-api-key", "k" * 32)]


def raw(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """Return a frame that hyperframe would refuse to make."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(*fields: tuple[str, str]) -> bytes:
    """Return header fields as a server writes them that was asked for a table of size 0."""
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(fields)


def headers(stream: int, *fields: tuple[str, str], end: bool = False) -> HeadersFrame:
    flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
    return HeadersFrame(stream, data=block(*fields), flags=flags)


def data(stream: int, content: bytes, *, end: bool = True, padding: int | None = None) -> DataFrame:
    flags = [*(["END_STREAM"] if end else []), *([] if padding is None else ["PADDED"])]
    return DataFrame(stream, data=content, flags=flags, pad_length=padding or 0)


class Wire:
    """One connection, seen from the peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.seen: list[Frame] = []
        self.closed = False
        self.answers_pings = True
        self.requests: dict[int, bytes] = {}
        """The whole bodies by stream."""
        self._bodies: dict[int, bytes] = {}
        self._decoder = Decoder()
        self._told: deque[dict[int, int]] = deque()
        """Settings that the client has not acknowledged."""
        self.fields: dict[int, list[tuple[str, str]]] = {}

    def send(self, *frames: Frame | bytes) -> None:
        self._told += [part.settings for part in frames if isinstance(part, SettingsFrame) and "ACK" not in part.flags]
        self.writer.write(b"".join(part if isinstance(part, bytes) else part.serialize() for part in frames))

    async def frame(self) -> Frame:
        """Return the client's next frame; raises `IncompleteReadError` when it is gone."""
        frame, length = Frame.parse_frame_header(memoryview(await self.reader.readexactly(9)))
        frame.parse_body(memoryview(await self.reader.readexactly(length)))
        self.seen.append(frame)
        self._note(frame)
        if isinstance(frame, PingFrame) and "ACK" not in frame.flags and self.answers_pings:
            self.send(PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]))
        return frame

    def _note(self, frame: Frame) -> None:
        stream = frame.stream_id
        if isinstance(frame, SettingsFrame) and "ACK" in frame.flags and self._told:
            told, table = self._told.popleft(), SettingsFrame.HEADER_TABLE_SIZE
            self._decoder.max_allowed_table_size = told.get(table, self._decoder.max_allowed_table_size)
        if isinstance(frame, HeadersFrame):
            assert stream & 1
            assert stream > max(self.fields, default=0)
            self.fields[stream] = [(str(name), str(value)) for name, value in self._decoder.decode(frame.data)]
        if isinstance(frame, HeadersFrame | DataFrame):
            if isinstance(frame, DataFrame):
                self._bodies[stream] = self._bodies.get(stream, b"") + frame.data
            if "END_STREAM" in frame.flags:
                self.requests[stream] = self._bodies.pop(stream, b"")

    async def expect(self, kind: type[F]) -> F:
        """Return the client's next frame of a kind, whatever comes before it."""
        while True:
            frame = await self.frame()
            if isinstance(frame, kind):
                return frame

    async def hello(self, settings: dict[int, int] | None = None) -> None:
        """Read the preface and the client's SETTINGS, and send ours."""
        assert await self.reader.readexactly(len(PREFACE)) == PREFACE
        first = await self.frame()
        assert isinstance(first, SettingsFrame)
        assert first.settings[SettingsFrame.ENABLE_PUSH] == 0
        self.send(SettingsFrame(0, settings=settings or {}), SettingsFrame(0, flags=["ACK"]))

    async def request(self, *, window: bool = True) -> int:
        """Return the stream of the next whole request; `window`: give back what its body took."""
        before = set(self.requests)
        while True:
            frame = await self.frame()
            if isinstance(frame, DataFrame) and window and frame.flow_controlled_length:
                size = frame.flow_controlled_length
                self.send(WindowUpdateFrame(0, window_increment=size))
                if "END_STREAM" not in frame.flags:
                    self.send(WindowUpdateFrame(frame.stream_id, window_increment=size))
            if new := set(self.requests) - before:
                return new.pop()

    def answer(self, stream: int, status: int = 202, content: bytes = b"{}") -> None:
        self.send(
            headers(stream, (":status", str(status)), ("content-type", "application/json")), data(stream, content)
        )

    async def echo(self) -> None:
        """Answer each request with its own body, as an error so that it is read, until the client is gone."""
        while True:
            stream = await self.request()
            self.answer(stream, 400, self.requests[stream])

    async def until_the_end(self) -> None:
        """Read until the client has closed."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await self.frame()


Script = Callable[[Wire], Awaitable[None]]


async def well_behaved(wire: Wire) -> None:
    await wire.hello()
    await wire.echo()


class Peer:
    """A server whose connections follow the scripts, one after the other; the last for all that come."""

    def __init__(self, scripts: tuple[Script, ...]) -> None:
        self._scripts = scripts
        self._tasks: list[asyncio.Task[None]] = []
        self.wires: list[Wire] = []

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        self.wires.append(wire)
        script = self._scripts[min(len(self.wires), len(self._scripts)) - 1]
        self._tasks.append(asyncio.get_running_loop().create_task(self._serve(script, wire)))

    async def _serve(self, script: Script, wire: Wire) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await script(wire)
        wire.closed = True
        wire.writer.transport.abort()

    async def aclose(self) -> None:
        """End all, when what the client has sent is read. Raises what went wrong in a script."""
        if not self._tasks:
            return
        done, hanging = await asyncio.wait(self._tasks, timeout=0.5)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        for wire in self.wires:
            wire.writer.transport.abort()
        for _ in range(3):  # turns of the loop that an aborted connection takes to end
            await asyncio.sleep(0)
        for task in done:
            task.result()


class Client:
    """An origin of a peer."""

    def __init__(self, origin: Origin, wires: list[Wire]) -> None:
        self.origin, self.wires = origin, wires

    async def post(self, *bodies: bytes) -> list[Answer | Failure]:
        """Post all at once; return what became of each, in order."""
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[Answer | Failure]] = [loop.create_future() for _ in bodies]
        for body, answer in zip(bodies, answers, strict=True):
            self.origin.post(body, answer.set_result)  # a second call would raise
        async with asyncio.timeout(60):
            return await asyncio.gather(*answers)


@contextlib.asynccontextmanager
async def client(
    *scripts: Script,
    timeout: float = 5.0,
    fields: list[tuple[str, str]] = FIELDS,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
) -> AsyncIterator[Client]:
    """A client of a peer with such scripts; `tls`: the peer's and its own.

    Whatever reaches the loop's handler of exceptions fails the test.
    """
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    peer = Peer(scripts)
    theirs, ours = tls or (None, None)
    server = await asyncio.start_server(peer.accept, "127.0.0.1", 0, ssl=theirs)
    host = "localhost" if tls else "127.0.0.1"
    origin = Origin(host, server.sockets[0].getsockname()[1], fields, tls=ours, timeout=timeout)
    try:
        yield Client(origin, peer.wires)
    finally:
        await origin.aclose()
        await stop_accepting(server)
        server.close()
        await peer.aclose()
    assert problems == []


def goodbyes(wire: Wire) -> list[int]:
    """Return the codes of the GOAWAYs with which the client left."""
    return [frame.error_code for frame in wire.seen if isinstance(frame, GoAwayFrame)]


def pings(wire: Wire) -> list[PingFrame]:
    return [frame for frame in wire.seen if isinstance(frame, PingFrame)]


def resets(wire: Wire) -> dict[int, int]:
    """Return the streams that the client reset, with its codes."""
    return {frame.stream_id: frame.error_code for frame in wire.seen if isinstance(frame, RstStreamFrame)}
