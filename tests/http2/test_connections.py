"""How connections begin, are kept and end: GOAWAY, silence, PING, refusals, shutdown (RFC 9113, 6.7, 6.8, 9.1)."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hyperframe.frame import GoAwayFrame, PingFrame, SettingsFrame

from dd_pa.network.http2 import Answer, Failure, Origin, connection, origin
from tests.http2.peer import FIELDS, Wire, client, goodbyes, pings, raw, resets, well_behaved


def contents(answers: list[Answer | Failure]) -> list[bytes | Failure]:
    return [answer.content if isinstance(answer, Answer) else answer for answer in answers]


@pytest.mark.asyncio
async def test_what_a_goaway_has_not_seen_goes_out_again_at_once() -> None:
    """The rest is waited for on the old connection, which is then closed."""

    async def ending(wire: Wire) -> None:
        await wire.hello()
        for _ in range(6):
            await wire.request()
        wire.send(GoAwayFrame(0, last_stream_id=5, error_code=0))
        while len(posting.wires) < 2:
            await asyncio.sleep(0.001)
        for stream in (5, 1, 3):
            wire.answer(stream, 400, b"old " + wire.requests[stream])
        await wire.until_the_end()

    async with client(ending, well_behaved) as posting:
        answers = await posting.post(b"1", b"3", b"5", b"7", b"9", b"11")

    assert goodbyes(posting.wires[0]) == [0]
    assert contents(answers) == [b"old 1", b"old 3", b"old 5", b"7", b"9", b"11"]
    assert sorted(posting.wires[1].requests.values()) == [b"11", b"7", b"9"]


@pytest.mark.asyncio
async def test_a_goaway_in_two_steps() -> None:
    """A warning first, as nginx and proxies do, then the real number; none is sent after the warning."""
    warned = asyncio.Event()

    async def ending(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        await wire.request()
        wire.send(GoAwayFrame(0, last_stream_id=2**31 - 1, error_code=0), raw(6, 0, 0, b"anything"))
        await wire.expect(PingFrame)
        warned.set()
        wire.send(GoAwayFrame(0, last_stream_id=1, error_code=0))
        wire.answer(1, 400, b"old 1")
        await wire.until_the_end()

    async with client(ending, well_behaved) as posting:
        first = asyncio.ensure_future(posting.post(b"1", b"2"))
        await warned.wait()
        later = await posting.post(b"3")

        assert contents(await first) == [b"old 1", b"2"]
    assert contents(later) == [b"3"]
    assert sorted(posting.wires[0].requests.values()) == [b"1", b"2"]


@pytest.mark.asyncio
async def test_a_goaway_to_everybody_is_no_endless_loop() -> None:
    """A server that ends each connection at once, and takes nothing, gets each request a few times."""

    async def never(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.send(GoAwayFrame(0, last_stream_id=0, error_code=0))
        await wire.until_the_end()

    async with client(never) as posting:
        answers = await posting.post(b"1", b"2")

    assert set(answers) == {Failure.REFUSED}
    assert len(posting.wires) <= 8


@pytest.mark.asyncio
async def test_a_goaway_that_asks_for_calm() -> None:
    """Nothing goes out again at once."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.send(GoAwayFrame(0, last_stream_id=0, error_code=11))
        await wire.until_the_end()

    async with client(script) as posting:
        assert await posting.post(b"1") == [Failure.CALM]
    assert len(posting.wires) == 1


@pytest.mark.asyncio
async def test_a_goaway_that_asks_for_http1() -> None:
    """As a reset stream may: what it has not seen goes over HTTP/1.1."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.send(GoAwayFrame(0, last_stream_id=0, error_code=13))
        await wire.until_the_end()

    async with client(script) as posting:
        assert await posting.post(b"1") == [Failure.HTTP1]


@pytest.mark.asyncio
@pytest.mark.parametrize("second", [1, 3, 2**31 - 1])
async def test_goaways_that_contradict_each_other(second: int) -> None:
    """The last stream may only fall; where it rises, nothing goes out twice, and nobody is answered twice."""

    async def ending(wire: Wire) -> None:
        await wire.hello()
        for _ in range(4):
            await wire.request()
        wire.send(GoAwayFrame(0, last_stream_id=3, error_code=0), GoAwayFrame(0, last_stream_id=second, error_code=0))
        for stream in (1, 3, 5, 7):
            wire.answer(stream, 400, b"old " + wire.requests[stream])
        await wire.until_the_end()

    async with client(ending, well_behaved) as posting:
        answers = await posting.post(b"1", b"3", b"5", b"7")

    assert contents(answers) == [b"old 1", b"3" if second == 1 else b"old 3", b"5", b"7"]
    assert len(posting.wires[1].requests) == (3 if second == 1 else 2)


@pytest.mark.asyncio
async def test_numbers_of_streams_end() -> None:
    """The last is 2^31 - 1; what comes then goes over another connection, and nothing is lost."""
    bodies = [b"%d" % number for number in range(5)]

    async def script(wire: Wire) -> None:
        await wire.hello()
        wire.answer(await wire.request())
        for _ in range(2):
            stream = await wire.request()
            wire.answer(stream, 400, wire.requests[stream])
        await wire.until_the_end()

    async with client(script, well_behaved) as posting:
        await posting.post(b"first")
        next(iter(posting.origin._all))._next = 2**31 - 3
        answers = await posting.post(*bodies)

    assert contents(answers) == bodies
    assert list(posting.wires[0].requests) == [1, 2**31 - 3, 2**31 - 1]
    assert goodbyes(posting.wires[0]) == [0]
    assert list(posting.wires[1].requests) == [1, 3, 5]


@pytest.mark.asyncio
async def test_a_server_that_ends_by_habit_is_forestalled() -> None:
    """From its third connection on the next one is there before the server ends the one in use."""
    successors: list[bool] = []

    async def habit(wire: Wire) -> None:
        await wire.hello()
        for _ in range(600):
            wire.answer(await wire.request())
        successors.append(posting.wires[-1] is not wire)
        wire.send(GoAwayFrame(0, last_stream_id=1199, error_code=0))
        await wire.until_the_end()

    async with client(habit) as posting:
        for _ in range(40):
            assert all(isinstance(answer, Answer) for answer in await posting.post(*[b"{}"] * 100))

    assert successors[:2] == [False, False]
    assert all(successors[2:])
    assert sum(len(wire.requests) for wire in posting.wires) == 4_000


@pytest.mark.asyncio
async def test_a_connection_that_ends_loses_only_what_was_in_flight() -> None:
    """Without a GOAWAY it is not known what was done; the next request gets a new connection."""

    async def cut(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.writer.transport.abort()

    async with client(cut, well_behaved) as posting:
        lost = await posting.post(b"1", b"2")
        after = await posting.post(b"3")

    assert lost == [Failure.LOST, Failure.LOST]
    assert contents(after) == [b"3"]


@pytest.mark.asyncio
async def test_a_connection_that_ends_as_it_begins() -> None:
    """With the server's SETTINGS and a fault in one packet; it must not be taken for one that can be used.

    The next is tried at once, because a server that renews its workers ends connections so; then it is a failure.
    """

    async def broken(wire: Wire) -> None:
        await wire.hello()
        wire.send(b"x" * 20)
        await wire.until_the_end()

    async with client(broken, well_behaved) as posting:
        once = await posting.post(b"1")
    async with client(broken, broken, well_behaved) as failing:
        twice = await failing.post(b"1")
        after = await failing.post(b"2")

    assert contents(once) == [b"1"]
    assert twice == [Failure.CONNECT]
    assert contents(after) == [b"2"]


@pytest.mark.asyncio
async def test_a_silent_peer_is_asked_and_left() -> None:
    """In half of the time that its requests have; on the next connection all goes on."""

    async def silent(wire: Wire) -> None:
        wire.answers_pings = False
        await wire.hello()
        await wire.until_the_end()  # and answer nothing, not even a PING

    async with client(silent, well_behaved, timeout=2.0) as posting:
        first = await posting.post(b"1", b"2")
        after = await posting.post(b"3")

    assert first == [Failure.LOST, Failure.LOST]
    assert len(pings(posting.wires[0])) == 1
    assert contents(after) == [b"3"]


@pytest.mark.asyncio
async def test_a_slow_peer_that_answers_pings_is_kept() -> None:
    """Its requests have all their time."""

    async def slow(wire: Wire) -> None:
        await wire.hello()
        stream = await wire.request()
        await wire.expect(PingFrame)
        wire.answer(stream, 400, b"late")
        await wire.until_the_end()

    async with client(slow, timeout=2.0) as posting:
        assert contents(await posting.post(b"1")) == [b"late"]
    assert len(posting.wires) == 1


@pytest.mark.asyncio
async def test_a_request_that_takes_too_long_is_given_up_alone() -> None:
    """Its stream is reset, so that it takes no place; others on the connection are answered."""

    async def script(wire: Wire) -> None:
        await wire.hello({SettingsFrame.MAX_CONCURRENT_STREAMS: 2})
        await wire.request()
        await wire.echo()

    async with client(script, well_behaved, timeout=0.5) as posting:
        hung = asyncio.ensure_future(posting.post(b"hang"))
        while not posting.wires or 1 not in posting.wires[0].requests:
            await asyncio.sleep(0.001)
        others = await posting.post(*[b"%d" % number for number in range(20)])
        assert await hung == [Failure.TIMEOUT]
        more = await posting.post(b"x", b"y")

    assert contents(others) == [b"%d" % number for number in range(20)]
    assert contents(more) == [b"x", b"y"]
    assert resets(posting.wires[0]) == {1: 8}


@pytest.mark.asyncio
async def test_what_waits_for_room_does_not_wait_for_ever() -> None:
    """A server that allows no stream at all."""

    async def none(wire: Wire) -> None:
        await wire.hello({SettingsFrame.MAX_CONCURRENT_STREAMS: 0})
        await wire.until_the_end()

    async with client(none, timeout=0.2) as posting:
        assert await posting.post(b"1", b"2") == [Failure.TIMEOUT, Failure.TIMEOUT]
    assert not any(wire.requests for wire in posting.wires)


@pytest.mark.asyncio
async def test_a_server_that_says_nothing() -> None:
    """It accepts connections, and that is all."""

    async def nothing(wire: Wire) -> None:
        await wire.until_the_end()

    async with client(nothing, timeout=0.2) as posting:
        assert await posting.post(b"1", b"2") == [Failure.CONNECT_TIMEOUT, Failure.CONNECT_TIMEOUT]
        assert len(posting.wires) == 1


@pytest.mark.asyncio
async def test_nobody_listens_and_then_somebody_does() -> None:
    """Each request that finds nobody fails; the next one tries again."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    origin_ = Origin("127.0.0.1", port, FIELDS, tls=None, timeout=5.0)
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[Answer | Failure] = loop.create_future()
    origin_.post(b"1", failed.set_result)

    assert await failed is Failure.CONNECT
    async with client(well_behaved) as posting:
        origin_._port = posting.origin._port
        answered: asyncio.Future[Answer | Failure] = loop.create_future()
        origin_.post(b"2", answered.set_result)
        assert isinstance(await answered, Answer)
        await origin_.aclose()


@pytest.mark.asyncio
async def test_the_next_address_is_tried_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first address that answers nothing costs a quarter of a second, not TIMEOUT (RFC 8305)."""
    loop = asyncio.get_running_loop()
    with socket.socket() as full:  # its queue is full, so that connecting to it hangs
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        async with client(well_behaved, timeout=30.0) as posting:
            here = ("127.0.0.1", posting.origin._port)
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")

            async def addresses(*_: object, **__: object) -> list[tuple[object, ...]]:
                return [(*kind, full.getsockname()), (*kind, here)]

            monkeypatch.setattr(loop, "getaddrinfo", addresses)
            posting.origin._host = "two.addresses"
            async with asyncio.timeout(10):
                assert contents(await posting.post(b"1")) == [b"1"]
        for filler in fillers:
            filler.close()


@pytest.mark.asyncio
async def test_closing_says_goodbye_and_fails_what_is_in_flight() -> None:
    """The server sees the end at once; nobody waits for it."""

    async def hangs(wire: Wire) -> None:
        await wire.hello({SettingsFrame.MAX_CONCURRENT_STREAMS: 1})
        await wire.request()
        await wire.until_the_end()

    async with client(hangs) as posting:
        answering = asyncio.ensure_future(posting.post(b"1", b"2"))
        while not posting.wires or not posting.wires[0].requests:
            await asyncio.sleep(0.001)
        await posting.origin.aclose()

        assert await answering == [Failure.CLOSED, Failure.CLOSED]
    assert goodbyes(posting.wires[0]) == [0]


@pytest.mark.asyncio
async def test_closing_while_connecting() -> None:
    """No connection is left behind."""

    async def nothing(wire: Wire) -> None:
        await wire.until_the_end()

    async with client(nothing) as posting:
        answering = asyncio.ensure_future(posting.post(b"1"))
        while not posting.wires:
            await asyncio.sleep(0.001)
        await posting.origin.aclose()

        assert await answering == [Failure.CLOSED]
        while not posting.wires[0].closed:
            await asyncio.sleep(0.001)


@pytest.mark.asyncio
async def test_closing_does_not_wait_for_a_peer_that_hangs() -> None:
    """One that neither reads nor closes."""

    async def stuck(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(5)

    async with client(stuck) as posting:
        answering = asyncio.ensure_future(posting.post(b"1"))
        while not posting.wires or not posting.wires[0].requests:
            await asyncio.sleep(0.001)
        async with asyncio.timeout(2):
            await posting.origin.aclose()

        assert await answering == [Failure.CLOSED]


@pytest.mark.asyncio
async def test_a_connection_that_nobody_needs_is_kept_and_then_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked now and then, so that nothing on the way forgets it; after some time it goes."""
    monkeypatch.setattr(connection, "QUIET", 0.02)
    monkeypatch.setattr(origin, "QUIET", 0.02)
    monkeypatch.setattr(connection, "QUIET_PINGS", 2)

    async def script(wire: Wire) -> None:
        await wire.hello()
        wire.answer(await wire.request())
        await wire.until_the_end()

    async with client(script, well_behaved, timeout=8.0) as posting:  # a PING has a quarter of it to be answered
        await posting.post(b"1")
        async with asyncio.timeout(60):
            while not posting.wires[0].closed:
                await asyncio.sleep(0.01)
        again = await posting.post(b"2")

    assert len(pings(posting.wires[0])) == connection.QUIET_PINGS
    assert goodbyes(posting.wires[0]) == [0]
    assert contents(again) == [b"2"]


@pytest.mark.asyncio
async def test_one_more_connection_that_fails_spoils_nothing() -> None:
    """The first goes on, and the second is not tried again and again."""

    async def first(wire: Wire) -> None:
        await wire.hello({SettingsFrame.MAX_CONCURRENT_STREAMS: 1})
        await wire.echo()

    async def second(wire: Wire) -> None:
        wire.writer.transport.abort()

    async with client(first, second) as posting:
        answers = await posting.post(*[b"%d" % number for number in range(50)])

    assert contents(answers) == [b"%d" % number for number in range(50)]
    assert len(posting.wires) == 2


@pytest.mark.asyncio
async def test_large_and_small_requests_together() -> None:
    """Bodies of a megabyte do not hold up small ones, and all arrive as they were."""
    bodies = [bytes([number]) * (1_000_000 if number % 5 == 0 else 300) for number in range(40)]
    came: list[bytes] = []

    async def script(wire: Wire) -> None:
        await wire.hello()
        for _ in bodies:
            stream = await wire.request()
            came.append(wire.requests[stream])
            wire.answer(stream)
        await wire.until_the_end()

    async with client(script, timeout=20.0) as posting:
        answers = await posting.post(*bodies)

    assert all(isinstance(answer, Answer) for answer in answers)
    assert sorted(came) == sorted(bodies)
