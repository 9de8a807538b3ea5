"""What an answer may look like, and what is no answer (RFC 9113, sections 6 and 8)."""

from __future__ import annotations

import pytest
from hyperframe.frame import ContinuationFrame, HeadersFrame, RstStreamFrame

from dd_pa.network.http2 import Answer, Failure
from tests.http2.peer import Script, Wire, block, client, data, headers, raw, resets, well_behaved

OK = (":status", "202")


def answering(*frames: object) -> Script:
    """Return a script that answers the first request with frames for stream 1, and says what came of it."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.send(*frames)  # type: ignore[arg-type]
        await wire.until_the_end()

    return script


WELL = {
    "fields only": [headers(1, OK, end=True)],
    "with a body": [headers(1, OK), data(1, b"{}")],
    "body in pieces": [headers(1, OK), data(1, b"{", end=False), data(1, b"", end=False), data(1, b"}")],
    "padded body": [headers(1, OK), data(1, b"{}", padding=200)],
    "padding of no bytes": [headers(1, OK), data(1, b"{}", padding=0)],
    "all padding": [headers(1, OK, ("content-length", "0")), data(1, b"", padding=255)],
    "interim answers": [
        headers(1, (":status", "100")),
        headers(1, (":status", "103"), ("link", "</x>")),
        headers(1, OK, end=True),
    ],
    "many interim answers": [*[headers(1, (":status", "103"))] * 1_000, headers(1, OK, end=True)],
    "a table of no size, twice": [raw(1, 5, 1, b"\x20\x20" + block(OK))],
    "a field for a table that keeps none": [raw(1, 5, 1, block(OK) + b"\x40\1a\1b\x40\1a\1b")],
    "an empty field in Huffman code": [raw(1, 5, 1, block(OK) + b"\0\1a\x80")],
    "letters beyond ASCII": [raw(1, 5, 1, block(OK) + b"\0\1a\2\xe9\xff")],
    "trailers": [headers(1, OK), data(1, b"{}", end=False), headers(1, ("grpc-status", "0"), end=True)],
    "padded fields": [raw(1, 0x4 | 0x1 | 0x8, 1, b"\x05" + block(OK) + bytes(5))],
    "fields with a priority": [raw(1, 0x4 | 0x1 | 0x20, 1, bytes(5) + block(OK))],
    "fields in pieces": [
        HeadersFrame(1, data=block(OK)[:1], flags=["END_STREAM"]),
        ContinuationFrame(1, data=b""),
        ContinuationFrame(1, data=block(OK, ("a", "b"))[1:], flags=["END_HEADERS"]),
    ],
    "unknown flags": [raw(1, 0x4 | 0x1 | 0x40, 1, block(OK))],
    "the reserved bit": [raw(1, 0x4 | 0x1, 0x80000001, block(OK))],
    "unknown frames between": [raw(0xBE, 0xFF, 7, b"x" * 9), headers(1, OK), raw(0x0B, 0, 0), data(1, b"{}")],
    "a priority between": [raw(2, 0, 1, bytes(5)), headers(1, OK), raw(2, 0, 99, bytes(5)), data(1, b"{}")],
    "the right length": [headers(1, OK, ("content-length", "2")), data(1, b"{}")],
    "fields of one name": [headers(1, OK, ("set-cookie", "a"), ("set-cookie", "b"), end=True)],
    "a large answer": [headers(1, OK), *(data(1, b"x" * 16_000, end=number == 3) for number in range(4))],
}
MALFORMED = {
    "no status": [headers(1, ("content-type", "x"), end=True)],
    "a status that is none": [headers(1, (":status", "2o2"), end=True)],
    "a short status": [headers(1, (":status", "20"), end=True)],
    "two statuses": [headers(1, OK, OK, end=True)],
    "a status after a field": [headers(1, ("a", "b"), OK, end=True)],
    "another pseudo-field": [headers(1, OK, (":path", "/"), end=True)],
    "an upper-case name": [headers(1, OK, ("Upper", "x"), end=True)],
    "a blank in a name": [headers(1, OK, ("a b", "x"), end=True)],
    "an empty name": [headers(1, OK, ("", "x"), end=True)],
    "a line end in a value": [headers(1, OK, ("a", "x\r\nb: y"), end=True)],
    "a blank around a value": [headers(1, OK, ("a", " x"), end=True)],
    "a connection's field": [headers(1, OK, ("transfer-encoding", "chunked"), end=True)],
    "a body before the fields": [data(1, b"{}")],
    "an interim answer at the end": [headers(1, (":status", "103"), end=True)],
    "switching protocols": [headers(1, (":status", "101"))],
    "no fields at all": [raw(1, 5, 1)],
    "a colon in a name": [headers(1, OK, ("a:b", "x"), end=True)],
    "an upper-case name in trailers": [headers(1, OK), data(1, b"{}", end=False), headers(1, ("A", "x"), end=True)],
    "a connection's field in an interim answer": [headers(1, (":status", "103"), ("connection", "x"))],
    "a second answer": [headers(1, OK), headers(1, OK, end=True)],
    "trailers with a status": [headers(1, OK), data(1, b"{}", end=False), headers(1, OK, end=True)],
    "trailers with another pseudo-field": [
        headers(1, OK),
        data(1, b"{}", end=False),
        headers(1, (":path", "/"), end=True),
    ],
    "trailers without an end": [headers(1, OK), headers(1, ("a", "b"))],
    "too short a body": [headers(1, OK, ("content-length", "3")), data(1, b"{}")],
    "no body in spite of a length": [headers(1, OK, ("content-length", "3"), end=True)],
    "too long a body": [headers(1, OK, ("content-length", "1")), data(1, b"{}")],
    "two lengths": [headers(1, OK, ("content-length", "2"), ("content-length", "3")), data(1, b"{}")],
    "a length that is none": [headers(1, OK, ("content-length", "+2")), data(1, b"{}")],
    "a window update of nothing": [raw(8, 0, 1, bytes(4))],
}


@pytest.mark.asyncio
@pytest.mark.parametrize("frames", WELL.values(), ids=WELL)
async def test_an_answer_is_read_however_it_is_written(frames: list[object]) -> None:
    async with client(answering(*frames)) as posting:
        [answer] = await posting.post(b"{}")

    assert isinstance(answer, Answer)
    assert answer.status == 202
    assert resets(posting.wires[0]) == {}


@pytest.mark.asyncio
@pytest.mark.parametrize("frames", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_answer_is_none(frames: list[object]) -> None:
    """It costs its own stream only, and may be tried again; the next request uses the same connection."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.send(*frames)  # type: ignore[arg-type]
        await wire.echo()

    async with client(script) as posting:
        [first] = await posting.post(b"first")
        [second] = await posting.post(b"second")

    assert first is Failure.LOST
    assert isinstance(second, Answer)
    assert second.content == b"second"
    assert resets(posting.wires[0]) == {1: 1}
    assert len(posting.wires) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [204, 304])
async def test_what_never_has_a_body_may_tell_a_length(status: int) -> None:
    """It is that of the body which another request would have got (RFC 9113, section 8.1.1)."""
    script = answering(headers(1, (":status", str(status)), ("content-length", "3"), end=True))
    async with client(script) as posting:
        [answer] = await posting.post(b"{}")

    assert isinstance(answer, Answer)
    assert answer.status == status
    assert resets(posting.wires[0]) == {}


@pytest.mark.asyncio
async def test_each_answer_goes_to_its_own_request() -> None:
    """In whatever order they come, in whatever pieces, mixed with each other."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        streams = [await wire.request() for _ in range(20)]
        for stream in reversed(streams):
            wire.send(headers(stream, (":status", "400")))
        for stream in streams:
            wire.send(data(stream, wire.requests[stream][:3], end=False))
        for stream in reversed(streams):
            wire.send(data(stream, wire.requests[stream][3:]))
        await wire.until_the_end()

    bodies = [b"body %d" % number for number in range(20)]
    async with client(script) as posting:
        answers = await posting.post(*bodies)

    assert [answer.content for answer in answers if isinstance(answer, Answer)] == bodies


@pytest.mark.asyncio
async def test_what_is_read_of_an_answer_has_a_bound() -> None:
    """After 64 KiB it is judged by its status, and the rest is not waited for; padding counts."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        stream = await wire.request()
        wire.send(headers(stream, (":status", "400"), ("content-length", "9000000")))
        for _ in range(5):
            wire.send(data(stream, b"x" * 16_000, end=False, padding=255))
        await wire.expect(RstStreamFrame)
        wire.send(data(stream, b"on its way"))
        await wire.echo()

    async with client(script) as posting:
        [answer] = await posting.post(b"{}")
        [second] = await posting.post(b"second")

    assert isinstance(answer, Answer)
    assert (answer.status, len(answer.content)) == (400, 65_536)
    assert resets(posting.wires[0]) == {1: 8}
    assert isinstance(second, Answer)


@pytest.mark.asyncio
async def test_the_connection_may_be_used_for_ever() -> None:
    """What answers take of its window is given back: many times as much goes through."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        while True:
            stream = await wire.request()
            wire.send(headers(stream, (":status", "202")), *(data(stream, b"x" * 16_000, end=n == 2) for n in range(3)))

    async with client(script) as posting:
        answers = [(await posting.post(b"{}"))[0] for _ in range(60)]

    assert {answer.status for answer in answers if isinstance(answer, Answer)} == {202}
    assert len(answers) * 48_000 > 2 * 2**20
    assert len(posting.wires) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [202, 413])
async def test_an_answer_before_the_whole_request(status: int) -> None:
    """A refusal is believed and the rest of the body kept; a success cannot be meant."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.expect(HeadersFrame)
        wire.send(headers(1, (":status", str(status)), end=True))
        await wire.until_the_end()

    async with client(script) as posting:
        [answer] = await posting.post(b"x" * 1_000_000)

    assert answer is Failure.LOST if status == 202 else isinstance(answer, Answer)
    assert resets(posting.wires[0]) == {1: 8}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("code", "failure"),
    [
        pytest.param(0, Failure.LOST, id="NO_ERROR"),
        pytest.param(2, Failure.LOST, id="INTERNAL_ERROR"),
        pytest.param(8, Failure.LOST, id="CANCEL"),
        pytest.param(11, Failure.CALM, id="ENHANCE_YOUR_CALM"),
        pytest.param(13, Failure.HTTP1, id="HTTP_1_1_REQUIRED"),
        pytest.param(4711, Failure.LOST, id="unknown"),
    ],
)
async def test_a_stream_that_the_peer_resets(code: int, failure: Failure) -> None:
    """It ends that request only; the code tells whether it may be sent again at once."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        stream = await wire.request()
        wire.send(RstStreamFrame(stream, error_code=code))
        wire.send(headers(stream, (":status", "202"), end=True))  # too late: nobody is answered twice
        await wire.echo()

    async with client(script) as posting:
        [first] = await posting.post(b"first")
        [second] = await posting.post(b"second")

    assert first is failure
    assert isinstance(second, Answer)


@pytest.mark.asyncio
@pytest.mark.parametrize("end", ["reset", "close", "silence"])
@pytest.mark.parametrize(
    ("status", "kind", "is_answer"),
    [("202", "text/plain", True), ("500", "text/plain", False), ("200", "text/html", False)],
)
async def test_a_success_whose_rest_does_not_come_is_one(end: str, status: str, kind: str, *, is_answer: bool) -> None:
    """The peer took the request; to send it again would double it. A page, whose rest may say so, is none."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        stream = await wire.request()
        wire.send(headers(stream, (":status", status), ("content-type", kind)), data(stream, b"<", end=False))
        if end == "reset":
            wire.send(RstStreamFrame(stream, error_code=2))
        if end != "close":
            await wire.until_the_end()

    async with client(script, timeout=0.5) as posting:
        [answer] = await posting.post(b"{}")

    assert isinstance(answer, Answer) == is_answer


@pytest.mark.asyncio
async def test_a_peer_that_resets_everything_costs_its_own_requests_only() -> None:
    """Thousands of streams, each reset at once, and some twice; then it is well (a flood of them: `test_faults`)."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        for _ in range(2_000):
            reset = RstStreamFrame(await wire.request(), error_code=8)
            wire.send(reset, reset)
        await wire.echo()

    async with client(script) as posting:
        lost = [answer for _ in range(20) for answer in await posting.post(*[b"{}"] * 100)]
        [answer] = await posting.post(b"last")

    assert lost == [Failure.LOST] * 2_000
    assert isinstance(answer, Answer)
    assert len(posting.wires) == 1


@pytest.mark.asyncio
async def test_a_reset_after_a_whole_answer_changes_nothing() -> None:
    """As servers do that did not want the rest of the body."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        stream = await wire.request()
        wire.answer(stream, 413)
        wire.send(RstStreamFrame(stream, error_code=0))
        await wire.echo()

    async with client(script, well_behaved) as posting:
        [first] = await posting.post(b"first")
        [second] = await posting.post(b"second")

    assert isinstance(first, Answer)
    assert first.status == 413
    assert isinstance(second, Answer)
    assert len(posting.wires) == 1


@pytest.mark.asyncio
async def test_a_refused_request_goes_out_again() -> None:
    """REFUSED_STREAM says that nothing was done with it; for ever it is not repeated."""

    async def twice(wire: Wire) -> None:
        await wire.hello()
        for _ in range(2):
            wire.send(RstStreamFrame(await wire.request(), error_code=7))
        await wire.echo()

    async def always(wire: Wire) -> None:
        await wire.hello()
        while True:
            wire.send(RstStreamFrame(await wire.request(), error_code=7))

    async with client(twice) as posting:
        [answer] = await posting.post(b"body")
    async with client(always) as posting:
        [refused] = await posting.post(b"body")

    assert isinstance(answer, Answer)
    assert answer.content == b"body"
    assert refused is Failure.REFUSED
    assert len(posting.wires[0].requests) == 4
