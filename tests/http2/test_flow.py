"""How much may be sent, and when: windows and limits that change at any time (RFC 9113, sections 5.1.2, 5.2, 6.5)."""

from __future__ import annotations

import asyncio

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame, WindowUpdateFrame

from dd_pa.network.http2 import Answer, Failure
from tests.http2.peer import FIELDS, Wire, client, goodbyes, raw, resets, well_behaved

MAX_STREAMS, FIRST_WINDOW, FRAME_SIZE = (
    SettingsFrame.MAX_CONCURRENT_STREAMS,
    SettingsFrame.INITIAL_WINDOW_SIZE,
    SettingsFrame.MAX_FRAME_SIZE,
)


def settings(**values: int) -> SettingsFrame:
    return SettingsFrame(0, settings={getattr(SettingsFrame, name): value for name, value in values.items()})


async def silence(wire: Wire) -> None:
    """Make sure that the client has nothing more to say now: it answers a PING before anything else."""
    before = len(wire.seen)
    wire.send(raw(6, 0, 0, b"anything"))
    await wire.frame()
    assert len(wire.seen) == before + 1, wire.seen[before:]


@pytest.mark.asyncio
async def test_a_request_is_what_was_asked_for() -> None:
    """The fields as given and in their order, then the length; the key is never to be indexed by anybody."""
    blocks: list[bytes] = []

    async def script(wire: Wire) -> None:
        await wire.hello()
        blocks.append((await wire.expect(HeadersFrame)).data)
        await wire.expect(DataFrame)
        wire.answer(1)
        await wire.until_the_end()

    long = ("user-agent", "x" * 300)
    async with client(script, fields=[*FIELDS, long]) as posting:
        await posting.post(b"body")

    assert posting.wires[0].fields[1] == [*FIELDS, long, ("content-length", "4")]
    assert posting.wires[0].requests == {1: b"body"}
    assert b"\x10\x0add-api-key" in blocks[0]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [0, 100, 4_095, 4_096, 2**32 - 1])
async def test_a_table_that_is_made_smaller_is_spoken_of(size: int) -> None:
    """The next block says so, though we use no table; what libraries of servers check (RFC 9113, section 4.3.1)."""

    async def script(wire: Wire) -> None:
        await wire.hello({SettingsFrame.HEADER_TABLE_SIZE: size})
        wire.answer(await wire.request())
        wire.answer(await wire.request())
        wire.send(settings(HEADER_TABLE_SIZE=size // 2), settings(HEADER_TABLE_SIZE=size // 3))
        await wire.expect(SettingsFrame)
        await wire.expect(SettingsFrame)
        wire.answer(await wire.request())
        await wire.echo()

    async with client(script) as posting:
        answers = [(await posting.post(b"{}"))[0] for _ in range(4)]

    assert all(isinstance(answer, Answer) for answer in answers)
    assert posting.wires[0].fields[7] == [*FIELDS, ("content-length", "2")]


@pytest.mark.asyncio
@pytest.mark.parametrize("window", [0, 1, 1_000, 65_535, 2**31 - 1])
async def test_a_stream_is_sent_no_more_than_its_window(window: int) -> None:
    """And the rest as it is given, in pieces of any size."""
    body = bytes(range(256)) * 1_000

    async def script(wire: Wire) -> None:
        await wire.hello({FIRST_WINDOW: window})
        wire.send(WindowUpdateFrame(0, window_increment=2**30))
        await wire.expect(HeadersFrame)
        left = min(window, len(body))
        while left:
            left -= (await wire.expect(DataFrame)).flow_controlled_length
        for size in (1, 77, 16_384, 16_385, 2**29):
            if 1 in wire.requests:
                break
            await silence(wire)
            wire.send(WindowUpdateFrame(1, window_increment=size))
            left = min(size, len(body) - sum(len(f.data) for f in wire.seen if isinstance(f, DataFrame)))
            while left:
                left -= (await wire.expect(DataFrame)).flow_controlled_length
        wire.answer(1, 400, b"%d" % (wire.requests[1] == body))
        await wire.until_the_end()

    async with client(script) as posting:
        [answer] = await posting.post(body)

    assert isinstance(answer, Answer)
    assert answer.content == b"1"
    assert max(len(frame.data) for frame in posting.wires[0].seen if isinstance(frame, DataFrame)) <= 16_384


@pytest.mark.asyncio
async def test_all_streams_share_the_connections_window() -> None:
    """65,535 bytes until it is given more, whatever each stream may take; then the oldest go first."""

    async def script(wire: Wire) -> None:
        await wire.hello({FIRST_WINDOW: 2**31 - 1})
        left = 65_535
        while left:
            left -= (await wire.expect(DataFrame)).flow_controlled_length
        while sum(isinstance(frame, HeadersFrame) for frame in wire.seen) < 5:
            await wire.frame()
        await silence(wire)
        assert sorted(wire.requests) == [1, 3, 5]
        wire.send(WindowUpdateFrame(0, window_increment=14_465))
        assert await wire.request(window=False) == 7
        await silence(wire)
        wire.send(WindowUpdateFrame(0, window_increment=20_000))
        assert await wire.request(window=False) == 9
        for stream in wire.requests:
            wire.answer(stream)
        await wire.until_the_end()

    async with client(script) as posting:
        answers = await posting.post(*[b"x" * 20_000] * 5)

    assert all(isinstance(answer, Answer) for answer in answers)


@pytest.mark.asyncio
async def test_a_window_may_shrink_below_nothing() -> None:
    """SETTINGS change the windows of open streams too; nothing is sent until they are positive again."""

    async def script(wire: Wire) -> None:
        await wire.hello({FIRST_WINDOW: 10_000})
        assert (await wire.expect(DataFrame)).flow_controlled_length == 10_000
        wire.send(settings(INITIAL_WINDOW_SIZE=1_000))  # so the stream has 9,000 less than nothing
        assert "ACK" in (await wire.frame()).flags
        wire.send(WindowUpdateFrame(1, window_increment=9_000))
        await silence(wire)
        wire.send(WindowUpdateFrame(1, window_increment=5))
        assert (await wire.expect(DataFrame)).flow_controlled_length == 5
        wire.send(settings(INITIAL_WINDOW_SIZE=20_000))
        await wire.request()
        wire.answer(1)
        await wire.until_the_end()

    async with client(script) as posting:
        [answer] = await posting.post(b"x" * 15_000)

    assert isinstance(answer, Answer)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(
            [WindowUpdateFrame(1, window_increment=2**31 - 1), WindowUpdateFrame(1, window_increment=1)],
            id="by an update",
        ),
        pytest.param(
            [WindowUpdateFrame(1, window_increment=2**30), settings(INITIAL_WINDOW_SIZE=2**31 - 1)], id="by SETTINGS"
        ),
    ],
)
async def test_a_window_that_is_too_large(frames: list[object]) -> None:
    """An update costs the stream, SETTINGS the connection."""

    async def script(wire: Wire) -> None:
        await wire.hello({FIRST_WINDOW: 10_000})
        await wire.expect(DataFrame)
        wire.send(*frames)  # type: ignore[arg-type]
        await wire.until_the_end()

    async with client(script) as posting:
        [answer] = await posting.post(b"x" * 150_000)

    assert answer is Failure.LOST
    assert (resets(posting.wires[0]), goodbyes(posting.wires[0])) in (({1: 3}, [0]), ({}, [3]))


@pytest.mark.asyncio
async def test_larger_frames_only_if_they_are_taken() -> None:
    async def script(wire: Wire) -> None:
        await wire.hello({FIRST_WINDOW: 2**20, FRAME_SIZE: 40_000})
        wire.send(WindowUpdateFrame(0, window_increment=2**20))
        assert (await wire.expect(DataFrame)).flow_controlled_length == 40_000
        await wire.request()
        wire.answer(1)
        await wire.until_the_end()

    async with client(script) as posting:
        [answer] = await posting.post(b"x" * 100_000)

    assert isinstance(answer, Answer)


@pytest.mark.asyncio
async def test_no_more_streams_than_allowed() -> None:
    """At any time: also when the server allows fewer, or none, while some are open."""
    most = 0

    async def script(wire: Wire) -> None:
        nonlocal most
        await wire.hello({MAX_STREAMS: 5})
        for allowed in (5, 2, 0):
            open_ = [await wire.request() for _ in range(5 if allowed == 5 else most)]
            wire.send(settings(MAX_CONCURRENT_STREAMS=allowed))
            await wire.expect(SettingsFrame)
            for stream in open_:
                wire.answer(stream)
            most = allowed
        await silence(wire)
        wire.send(settings(MAX_CONCURRENT_STREAMS=100))
        await wire.echo()

    async with client(script) as posting:
        answers = await posting.post(*[b"{}"] * 40)

    assert all(isinstance(answer, Answer) for answer in answers)
    assert len(posting.wires) <= 8


@pytest.mark.asyncio
async def test_where_few_streams_are_allowed_there_are_more_connections() -> None:
    """As many as 8, and each is used."""
    together = asyncio.Event()
    count = 0

    async def script(wire: Wire) -> None:
        nonlocal count
        await wire.hello({MAX_STREAMS: 3})
        streams = [await wire.request() for _ in range(3)]
        count += 3
        if count == 24:
            together.set()
        await together.wait()
        for stream in streams:
            wire.answer(stream)
        await wire.echo()

    async with client(script) as posting:
        answers = await posting.post(*[b"{}"] * 40)

    assert all(isinstance(answer, Answer) for answer in answers)
    assert len(posting.wires) == 8


@pytest.mark.asyncio
async def test_a_peer_that_reads_slowly_is_not_buried() -> None:
    """Without room in the socket nothing more is written, whatever the windows say."""
    written = 0

    async def script(wire: Wire) -> None:
        nonlocal written
        await wire.hello({FIRST_WINDOW: 2**31 - 1})
        wire.send(WindowUpdateFrame(0, window_increment=2**30))
        await asyncio.sleep(0.3)
        connection = next(iter(posting.origin._all))
        written = connection._sending.transport.get_write_buffer_size()
        while True:
            wire.answer(await wire.request())

    async with client(script, timeout=20.0) as posting:
        answers = await posting.post(*[b"x" * 1_000_000] * 12)

    assert all(isinstance(answer, Answer) for answer in answers)
    assert written < 1_000_000


@pytest.mark.asyncio
async def test_a_window_that_is_lost_costs_one_connection() -> None:
    """A peer that forgets to give back what it read answers PINGs all the time, and no request can leave again."""

    async def forgetful(wire: Wire) -> None:
        await wire.hello()
        await wire.until_the_end()

    async with client(forgetful, well_behaved, timeout=0.3) as posting:
        [stuck] = await posting.post(b"x" * 70_000)
        [second] = await posting.post(b"second")

    assert stuck is Failure.TIMEOUT
    assert isinstance(second, Answer)
    assert resets(posting.wires[0]) == {1: 8}


@pytest.mark.asyncio
async def test_a_peer_that_talks_and_never_listens_is_left() -> None:
    """It is not silent, so that it is never asked; its requests end all the same, and the next goes elsewhere."""

    async def deaf(wire: Wire) -> None:
        await wire.hello({FIRST_WINDOW: 2**31 - 1})
        wire.send(WindowUpdateFrame(0, window_increment=2**30))
        while not wire.writer.transport.is_closing():
            wire.send(raw(6, 1, 0, bytes(8)))
            await asyncio.sleep(0.01)

    async with client(deaf, well_behaved, timeout=0.5) as posting:
        stuck = await posting.post(*[b"x" * 1_000_000] * 20)
        [second] = await posting.post(b"second")

    assert not any(isinstance(answer, Answer) and answer.content != b"x" * 65_536 for answer in stuck)
    assert Failure.TIMEOUT in stuck
    assert isinstance(second, Answer)


@pytest.mark.asyncio
async def test_what_leaves_in_one_turn_is_written_at_once() -> None:
    """100 requests are one system call, not 200."""
    sizes: list[int] = []

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.answer(1)
        while len(sizes) < 100 and sum(sizes) < 100 * 200:
            sizes.append(len(await wire.reader.read(2**20)))

    async with client(script, well_behaved, timeout=0.5) as posting:
        await posting.post(b"first")
        await posting.post(*[b"x" * 200] * 100)

    assert len(sizes) <= 3
