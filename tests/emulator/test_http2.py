"""HTTP/2 without TLS on the emulator's port: what `client` in the other modules does not show."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes, Settings
from starlette.types import Receive, Scope, Send

from dd_pa import Emitter
from dd_pa import Settings as EmitterSettings
from dd_pa.emulator import Emulator
from dd_pa.emulator.http.http2 import PREFACE, WINDOW
from tests.emulator.client import INTAKE, KEY, Client, event


@contextmanager
def over_http2(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20, http1=False, http2=True) as http:
        yield http


class Watched(Emulator):
    """An emulator that notes which HTTP it was asked in."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.versions.append(scope["http_version"])
        await super().__call__(scope, receive, send)


class Failing(Emulator):
    """An emulator with a fault of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/half":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        raise LookupError("as meant")


class Raw:
    """A client by hand, whose windows are as small as wished."""

    def __init__(self, url: str, window: int = 65_535) -> None:
        self._socket = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=20)
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        values: dict[SettingCodes, int] = {SettingCodes.INITIAL_WINDOW_SIZE: window}
        self.h2.local_settings = Settings(client=True, initial_values=values)
        self.h2.initiate_connection()
        self._host = urlsplit(url).netloc

    def begin(self, method: str, path: str, *fields: tuple[str, str], end: bool = True, host: str = "") -> int:
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", host or self._host), (":path", path)]
        self.h2.send_headers(stream, [*pseudo, *fields], end_stream=end)
        return stream

    def write(self, data: bytes = b"") -> None:
        self._socket.sendall(self.h2.data_to_send() + data)

    def events(self) -> Iterator[Event]:
        """Yield what comes until the server closes."""
        while data := self._socket.recv(65_536):
            yield from self.h2.receive_data(data)

    def answer(self, stream: int) -> tuple[dict[str, str], bytes]:
        """Return the fields and the body of an answer."""
        fields, body = {}, b""
        self.write()
        for event_ in self.events():
            if isinstance(event_, ResponseReceived) and event_.stream_id == stream:
                fields = {str(name): str(value) for name, value in event_.headers}
            elif isinstance(event_, DataReceived) and event_.stream_id == stream:
                body += event_.data
                self.h2.acknowledge_received_data(event_.flow_controlled_length, stream)
                self.write()
            elif isinstance(event_, StreamEnded) and event_.stream_id == stream:
                return fields, body
            elif isinstance(event_, StreamReset) and event_.stream_id == stream:
                break
        raise ConnectionError("no answer")

    def close(self) -> None:
        self._socket.close()


@contextmanager
def raw(url: str, window: int = 65_535) -> Iterator[Raw]:
    client = Raw(url, window)
    try:
        yield client
    finally:
        client.close()


def test_our_client_comes_to_speak_it() -> None:
    """The first answer offers it, and all that follows is posted as it is to Datadog."""
    emulator = Watched()
    with emulator.running() as url:
        settings = EmitterSettings(application_id="shop", api_key=KEY, intake_url=url, spool_dir=None)
        with Emitter(settings) as emitter:
            emitter.track("order.placed", usr="u-0")
            assert emitter.flush(60)
            first = list(emulator.versions)
            for number in range(1, 500):
                emitter.track("order.placed", usr=f"u-{number}")
            assert emitter.flush(60)
        came = [body["usr"]["id"] for body in emulator.events]

    assert first == ["1.1"]
    assert set(emulator.versions[1:]) == {"2"}
    assert sorted(came) == sorted(f"u-{number}" for number in range(500))


@pytest.mark.parametrize("cut", [1, 3, 23, 24, 40])
def test_the_preface_may_come_in_pieces(url: str, cut: int) -> None:
    """What begins like it is waited for."""
    with raw(url) as client:
        stream = client.begin("GET", "/api/emulator/status")
        data = client.h2.data_to_send()
        assert data.startswith(PREFACE)
        client.write(data[:cut])
        client.write(data[cut:])
        fields, _ = client.answer(stream)

    assert fields[":status"] == "200"


def test_what_only_begins_like_the_preface(url: str) -> None:
    """It is HTTP/1.1, of which even the first letter may come alone."""
    port = urlsplit(url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"P")
        client.sendall(f"ATCH / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())

        assert client.recv(65_536).startswith(b"HTTP/1.1 405 ")


def test_a_large_answer_in_small_windows(url: str) -> None:
    """No more is sent than is taken, and nothing is missing in the end."""
    path = "/static/app.js"
    with httpx.Client(base_url=url) as http:
        whole = http.get(path).content
    with raw(url, window=100) as client:
        fields, body = client.answer(client.begin("GET", path))

    assert fields[":status"] == "200"
    assert body == whole
    assert len(whole) > 1_000


def test_head_has_no_body(url: str) -> None:
    with over_http2(url) as http:
        whole, head = http.get("/static/app.js"), http.head("/static/app.js")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


def test_the_live_stream(emulator: Emulator, url: str) -> None:
    """It goes on beside other requests of its connection, and a fault that closes one of them spares it."""
    with over_http2(url) as http, http.stream("GET", "/api/emulator/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: hello"
        emulator.fail(close=True)
        with pytest.raises(httpx.RemoteProtocolError):
            Client(http).send(event())
        assert Client(http).send(event()).status_code == 202
        assert any(line == "event: events" for line in lines)


def test_bodies_that_nobody_reads_hold_nothing_up(url: str) -> None:
    """More than the connection's window goes into requests that are refused early; what comes after them arrives."""
    with raw(url) as client:
        for _ in range(30):
            refused = client.begin("POST", INTAKE, end=False, host="shop.example")
            for _ in range(4):
                client.h2.send_data(refused, b"x" * 15_000)
            assert client.answer(refused)[0][":status"] == "403"
        taken = client.begin("POST", INTAKE, ("dd-api-key", KEY), ("content-type", "application/json"), end=False)
        client.h2.send_data(taken, json.dumps(event()).encode(), end_stream=True)
        fields, _ = client.answer(taken)

    assert fields[":status"] == "202"
    assert WINDOW < 30 * 60_000


def test_the_host_is_the_authority(url: str) -> None:
    """Whoever says two different names says nothing that is understood."""
    with raw(url) as client:
        fields, _ = client.answer(client.begin("GET", "/api/emulator/status", host="shop.example"))
        with pytest.raises(ConnectionError):
            client.answer(client.begin("GET", "/api/emulator/status", ("host", "shop.example")))

    assert fields[":status"] == "403"


def test_a_client_that_gives_up_is_noted(emulator: Emulator, url: str) -> None:
    """A stream that is reset in the middle of its body ends its request, and nothing else."""
    fields = [("dd-api-key", KEY), ("content-type", "application/json")]
    with raw(url) as client:
        stream = client.begin("POST", INTAKE, *fields, end=False)
        client.h2.send_data(stream, b"{")
        client.write()
        client.h2.reset_stream(stream)
        answered = client.answer(client.begin("GET", "/api/emulator/status"))

    assert answered[0][":status"] == "200"
    assert [row.status for row in emulator.rejected] == [408]


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"\0\x78\x78" + b"x" * 40_000, id="a frame that is too large"),
        pytest.param(b"\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff", id="fields that are none"),
        pytest.param(b"\0\0\5\7\0\0\0\0\0aaaaa", id="a GOAWAY cut off"),
        pytest.param(b"\0\0\4\0\0\0\0\0\1{}{}", id="DATA of no request"),
    ],
)
def test_nonsense_ends_the_connection_only(url: str, nonsense: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """With a GOAWAY; the server says nothing and serves others."""
    with raw(url) as client:
        client.write(nonsense)
        codes = [event_.error_code for event_ in client.events() if isinstance(event_, ConnectionTerminated)]
    with over_http2(url) as http:
        assert http.get("/api/emulator/status").status_code == 200

    assert len(codes) == 1
    assert codes[0] != 0
    assert caplog.records == []


def test_an_application_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """500, or the end of the stream where an answer has begun; the connection stays."""
    with Failing().running() as url, over_http2(url) as http:
        failed = http.get("/whole").status_code
        with pytest.raises(httpx.RemoteProtocolError):
            http.get("/half")
        again = http.get("/whole").status_code

    assert (failed, again) == (500, 500)
    assert [record.getMessage() for record in caplog.records] == ["Exception in ASGI application"] * 3
