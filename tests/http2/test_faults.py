"""What a peer must not do ends the connection, with the right code, and nothing else (RFC 9113, sections 4 to 6)."""

from __future__ import annotations

import struct

import pytest
from hyperframe.frame import ContinuationFrame, HeadersFrame, PingFrame, SettingsFrame, WindowUpdateFrame

from dd_pa.network.http2 import Answer, Failure
from tests.http2.peer import Wire, block, client, data, goodbyes, headers, pings, raw, well_behaved

PROTOCOL, FLOW_CONTROL, FRAME_SIZE, COMPRESSION, CALM = 1, 3, 6, 9, 11
OK = (":status", "202")


def setting(name: int, value: int) -> bytes:
    return raw(4, 0, 0, struct.pack(">HI", name, value))


FAULTS = {
    "a frame that is too large": ([raw(0, 0, 1, bytes(16_385))], FRAME_SIZE),
    "a length without end": ([raw(0, 0, 1, length=2**24 - 1)], FRAME_SIZE),
    "DATA of no stream": ([raw(0, 1, 0, b"{}")], PROTOCOL),
    "HEADERS of no stream": ([raw(1, 5, 0, block(OK))], PROTOCOL),
    "RST_STREAM of no stream": ([raw(3, 0, 0, bytes(4))], PROTOCOL),
    "PRIORITY of no stream": ([raw(2, 0, 0, bytes(5))], PROTOCOL),
    "SETTINGS of a stream": ([raw(4, 0, 1)], PROTOCOL),
    "PING of a stream": ([raw(6, 0, 1, bytes(8))], PROTOCOL),
    "GOAWAY of a stream": ([raw(7, 0, 1, bytes(8))], PROTOCOL),
    "a stream of the server": ([headers(2, OK, end=True)], PROTOCOL),
    "a stream that nobody opened": ([headers(3, OK, end=True)], PROTOCOL),
    "DATA of a stream that nobody opened": ([data(5, b"{}")], PROTOCOL),
    "RST_STREAM of a stream that nobody opened": ([raw(3, 0, 7, bytes(4))], PROTOCOL),
    "WINDOW_UPDATE of a stream that nobody opened": ([raw(8, 0, 7, b"\0\0\0\1")], PROTOCOL),
    "PUSH_PROMISE": ([raw(5, 4, 1, struct.pack(">I", 2) + block(OK))], PROTOCOL),
    "too much padding": ([headers(1, OK), raw(0, 8, 1, b"\x02x")], PROTOCOL),
    "padding of nothing": ([headers(1, OK), raw(0, 8, 1)], PROTOCOL),
    "too much padding of fields": ([raw(1, 5 | 8, 1, b"\xff" + block(OK))], PROTOCOL),
    "a priority that is cut off": ([raw(1, 5 | 0x20, 1, b"\0\0")], FRAME_SIZE),
    "a long PRIORITY": ([raw(2, 0, 1, bytes(6))], FRAME_SIZE),
    "a short PRIORITY of a stream that nobody opened": ([raw(2, 0, 99, bytes(4))], FRAME_SIZE),
    "a short RST_STREAM": ([raw(3, 0, 1, bytes(3))], FRAME_SIZE),
    "a long PING": ([raw(6, 0, 0, bytes(9))], FRAME_SIZE),
    "a short GOAWAY": ([raw(7, 0, 0, bytes(7))], FRAME_SIZE),
    "a long WINDOW_UPDATE": ([raw(8, 0, 0, bytes(5))], FRAME_SIZE),
    "SETTINGS cut off": ([raw(4, 0, 0, bytes(5))], FRAME_SIZE),
    "SETTINGS acknowledged with something": ([raw(4, 1, 0, bytes(6))], FRAME_SIZE),
    "ENABLE_PUSH": ([setting(2, 1)], PROTOCOL),
    "too large a first window": ([setting(4, 2**31)], FLOW_CONTROL),
    "too small a frame": ([setting(5, 16_383)], PROTOCOL),
    "too large a frame size": ([setting(5, 2**24)], PROTOCOL),
    "a window update of nothing": ([raw(8, 0, 0, bytes(4))], PROTOCOL),
    "a window update of nothing but the reserved bit": ([raw(8, 0, 0, b"\x80\0\0\0")], PROTOCOL),
    "too large a window": ([raw(8, 0, 0, b"\x7f\xff\xff\xff")], FLOW_CONTROL),
    "CONTINUATION of nothing": ([ContinuationFrame(1, data=block(OK), flags=["END_HEADERS"])], PROTOCOL),
    "another frame in a block": ([HeadersFrame(1, data=block(OK)), PingFrame(0, opaque_data=bytes(8))], PROTOCOL),
    "an unknown frame in a block": ([HeadersFrame(1, data=block(OK)), raw(0xBE, 0, 1)], PROTOCOL),
    "another stream's CONTINUATION": ([HeadersFrame(1, data=block(OK)), raw(9, 4, 3)], PROTOCOL),
    "an index of no field": ([raw(1, 5, 1, b"\x80")], COMPRESSION),
    "an index into a table that is empty": ([raw(1, 5, 1, block(OK) + b"\xbe")], COMPRESSION),
    "a table that we did not allow": ([raw(1, 5, 1, b"\x3f\xe1\x1f" + block(OK))], COMPRESSION),
    "a table's size in the middle": ([raw(1, 5, 1, block(OK) + b"\x20")], COMPRESSION),
    "a field that is cut off": ([raw(1, 5, 1, block(OK, ("name", "value"))[:-1])], COMPRESSION),
    "a number without end": ([raw(1, 5, 1, b"\x00\x7f" + b"\xff" * 20)], COMPRESSION),
    "text that is no Huffman code": ([raw(1, 5, 1, b"\x08\x84\xff\xff\xff\xff")], COMPRESSION),
    "Huffman code with its end in it": ([raw(1, 5, 1, block(OK) + b"\0\1a\x84\xff\xff\xff\xff")], COMPRESSION),
    "Huffman code filled with zeros": ([raw(1, 5, 1, block(OK) + b"\0\1a\x81\x18")], COMPRESSION),
    "Huffman code filled with too much": ([raw(1, 5, 1, block(OK) + b"\0\1a\x82\x1f\xff")], COMPRESSION),
    "fields without end": (
        [HeadersFrame(1, data=bytes(16_384)), *(ContinuationFrame(1, data=bytes(16_384)) for _ in range(4))],
        CALM,
    ),
    "more fields than are read": ([raw(1, 5, 1, block(OK) + b"\x90" * 4_000)], CALM),
    "CONTINUATION without end": ([HeadersFrame(1, data=b""), *([ContinuationFrame(1)] * 20_001)], CALM),
    "PING without end": ([raw(6, 0, 0, bytes(8)) * 20_001], CALM),
    "SETTINGS without end": ([raw(4, 0, 0) * 20_001], CALM),
    "settings without end": ([raw(4, 0, 0, b"\0\4\0\0\xff\xff" * 2_730) * 8], CALM),
    "empty DATA without end": ([headers(1, OK), raw(0, 0, 1) * 20_001], CALM),
    "PRIORITY without end": ([raw(2, 0, 1, bytes(5)) * 20_001], CALM),
    "GOAWAY without end": ([raw(7, 0, 0, b"\x7f\xff\xff\xff\0\0\0\0") * 20_001], CALM),
    "unknown frames without end": ([raw(0xBE, 0, 0) * 20_001], CALM),
    "interim answers without end": ([headers(1, (":status", "103")).serialize() * 20_001], CALM),
    "WINDOW_UPDATE without end": ([raw(8, 0, 1, b"\0\0\0\1") * 20_001], CALM),
}


@pytest.mark.asyncio
@pytest.mark.parametrize(("frames", "code"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_ends_the_connection(frames: list[object], code: int) -> None:
    """The client says why and leaves; the request may be sent again, and is, over a new connection."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.send(*frames)  # type: ignore[arg-type]
        await wire.until_the_end()

    async with client(script, well_behaved) as posting:
        [first] = await posting.post(b"first")
        [second] = await posting.post(b"second")

    assert first is Failure.LOST
    assert isinstance(second, Answer)
    assert second.content == b"second"
    assert goodbyes(posting.wires[0]) == [code]
    assert len(posting.wires) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("first", "failure"),
    [
        pytest.param(PingFrame(0, opaque_data=bytes(8)), Failure.HTTP1, id="another frame"),
        pytest.param(SettingsFrame(0, flags=["ACK"]), Failure.HTTP1, id="acknowledgement"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Failure.HTTP1, id="HTTP/1.1"),
        pytest.param(b"", Failure.CONNECT, id="nothing"),
    ],
)
async def test_what_begins_otherwise_is_no_http2(first: object, failure: Failure) -> None:
    """No request leaves before the server's SETTINGS; so all of them can go over HTTP/1.1."""

    async def script(wire: Wire) -> None:
        wire.send(first)  # type: ignore[arg-type]
        await wire.writer.drain()
        if not first:
            return
        assert b"dd-api-key" not in await wire.reader.read()

    async with client(script) as posting:
        answers = await posting.post(b"{}", b"{}")

    assert answers == [failure, failure]


@pytest.mark.asyncio
async def test_honest_frames_between_answers_are_no_flood() -> None:
    """PING, SETTINGS and WINDOW_UPDATE as often as some servers send them, over many answers."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        while True:
            stream = await wire.request()
            for _ in range(500):
                wire.send(PingFrame(0, opaque_data=b"measures"), WindowUpdateFrame(0, window_increment=1))
            wire.answer(stream)

    async with client(script) as posting:
        answers = [(await posting.post(b"{}"))[0] for _ in range(50)]

    assert all(isinstance(answer, Answer) for answer in answers)
    assert len(posting.wires) == 1
    assert {ping.opaque_data for ping in pings(posting.wires[0])} == {b"measures"}


@pytest.mark.asyncio
async def test_a_peer_that_asks_and_never_reads_is_left() -> None:
    """What we owe it does not pile up."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.send(raw(6, 0, 0, bytes(8)) * 300_000)
        await wire.writer.drain()
        await wire.until_the_end()

    async with client(script) as posting:
        [answer] = await posting.post(b"{}")

    assert answer is Failure.LOST
    assert len(pings(posting.wires[0])) <= 20_001
