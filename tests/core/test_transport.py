from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dd_pa import BuiltEvent
from dd_pa.delivery.outlet_factory import open_intake
from dd_pa.network.http2_outlet import Http2Outlet
from dd_pa.network.httpx_library import httpx
from dd_pa.network.httpx_outlet import HttpxOutlet
from dd_pa.network.httpx_transport import SeparateConnections
from dd_pa.network.outcome import DELIVERED
from tests.core.intakes import TRANSPORTS, Emitters, Post, RawIntake, accept, answer, ids, settings_for, track


@pytest.fixture(params=[pytest.param(name, id=name) for name in TRANSPORTS])
def make_emitter(request: pytest.FixtureRequest) -> Iterator[Emitters]:
    """Makes emitters over httpx, and over our own HTTP/2."""
    emitters = Emitters(TRANSPORTS[request.param])
    yield emitters
    emitters.close()


@pytest.mark.parametrize(
    ("changes", "outlet"),
    [
        pytest.param({}, Http2Outlet, id="default"),
        pytest.param({"transport": "httpx"}, HttpxOutlet, id="as set"),
        pytest.param({"proxy": "http://127.0.0.1:9"}, HttpxOutlet, id="proxy"),
    ],
)
@pytest.mark.asyncio
async def test_http2_is_our_own_unless_httpx_is_asked_for(changes: dict[str, str], outlet: type) -> None:
    """Proxies are httpx's, and so is everything where TRANSPORT says so."""
    opened = open_intake(settings_for("https://localhost:1", **changes))
    await opened.aclose()

    assert type(opened) is outlet


@pytest.mark.asyncio
async def test_a_given_transport_wins() -> None:
    """It replaces the network, whatever TRANSPORT says."""
    recorder = Recorder()
    opened = open_intake(settings_for("https://localhost:1"), recorder)
    outcome = await opened.send(BuiltEvent(id="e", name="x.y", occurred_at=0, body=b"{}"), b"{}")

    assert (outcome, recorder.requests) == (DELIVERED, 1)


def test_proxy_variables_are_not_obeyed(make_emitter: Emitters, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment does not choose who sees the key."""
    proxy, intake = RawIntake(accept), RawIntake(accept)
    with proxy.running() as elsewhere, intake.running() as url:
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(variable, elsewhere)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        emitter = make_emitter(url)
        tracked = track(emitter, 3)

        assert emitter.flush(60)
        assert ids([post.event for post in intake.posts]) == tracked
        assert proxy.connections == 0


def test_the_proxy_setting_is_obeyed(make_emitter: Emitters) -> None:
    """An explicit proxy takes the requests, with the intake's whole address in each."""
    proxy = RawIntake(accept)
    with proxy.running() as address:
        emitter = make_emitter("http://127.0.0.1:9", proxy=address)
        tracked = track(emitter, 3)

        assert emitter.flush(60)
        assert ids([post.event for post in proxy.posts]) == tracked
        assert proxy.posts[0].head.startswith(b"POST http://127.0.0.1:9/api/v2/prodlytics HTTP/1.1\r\n")


def test_no_netrc_is_read(make_emitter: Emitters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Authorization header comes out of a file that nobody mentioned."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    intake = RawIntake(accept)
    with intake.running() as url:
        emitter = make_emitter(url)
        track(emitter, 1)

        assert emitter.flush(60)
        assert b"authorization" not in intake.posts[0].head.lower()


def test_connections_are_used_again(make_emitter: Emitters) -> None:
    """Over HTTP/1.1 there are no more connections than requests in flight, ever."""
    intake = RawIntake(accept)
    with intake.running() as url:
        emitter = make_emitter(url, concurrency=4)
        for _ in range(5):
            track(emitter, 20)
            assert emitter.flush(60)

        assert len(intake.posts) == 100
        assert intake.connections <= 4


def test_a_connection_that_the_intake_closed_is_replaced(make_emitter: Emitters) -> None:
    """`Connection: close` after each answer costs connections, no event and no failure."""

    async def close_each(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(202, Connection="close"))
        await writer.drain()
        writer.close()

    intake = RawIntake(close_each)
    with intake.running() as url:
        emitter = make_emitter(url, concurrency=4)
        tracked = track(emitter, 40)

        assert emitter.flush(60)
        assert ids([post.event for post in intake.posts]) == tracked
        assert emitter.stats().retried == 0


class Recorder(httpx.AsyncBaseTransport):
    """A pool of one connection that notes what is asked of it."""

    def __init__(self) -> None:
        self.requests, self.closed = 0, False
        self.fail = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self.fail:
            raise httpx.ConnectError("refused")
        return httpx.Response(202, stream=Body())

    async def aclose(self) -> None:
        self.closed = True


class Body(httpx.AsyncByteStream):
    """An answer's body in two pieces."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        yield b"}"


@pytest.mark.asyncio
async def test_each_request_has_a_connection_of_its_own() -> None:
    """It is free again when the answer is closed, or when the attempt fails, and all are closed at the end."""
    made: list[Recorder] = []

    def make() -> Recorder:
        made.append(Recorder())
        return made[-1]

    pool, request = SeparateConnections(make), httpx.Request("POST", "http://127.0.0.1:1")
    first = await pool.handle_async_request(request)
    second = await pool.handle_async_request(request)

    assert [recorder.requests for recorder in made] == [1, 1]
    assert await first.aread() == b"{}"
    await first.aclose()
    await second.aclose()
    await second.aclose()
    made[1].fail = True
    with pytest.raises(httpx.ConnectError):
        await pool.handle_async_request(request)
    made[1].fail = False
    for _ in range(2):
        await pool.handle_async_request(request)
    assert [recorder.requests for recorder in made] == [2, 3]
    await pool.aclose()
    assert [recorder.closed for recorder in made] == [True, True]


def test_nothing_is_left_open(make_emitter: Emitters) -> None:
    """After close() the intake sees the end of every connection."""
    ended = threading.Semaphore(0)

    class Watched(RawIntake):
        async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await super()._connected(reader, writer)
            ended.release()

    intake = Watched(accept)
    with intake.running() as url:
        emitter = make_emitter(url, concurrency=3)
        track(emitter, 30)
        assert emitter.flush(60)
        emitter.close()

        assert all(ended.acquire(timeout=5) for _ in range(intake.connections))


def test_old_tls_is_not_offered(make_emitter: Emitters) -> None:
    """The first bytes on the wire ask for TLS 1.2 or 1.3 and nothing older."""
    hello: list[bytes] = []

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            connection, _ = listener.accept()
            with connection:
                hello.append(connection.recv(4096))

        thread = threading.Thread(target=listen)
        thread.start()
        track(make_emitter(f"https://localhost:{listener.getsockname()[1]}", concurrency=1), 1)
        thread.join(5)

    supported_versions = hello[0].partition(b"\x00\x2b\x00")[2]
    length = supported_versions[1]
    offered = {supported_versions[at : at + 2] for at in range(2, 2 + length, 2)}
    assert {version for version in offered if version[0] == 3} == {b"\x03\x03", b"\x03\x04"}
