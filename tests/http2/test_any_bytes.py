"""Whatever bytes a peer sends: nothing raises, nothing grows beyond its bound, nothing is answered without measure."""

from __future__ import annotations

import asyncio
import os
import struct
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from dd_pa.network.http2 import Answer, Failure
from dd_pa.network.http2.connection import Connection
from dd_pa.network.http2.exchange import MAX_ANSWER, Exchange
from dd_pa.network.http2.frames import MAX_BLOCK, MAX_FRAME, NOISE
from tests.http2.peer import block, raw

EXAMPLES = int(os.environ.get("DD_PA_FRAMES", "300"))
REQUESTS = 6

STREAMS = st.sampled_from([0, 1, 3, 5, 7, 9, 11, 13, 2, 2**31 - 1, 2**31 + 1])
PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([bytes(4), bytes(8), struct.pack(">I", 7), bytes(MAX_FRAME), bytes(MAX_FRAME + 1)]),
    st.builds(
        lambda status, length: block((":status", status), *length),
        st.sampled_from(["100", "101", "202", "400", "503", "1000"]),
        st.sampled_from([[], [("content-length", "3")], [("x", "y" * 5_000)]]),
    ),
    st.builds(lambda name, value: struct.pack(">HI", name, value), st.integers(0, 8), st.integers(0, 2**32 - 1)),
    st.builds(lambda value: struct.pack(">I", value), st.integers(0, 2**32 - 1)),
    st.builds(lambda last, code: struct.pack(">II", last, code), st.integers(0, 2**32 - 1), st.integers(0, 15)),
)
FRAMES = st.builds(raw, st.integers(0, 11), st.integers(0, 255), STREAMS, PIECES)
OURS = st.sampled_from([1, 3, 5, 7, 9, 11])
WORD = st.builds(lambda value: struct.pack(">I", value), st.sampled_from([0, 1, 5, 7, 8, 11, 13, 2**31 - 1]))
LEGAL = st.one_of(
    st.builds(lambda stream, end: raw(1, 4 | end, stream, block((":status", "400"))), OURS, st.integers(0, 1)),
    st.builds(
        lambda stream, end, size: raw(0, end, stream, bytes(size)),
        OURS,
        st.integers(0, 1),
        st.sampled_from([0, 1, 3, MAX_FRAME]),
    ),
    st.builds(lambda stream, code: raw(3, 0, stream, code), OURS, WORD),
    st.builds(lambda last, code: raw(7, 0, 0, struct.pack(">I", last) + code), OURS, WORD),
    st.builds(lambda name, value: raw(4, 0, 0, struct.pack(">HI", name, value)), st.integers(3, 9), st.just(16_384)),
    st.builds(lambda stream, more: raw(8, 0, stream, more), st.one_of(st.just(0), OURS), WORD),
    st.builds(
        lambda stream, parts: raw(1, 0, stream) + raw(9, 0, stream, bytes(MAX_FRAME)) * parts, OURS, st.integers(0, 8)
    ),
    st.sampled_from([raw(6, 0, 0, bytes(8)), raw(6, 1, 0, bytes(8)), raw(2, 0, 1, bytes(5)), raw(99, 0, 5, b"?")]),
)
HELLO = raw(4, 0, 0)


class Part(bytes):
    """Bytes that are shown shortly when they have found something."""

    def __repr__(self) -> str:
        return f"<{len(self)}: {self[:30].hex(' ')}>"


class Memory(asyncio.Transport):
    """A transport without a socket."""

    def __init__(self, protocol: Connection) -> None:
        super().__init__()
        self.written = 0
        self.closed = False
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written += len(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close


class Owner:
    """An origin that only takes note; `Connection` calls it."""

    def __init__(self) -> None:
        self.ends: Counter[int] = Counter()
        self.returned: list[Exchange] = []

    def has_room(self) -> None: ...

    def leaves(self, connection: Connection, served: int) -> None: ...

    def unprocessed(self, exchanges: list[Exchange]) -> None:
        self.returned += exchanges

    def answered(self, number: int, result: Answer | Failure) -> None:
        if isinstance(result, Answer):
            assert len(result.content) <= MAX_ANSWER
        self.ends[number] += 1


def check_bounds(connection: Connection) -> None:
    reader = connection._reader
    assert len(reader._rest) < MAX_FRAME + 9
    assert len(reader._block) <= MAX_BLOCK + MAX_FRAME
    assert all(len(exchange.content) <= MAX_ANSWER for exchange in connection._exchanges.values())
    assert len(connection._exchanges) <= REQUESTS
    assert reader.noise <= NOISE + 1


async def talk(parts: list[bytes], cuts: list[int], *, requests: int) -> tuple[Memory, Owner]:
    """Have a connection with requests in flight take such bytes, in such pieces; return what came of it."""
    problems: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context))
    owner = Owner()
    connection = Connection(owner, b"", 30.0)  # type: ignore[arg-type]
    transport = Memory(connection)
    connection.connection_made(transport)
    connection.data_received(HELLO)
    for number in range(requests):
        exchange = Exchange(b"body", lambda result, number=number: owner.answered(number, result), 60.0)  # type: ignore[misc]
        connection.send(exchange)
    await asyncio.sleep(0)
    before = transport.written
    rest = b"".join(parts)
    received = len(rest)
    for cut in [*cuts, len(rest)]:
        if transport.closed:
            break
        connection.data_received(rest[:cut])
        rest = rest[cut:]
        check_bounds(connection)
        await asyncio.sleep(0)
    connection.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert problems == []
    assert connection.ended.done()
    assert transport.written - before <= received + 13 * requests + 17
    return transport, owner


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    legal=st.lists(LEGAL.map(Part), max_size=30),
    hostile=st.lists(st.one_of(FRAMES, LEGAL, st.binary(max_size=40)).map(Part), max_size=6),
    cuts=st.lists(st.integers(0, 20_000), max_size=12),
)
def test_any_bytes(legal: list[bytes], hostile: list[bytes], cuts: list[int]) -> None:
    """Each request ends once, or is handed back once; what is kept and what is answered have their bounds."""
    _, owner = asyncio.run(talk(legal + hostile, cuts, requests=REQUESTS))

    returned = len(owner.returned)
    assert set(owner.ends.values()) <= {1}
    assert owner.ends.total() + returned == REQUESTS
    assert len({id(exchange) for exchange in owner.returned}) == returned


def test_every_beginning_of_an_answer() -> None:
    """Cut off after each of its bytes, it is no answer, and the request is lost; whole, it is one."""
    whole = raw(1, 4, 1, block((":status", "400"))) + raw(0, 1, 1, b"{}")
    for size in range(len(whole) + 1):
        _, owner = asyncio.run(talk([whole[:size]], [], requests=1))
        assert owner.ends == {0: 1}
