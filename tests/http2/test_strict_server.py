"""What the server of another library, h2, thinks of us: whatever it does, it finds no fault, and all is answered."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from dd_pa.network.http2 import Answer, Failure, fields
from dd_pa.network.http2.connection import Connection
from dd_pa.network.http2.exchange import Exchange
from tests.http2.peer import FIELDS
from tests.http2.test_any_bytes import Owner
from tests.http2.test_any_windows import Pipe

EXAMPLES = int(os.environ.get("DD_PA_FRAMES", "100"))
TURNS = 6
MOST = 2**31 - 1

CHANGES = st.one_of(
    st.tuples(st.just(SettingCodes.HEADER_TABLE_SIZE), st.sampled_from([0, 64, 4_095, 4_096, 65_536])),
    st.tuples(st.just(SettingCodes.INITIAL_WINDOW_SIZE), st.sampled_from([0, 1, 1_000, 65_535, 1_000_000])),
    st.tuples(st.just(SettingCodes.MAX_FRAME_SIZE), st.sampled_from([16_384, 40_000, 2**24 - 1])),
    st.tuples(st.just(SettingCodes.MAX_CONCURRENT_STREAMS), st.sampled_from([0, 1, 5, 100])),
    st.tuples(st.just(SettingCodes.MAX_HEADER_LIST_SIZE), st.sampled_from([4_096, 2**32 - 1])),
    st.tuples(st.sampled_from([9, 0xF000]), st.just(1)),
)
STEPS = st.one_of(
    st.tuples(st.just("post"), st.sampled_from([1, 300, 16_385, 70_000])),
    st.tuples(st.just("post"), st.sampled_from([1, 300, 16_385, 70_000])),
    st.tuples(st.just("set"), st.lists(CHANGES, min_size=1, max_size=3)),
    st.tuples(st.just("give_back")),
    st.tuples(st.just("answer"), st.integers(0, 7), st.integers(0, 3)),
    st.tuples(st.just("reset"), st.integers(0, 7)),
    st.tuples(st.just("ping")),
)


class Talk:
    """A connection of ours, the other library's server, and what came of each request."""

    def __init__(self) -> None:
        self._owner = Owner()
        self._connection = Connection(self._owner, fields.literals(FIELDS), 30.0)  # type: ignore[arg-type]
        self._transport = Pipe(self._connection)
        self._connection.connection_made(self._transport)
        self._server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._server.initiate_connection()
        self._bodies: list[bytes] = []
        self._came: dict[int, bytes] = {}
        self._open: list[int] = []
        self._owed: Counter[int] = Counter()
        self._whole: set[int] = set()
        self.results: dict[int, Answer | Failure] = {}

    async def exchange(self) -> None:
        """Let each hear what the other has said, until both are silent."""
        for _ in range(TURNS):
            if said := self._server.data_to_send():
                self._connection.data_received(said)
            await asyncio.sleep(0)
            heard, self._transport.out = self._transport.out, b""
            for event in self._server.receive_data(heard):
                self._take(event)

    def _take(self, event: object) -> None:
        match event:
            case RequestReceived():
                assert [(str(name), str(value)) for name, value in event.headers[:-1]] == FIELDS
                self._open.append(event.stream_id)
                self._came[event.stream_id] = b""
            case DataReceived():
                self._came[event.stream_id] += event.data
                self._owed[event.stream_id] += event.flow_controlled_length
            case StreamEnded():
                assert self._came[event.stream_id] == self._bodies[event.stream_id // 2]
                self._whole.add(event.stream_id)
            case StreamReset():
                self._over(event.stream_id)

    def _over(self, stream: int) -> None:
        if stream in self._open:
            self._open.remove(stream)

    def _done(self, number: int, result: Answer | Failure) -> None:
        assert number not in self.results
        self.results[number] = result

    def post(self, size: int) -> None:
        if not self._connection.room or not self._connection.ready.done():
            return
        number = len(self._bodies)
        self._bodies.append(bytes([65 + number % 26]) * size)
        self._connection.send(Exchange(self._bodies[-1], lambda result: self._done(number, result), 60.0))

    def set(self, changes: list[tuple[SettingCodes, int]]) -> None:
        self._server.update_settings(dict(changes))

    def give_back(self) -> None:
        """Widen all windows by what came."""
        owed, self._owed = self._owed, Counter()
        for stream, size in owed.items():
            if size and stream in self._open:
                self._server.acknowledge_received_data(size, stream)
            elif size:
                self._server.increment_flow_control_window(size)

    def answer(self, number: int, form: int) -> None:
        """Answer one of the open requests, with more or less around it."""
        if not self._open:
            return
        stream = self._open[number % len(self._open)]
        status = "400" if stream not in self._whole else "202"
        if form > 1:
            self._server.send_headers(stream, [(":status", "103"), ("link", "</x>")])
        self._server.send_headers(stream, [(":status", status), ("x-number", str(stream))], end_stream=form == 0)
        if form:
            self._server.send_data(stream, b"{}", end_stream=form < 3, pad_length=7 * form)
        if form == 3:
            self._server.send_headers(stream, [("x-checksum", "0")], end_stream=True)
        if stream in self._whole:
            self._over(stream)

    def reset(self, number: int) -> None:
        if self._open:
            stream = self._open[number % len(self._open)]
            self._server.reset_stream(stream, 8)
            self._over(stream)

    def ping(self) -> None:
        self._server.ping(b"measures")

    async def end(self) -> None:
        """Take all that is still open."""
        self.set([(SettingCodes.INITIAL_WINDOW_SIZE, 1_000_000), (SettingCodes.MAX_CONCURRENT_STREAMS, 100)])
        await self.exchange()
        while len(self.results) < len(self._bodies):
            before = len(self.results), sum(map(len, self._came.values()))
            self.give_back()
            await self.exchange()
            for stream in [stream for stream in self._open if stream in self._whole]:
                self.answer(self._open.index(stream), 1)
            await self.exchange()
            assert (len(self.results), sum(map(len, self._came.values()))) != before, "nothing goes on"
        self._connection.close()
        await self.exchange()


async def talk(steps: list[tuple[Any, ...]]) -> None:
    talking = Talk()
    await talking.exchange()
    for name, *values in steps:
        getattr(talking, name)(*values)
        await talking.exchange()
    await talking.end()


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_a_strict_server_finds_no_fault(steps: list[tuple[Any, ...]]) -> None:
    """It raises at whatever the RFC forbids a client, in its fields, its frames and their order, and its windows."""
    asyncio.run(talk(steps))
