"""Windows that open, close and shrink in any order, held against a model of RFC 9113, sections 5.2 and 6.9."""

from __future__ import annotations

import asyncio
import os
import struct
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dd_pa.network.http2 import settings as settings_frames
from dd_pa.network.http2.connection import Connection
from dd_pa.network.http2.exchange import Exchange
from tests.http2.peer import block, raw
from tests.http2.test_any_bytes import Memory, Owner

EXAMPLES = int(os.environ.get("DD_PA_FRAMES", "150"))
DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE = 0, 1, 3, 4, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW, MAX_FRAME = 4, 5
FIRST_WINDOW, TURNS = 65_535, 12

SIZES = st.sampled_from([1, 300, 16_384, 16_385, 65_535, 65_536, 300_000])
INCREMENTS = st.sampled_from([1, 100, 16_384, 65_535, 1_000_000])
STEPS = st.one_of(
    st.tuples(st.just("post"), SIZES),
    st.tuples(st.just("widen"), st.integers(0, 7), INCREMENTS),
    st.tuples(st.just("widen_all"), INCREMENTS),
    st.tuples(st.just("first_window"), st.sampled_from([0, 1, 1_000, 65_535, 65_536, 1_000_000])),
    st.tuples(st.just("frame_size"), st.sampled_from([16_384, 20_000, 2**24 - 1])),
    st.tuples(st.just("answer"), st.integers(0, 7), st.sampled_from([202, 400])),
    st.tuples(st.just("reset"), st.integers(0, 7)),
    st.tuples(st.just("clog"), st.booleans()),
)


@dataclass(slots=True)
class Model:
    """What the client may send, by the RFC."""

    windows: dict[int, int] = field(default_factory=dict)
    """By stream that is open."""
    left: dict[int, int] = field(default_factory=dict)
    """Bytes of each body that have not come."""
    all: int = FIRST_WINDOW
    first: int = FIRST_WINDOW
    frame: int = 16_384
    clogged: bool = False

    def take(self, written: bytes) -> None:
        """Check what the client wrote, in order."""
        at = 0
        while at < len(written):
            size = int.from_bytes(written[at : at + 3], "big")
            kind, flags, stream = struct.unpack_from(">BBI", written, at + 3)
            at += 9 + size
            assert size <= self.frame
            if kind == HEADERS:
                assert not flags & END_STREAM
            elif kind == RST_STREAM:
                self.over(stream)
            elif kind == DATA:
                assert stream in self.left, "DATA on a stream that is over"
                self.all -= size
                self.windows[stream] -= size
                self.left[stream] -= size
                assert self.all >= 0
                assert self.windows[stream] >= 0
                assert bool(flags & END_STREAM) is (self.left[stream] == 0)
        assert at == len(written)

    def over(self, stream: int) -> None:
        self.windows.pop(stream, None)
        self.left.pop(stream, None)

    def check_nothing_is_held_back(self) -> None:
        """All that may be sent has been."""
        if self.all > 0 and not self.clogged:
            held = {stream for stream, left in self.left.items() if left and self.windows[stream] > 0}
            assert not held, f"{held} could be sent"


class Pipe(Memory):
    """A transport that keeps what is written until it is looked at."""

    out = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        self.out += bytes(data)


class Talk:
    """A connection, what is done to it, and the model that is told the same."""

    def __init__(self) -> None:
        self._model, self._count = Model(), 0
        self._connection = Connection(Owner(), b"", 30.0)  # type: ignore[arg-type]
        self._transport = Pipe(self._connection)
        self._connection.connection_made(self._transport)
        self._hear(SETTINGS, 0)

    def _hear(self, kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> None:
        self._connection.data_received(raw(kind, flags, stream, payload))

    def post(self, size: int) -> None:
        stream = 2 * self._count + 1
        self._model.windows[stream], self._model.left[stream] = self._model.first, size
        self._connection.send(Exchange(bytes(size), lambda _: None, 60.0))
        self._count += 1

    def widen(self, number: int, more: int) -> None:
        stream = 2 * number + 1
        if stream in self._model.windows:
            self._model.windows[stream] += more
        if number < self._count:
            self._hear(WINDOW_UPDATE, stream, struct.pack(">I", more))

    def widen_all(self, more: int) -> None:
        self._model.all += more
        self._hear(WINDOW_UPDATE, 0, struct.pack(">I", more))

    def first_window(self, size: int) -> None:
        for stream in self._model.windows:
            self._model.windows[stream] += size - self._model.first
        self._model.first = size
        self._hear(SETTINGS, 0, struct.pack(">HI", INITIAL_WINDOW, size))

    def frame_size(self, size: int) -> None:
        self._model.frame = size
        self._hear(SETTINGS, 0, struct.pack(">HI", MAX_FRAME, size))

    def answer(self, number: int, status: int) -> None:
        stream = 2 * number + 1
        if stream in self._model.left:
            self._hear(HEADERS, stream, block((":status", str(status))), END_HEADERS | END_STREAM)
            self._model.over(stream)

    def reset(self, number: int) -> None:
        stream = 2 * number + 1
        if stream in self._model.left:
            self._hear(RST_STREAM, stream, bytes(4))
            self._model.over(stream)

    def clog(self, now: bool) -> None:
        self._model.clogged = now
        (self._connection.pause_writing if now else self._connection.resume_writing)()

    async def check(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        written, self._transport.out = self._transport.out, b""
        self._model.take(written.removeprefix(settings_frames.OPENING))
        self._model.check_nothing_is_held_back()

    async def end(self) -> None:
        self._connection.close()
        for _ in range(3):
            await asyncio.sleep(0)
        assert self._connection.ended.done()


async def talk(steps: list[tuple[Any, ...]]) -> None:
    talking = Talk()
    for name, *values in steps:
        getattr(talking, name)(*values)
        await talking.check()
    await talking.end()


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_any_windows(steps: list[tuple[Any, ...]]) -> None:
    """Never more than allowed, on any stream and in any frame; and all that is allowed."""
    asyncio.run(talk(steps))
