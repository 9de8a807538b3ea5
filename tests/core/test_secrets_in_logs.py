"""A marked key goes through everything that can happen to it, while everybody logs at DEBUG."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from dd_pa import Emitter, RetryPolicy, Stats
from dd_pa.emulator import Emulator
from dd_pa.query import QueryClient, QueryError, events
from tests.core.intakes import TRANSPORTS, MakeTransport, RawIntake, answer
from tests.core.wire import APPLICATION_ID, settings
from tests.waiting import wait_until

KEY = "markedapikey4711markedapikey4711"


class Everything(logging.Handler):
    """Keeps all that a handler could show of a record: message, arguments, and the traceback with its locals."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.shown: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.shown.append(f"{record.name}: {record.getMessage()} {record.args!r}")
        if record.exc_info and record.exc_info[1]:
            told = traceback.TracebackException.from_exception(record.exc_info[1], capture_locals=True)
            self.shown.append("".join(told.format()))

    def with_the_key(self) -> list[str]:
        return [text for text in self.shown if KEY in text]


@pytest.fixture
def log() -> Iterator[Everything]:
    """All that is logged by anybody in this process, from DEBUG up."""
    names = ["", "dd_pa", "httpx", "httpcore", "h11", "h2", "hpack", "asyncio", "uvicorn"]
    levels = {name: logging.getLogger(name).level for name in names}
    handler = Everything()
    logging.getLogger().addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler
    logging.getLogger().removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def emitting(url: str, make: MakeTransport, **changes: Any) -> Iterator[Emitter]:
    """An emitter that sends the marked key to `url`, tries again soon, and does not wait when it is closed."""
    usual: dict[str, Any] = {"api_key": KEY, "intake_url": url, "timeout": 0.5}
    made = settings(**(usual | changes))
    emitter = Emitter(made, transport=make(made), retry=RetryPolicy(base=0.01, cap=0.02, pause=0.02))
    yield emitter
    emitter.close(0.0)


def wait_for(emitter: Emitter, holds: Callable[[Stats], bool]) -> None:
    """Block until the statistics say so."""
    wait_until(lambda: holds(emitter.stats()), emitter.stats)


def failed_twice(stats: Stats) -> bool:
    return stats.retried >= 2


def answers(content: bytes) -> Callable[[Any, Any], Any]:
    async def handler(post: Any, writer: Any) -> None:
        writer.write(content)
        if not content.startswith(b"HTTP/1.1 "):
            writer.close()

    return handler


async def hang(post: Any, writer: Any) -> None:
    """Leave a request without an answer."""


@pytest.mark.parametrize("make", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize(
    ("handler", "seen"),
    [
        pytest.param(answers(answer(202)), lambda stats: stats.delivered == 1, id="accepted"),
        pytest.param(answers(answer(400)), lambda stats: stats.rejected == 1, id="rejected"),
        pytest.param(answers(answer(401)), lambda stats: stats.state == "paused", id="unauthorized"),
        pytest.param(answers(answer(403)), lambda stats: stats.state == "paused", id="forbidden"),
        pytest.param(
            answers(answer(307, location="http://127.0.0.1:9/")), lambda stats: stats.state == "paused", id="redirected"
        ),
        pytest.param(answers(answer(429, retry_after=0)), failed_twice, id="limited"),
        pytest.param(answers(answer(503)), failed_twice, id="unavailable"),
        pytest.param(answers(b"HTTP/9.9 nonsense\r\n\r\n"), failed_twice, id="nonsense"),
        pytest.param(answers(b""), failed_twice, id="closed"),
        pytest.param(hang, failed_twice, id="hangs"),
    ],
)
def test_no_answer_makes_anybody_log_the_key(
    handler: Any, seen: Callable[[Stats], bool], make: MakeTransport, log: Everything
) -> None:
    """Whatever the intake does; the key did reach it."""
    intake = RawIntake(handler)
    with intake.running() as url, emitting(url, make) as emitter:
        emitter.track("x.y", usr="u-1")
        wait_for(emitter, seen)

    assert KEY.encode() in intake.posts[0].head
    assert log.shown
    assert not log.with_the_key()


@pytest.mark.parametrize("make", TRANSPORTS.values(), ids=TRANSPORTS)
def test_no_missing_server_makes_anybody_log_the_key(make: MakeTransport, log: Everything) -> None:
    """Neither one that does not listen, nor one whose name is not known, nor a proxy that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url, proxy in (
        (f"http://127.0.0.1:{port}", None),
        (f"https://nobody.localhost:{port}", None),
        (f"https://nobody.localhost:{port}", f"http://user:{KEY}@127.0.0.1:{port}"),
    ):
        with emitting(url, make, proxy=proxy) as emitter:
            emitter.track("x.y", usr="u-1")
            wait_for(emitter, failed_twice)
            assert KEY not in repr(emitter.stats())

    assert log.shown
    assert not log.with_the_key()


class Certified:
    """A certificate of an authority that nobody knows, and its files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        server = authority.issue_cert("localhost")
        self.ca_file, self.chain_file, self.key_file = (
            str(folder / name) for name in ("ca.pem", "chain.pem", "key.pem")
        )
        authority.cert_pem.write_to_path(self.ca_file)
        server.private_key_pem.write_to_path(self.key_file)
        for blob in server.cert_chain_pems:
            blob.write_to_path(self.chain_file, append=True)


@pytest.fixture
def h2(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """An intake over HTTP/2 in a process of its own: its origin, and the file of its authority."""
    certified = Certified(tmp_path)
    script = str(Path(__file__).with_name("h2_intake.py"))
    command = [sys.executable, script, certified.chain_file, certified.key_file, "{}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        yield f"https://localhost:{port}", certified.ca_file
        server.kill()


@pytest.mark.parametrize("make", TRANSPORTS.values(), ids=TRANSPORTS)
def test_nobody_logs_the_key_over_http2(make: MakeTransport, h2: tuple[str, str], log: Everything) -> None:
    """Where headers are compressed by a library that logs them."""
    url, ca_file = h2
    with emitting(url, make, ca_file=ca_file, timeout=5.0) as emitter:
        for _ in range(3):
            emitter.track("x.y", usr="u-1")
        wait_for(emitter, lambda stats: stats.delivered == 3)

    assert log.shown
    assert not log.with_the_key()


@pytest.mark.parametrize("make", TRANSPORTS.values(), ids=TRANSPORTS)
def test_an_unknown_authority_makes_nobody_log_the_key(
    make: MakeTransport, h2: tuple[str, str], log: Everything
) -> None:
    """The connection is refused by us, before anything is sent."""
    with emitting(h2[0], make) as emitter:
        emitter.track("x.y", usr="u-1")
        wait_for(emitter, failed_twice)

    assert not log.with_the_key()


def test_the_emulator_does_not_log_the_key(log: Everything) -> None:
    """It runs where people look at the terminal."""
    emulator = Emulator()
    with emulator.running() as url, emitting(url, TRANSPORTS["httpx"]) as emitter:
        emitter.track("x.y", usr="u-1")
        wait_for(emitter, lambda stats: stats.delivered == 1)

    assert len(emulator.events) == 1
    assert not log.with_the_key()


class Failing(httpx.AsyncBaseTransport):
    """A transport with a bug, whose error quotes the headers, as some libraries' do."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError(f"cannot send {dict(request.headers)}")


def test_a_bug_in_a_transport_does_not_log_the_key(log: Everything) -> None:
    """The delivery survives it, and names its class."""
    with emitting("http://127.0.0.1:9", lambda _: Failing()) as emitter:
        emitter.track("x.y", usr="u-1")
        wait_for(emitter, failed_twice)
        assert emitter.stats().last_error == "RuntimeError"

    assert not log.with_the_key()


def test_error_reports_of_track_do_not_show_the_key() -> None:
    """With the local variables of every frame, as services that collect errors show them."""

    def fail() -> Any:
        raise LookupError("no login")

    emitter = Emitter(settings(api_key=KEY, strict=True, application_id=APPLICATION_ID), identity=fail)
    with pytest.raises(LookupError) as caught:
        emitter.track("x.y", {"a": 1})

    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "emitter" in told
    assert KEY not in told
    assert KEY not in f"{emitter!r} {vars(emitter)!r} {emitter.stats()!r}"


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(answers(answer(403)), id="forbidden"),
        pytest.param(answers(answer(429, retry_after=0)), id="limited"),
        pytest.param(answers(answer(307, location="http://127.0.0.1:9/")), id="redirected"),
        pytest.param(answers(b"HTTP/9.9 nonsense\r\n\r\n"), id="nonsense"),
        pytest.param(answers(b""), id="closed"),
        pytest.param(hang, id="hangs"),
    ],
)
@pytest.mark.parametrize("secrets", [("api_key", "app_key"), ("bearer_token",)], ids=["keys", "token"])
def test_no_answer_to_a_query_makes_anybody_tell_the_keys(
    handler: Any, secrets: tuple[str, ...], log: Everything
) -> None:
    """Neither a log nor an error with the local variables of every frame; the keys did reach the API."""
    intake = RawIntake(handler)
    with intake.running() as url:
        made = settings(intake_url=url, **dict.fromkeys(secrets, KEY))
        client = QueryClient(made, deadline=1.0, timeout=0.3, sleep=lambda _: None)
        with client, pytest.raises(QueryError) as caught:
            client.run(events("x.y").count().last(days=1))

    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert intake.posts[0].head.count(KEY.encode()) == len(secrets)
    assert "query" in told
    assert KEY not in told
    assert log.shown
    assert not log.with_the_key()
