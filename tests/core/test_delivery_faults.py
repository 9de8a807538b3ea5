"""What the intake or the network do wrong, over each transport: every event still arrives, or is accounted for."""

from __future__ import annotations

import asyncio
import errno
import gzip
import logging
import os
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from dd_pa import Emitter, RetryPolicy
from dd_pa.emulator import Emulator
from dd_pa.observe import signals
from tests.core.intakes import (
    KEY,
    NEVER,
    TRANSPORTS,
    Emitters,
    Post,
    RawIntake,
    accept,
    answer,
    ids,
    track,
)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Emulator, str]]:
    """One emulator for the module."""
    emulator = Emulator()
    with emulator.running() as url:
        yield emulator, url


@pytest.fixture
def emulator(server: tuple[Emulator, str]) -> Emulator:
    """The running emulator, as new."""
    emulator, _ = server
    emulator.clear()
    emulator.clear_faults()
    emulator.api_keys = None
    return emulator


@pytest.fixture
def url(server: tuple[Emulator, str]) -> str:
    """The emulator's origin."""
    return server[1]


@pytest.fixture(params=[pytest.param(name, id=name) for name in TRANSPORTS])
def make_emitter(request: pytest.FixtureRequest) -> Iterator[Emitters]:
    """Makes emitters over httpx, and over our own HTTP/2."""
    emitters = Emitters(TRANSPORTS[request.param])
    yield emitters
    emitters.close()


def hear(emitter: Emitter, *names: str) -> list[tuple[str, dict[str, Any]]]:
    """Return a list that fills with the signals of an emitter."""
    heard: list[tuple[str, dict[str, Any]]] = []
    for name in names:
        signal = getattr(signals, name)
        signal.connect(lambda sender, _name=name, **values: heard.append((_name, values)), sender=emitter, weak=False)
    return heard


def test_each_event_arrives_once(make_emitter: Emitters, emulator: Emulator, url: str) -> None:
    """A healthy intake gets each event exactly once, over few connections."""
    emitter = make_emitter(url)
    tracked = track(emitter, 300)

    assert emitter.flush(60)
    stats = emitter.stats()
    assert (stats.delivered, stats.pending, stats.retried, stats.last_error) == (300, 0, 0, None)
    assert ids(emulator.events) == tracked


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status": 503}, id="503"),
        pytest.param({"status": 408}, id="408"),
        pytest.param({"close": True}, id="closed"),
        pytest.param({"status": 429, "headers": {}}, id="429 without a wait"),
    ],
)
def test_a_burst_of_failures_loses_and_doubles_nothing(
    make_emitter: Emitters, emulator: Emulator, url: str, fault: dict[str, Any]
) -> None:
    """What the intake did not take is sent again until it does; what it took is not."""
    emulator.fail(**fault, times=15)
    emitter = make_emitter(url)
    tracked = track(emitter, 60)

    assert emitter.flush(60)
    stats = emitter.stats()
    assert (stats.retried, stats.state) == (15, "running"), stats
    assert ids(emulator.events) == tracked


def test_a_hang_delays_and_doubles_at_most_what_hung(make_emitter: Emitters) -> None:
    """Requests without an answer time out and are sent again; each double is one of those attempts."""
    emulator = Emulator()  # of its own: what it delays would else arrive in the next test
    emulator.fail(delay=3.0, times=5)
    with emulator.running() as url:
        emitter = make_emitter(url, timeout=0.7)
        tracked = track(emitter, 60)

        assert emitter.flush(60)
    came = Counter(ids(emulator.events))
    assert sorted(came) == tracked
    assert sum(came.values()) - len(came) <= emitter.stats().retried


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(lambda: {"X_RateLimit_Reset": 0.4}, id="x-ratelimit-reset"),
        pytest.param(lambda: {"Retry_After": 0.4}, id="retry-after"),
        pytest.param(
            lambda: {"Retry_After": format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)}, id="date"
        ),
        pytest.param(lambda: {"X_RateLimit_Reset": 0.4, "Retry_After": 900}, id="reset wins"),
        pytest.param(lambda: {"X_RateLimit_Reset": "NaN", "Retry_After": 0.4}, id="NaN is no number"),
    ],
)
def test_the_intake_is_left_alone_for_as_long_as_it_asks(make_emitter: Emitters, header: Any) -> None:
    """By the server's own record, no request comes before the wait is over; then all events do."""

    async def limit_first(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(429, **header()) if post.number == 0 else answer(202))

    intake = RawIntake(limit_first)
    with intake.running() as url:
        emitter = make_emitter(url, concurrency=1)
        tracked = track(emitter, 20)

        assert emitter.flush(60)
        first, second = intake.posts[:2]
        assert second.at - first.at >= 0.38
        assert ids([post.event for post in intake.posts[1:]]) == tracked


@pytest.mark.parametrize("value", ["1e9", "inf"])
def test_an_absurd_wait_does_not_outlast_the_end(make_emitter: Emitters, value: str) -> None:
    """However long the intake asks to wait, close() tries once more, and the events arrive."""

    async def limit_first(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(429, Retry_After=value) if post.number == 0 else answer(202))

    intake = RawIntake(limit_first)
    with intake.running() as url:
        emitter = make_emitter(url, concurrency=1)
        tracked = track(emitter, 3)
        intake.wait_for(1)
        emitter.close()

        assert ids([post.event for post in intake.posts[1:]]) == tracked


@pytest.mark.parametrize("value", ["-1", "0"])
def test_a_wait_of_nothing_still_backs_off(make_emitter: Emitters, value: str) -> None:
    """An intake that says 429 and "at once" for ever is not sent requests as fast as the network can."""

    async def limit(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(429, X_RateLimit_Reset=value))

    intake = RawIntake(limit)
    with intake.running() as url:
        emitter = make_emitter(url, retry=NEVER, concurrency=1, timeout=5.0)
        track(emitter, 1)
        intake.wait_for(1)

        assert not emitter.flush(0.3)
        assert len(intake.posts) == 1
        assert emitter.stats().state == "backing_off"


def test_a_refused_connection_is_tried_again(make_emitter: Emitters) -> None:
    """Events wait for a server that is not there yet."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    emitter = make_emitter(f"http://127.0.0.1:{port}")
    tracked = track(emitter, 10)

    assert not emitter.flush(0.1)
    assert emitter.stats().pending == 10
    intake = RawIntake(accept, port=port)
    with intake.running():
        assert emitter.flush(60)
        assert ids([post.event for post in intake.posts]) == tracked


async def _hang(post: Post, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _drip(post: Post, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _half_a_head(post: Post, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 202 Acc")
    await writer.drain()
    writer.close()


async def _nonsense(post: Post, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
    await writer.drain()
    writer.close()


async def _reset(post: Post, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(_hang, id="never answers"),
        pytest.param(_drip, id="drips for ever"),
        pytest.param(_half_a_head, id="half a head"),
        pytest.param(_nonsense, id="no HTTP"),
        pytest.param(_reset, id="reset"),
    ],
)
def test_an_intake_that_recovers_gets_everything(make_emitter: Emitters, failure: Any) -> None:
    """Each way of not answering is over when the intake is well again, without a restart of ours."""
    well = threading.Event()

    async def handle(post: Post, writer: asyncio.StreamWriter) -> None:
        await (accept if well.is_set() else failure)(post, writer)

    intake = RawIntake(handle)
    with intake.running() as url:
        emitter = make_emitter(url, concurrency=4, timeout=0.25)
        tracked = track(emitter, 12)
        intake.wait_for(5)
        assert emitter.stats().pending == 12
        well.set()
        sick = len(intake.posts)

        assert emitter.flush(60)
        assert sorted(set(ids([post.event for post in intake.posts[sick:]]))) == tracked
        assert emitter.stats().last_error is not None


def test_an_outage_does_not_hammer(make_emitter: Emitters) -> None:
    """While the intake fails, one probe at a time goes out and one fresh event, not all that waits."""

    async def fail(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(503))

    intake = RawIntake(fail)
    with intake.running() as url:
        retry = RetryPolicy(base=0.2, cap=0.2, draw=lambda least, most: most)
        emitter = make_emitter(url, concurrency=8, retry=retry)
        track(emitter, 200)

        assert not emitter.flush(1.1)
        assert len(intake.posts) <= 8 + 7 * 2


def test_a_long_answer_is_not_read_to_its_end(make_emitter: Emitters) -> None:
    """An answer of more than 64 KiB counts as what its status says, and the next events arrive too."""

    async def long(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(202, b"x" * 1_000_000))

    intake = RawIntake(long)
    with intake.running() as url:
        emitter = make_emitter(url, timeout=5.0)
        tracked = track(emitter, 20)

        assert emitter.flush(60)
        assert ids([post.event for post in intake.posts]) == tracked


def test_a_compressed_answer_is_not_inflated(make_emitter: Emitters) -> None:
    """No compression is asked for; an answer that has it anyway is judged by its status, its words left alone."""

    async def compressed(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(400, gzip.compress(b"a" * 1_000_000), Content_Encoding="gzip"))

    intake = RawIntake(compressed)
    with intake.running() as url:
        emitter = make_emitter(url)
        heard = hear(emitter, "event_rejected")
        track(emitter, 1)

        assert emitter.flush(60)
        assert [(values["reason"], values["detail"]) for _, values in heard] == [("400", "")]
        assert b"accept-encoding" not in intake.posts[0].head.lower()


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_rejected_event_is_told_and_the_rest_goes_on(
    make_emitter: Emitters, emulator: Emulator, url: str, status: int
) -> None:
    """4xx is final for its event: signalled with the intake's words, counted, never sent again."""
    emulator.fail(status, times=2)
    emitter = make_emitter(url)
    heard = hear(emitter, "event_rejected")
    tracked = track(emitter, 20)

    assert emitter.flush(60)
    refused = sorted(values["event"].id for _, values in heard)
    assert sorted(ids(emulator.events) + refused) == tracked
    assert [(values["reason"], values["detail"]) for _, values in heard] == [(str(status), "fault on demand")] * 2
    assert (emitter.stats().rejected, emitter.stats().retried, emitter.stats().state) == (2, 0, "running")


def test_a_key_that_the_intake_echoes_is_masked(make_emitter: Emitters, caplog: pytest.LogCaptureFixture) -> None:
    """A proxy's error page may show our headers: neither signals nor log lines do, cut or whole."""

    async def echo(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(400, b"x" * 190 + post.head))

    intake = RawIntake(echo)
    with intake.running() as url:
        emitter = make_emitter(url)
        heard = hear(emitter, "event_rejected")
        track(emitter, 1)

        assert emitter.flush(60)
        assert KEY.encode() in intake.posts[0].head
        assert KEY[:8] not in repr(heard[0][1]["detail"]) + caplog.text


def test_a_wrong_key_pauses_and_a_valid_one_resumes(
    make_emitter: Emitters, emulator: Emulator, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """403 keeps every event; the pause and its end are each said and signalled once."""
    emulator.api_keys = {"another-key"}
    emitter = make_emitter(url)
    heard = hear(emitter, "delivery_paused", "delivery_resumed")
    paused_at_last = threading.Event()
    signals.delivery_paused.connect(lambda sender, reason: paused_at_last.set(), sender=emitter, weak=False)
    with caplog.at_level(logging.INFO, logger="dd_pa"):
        tracked = track(emitter, 50)
        assert paused_at_last.wait(10)
        assert not emitter.flush(0.1)
        paused = emitter.stats()
        emulator.api_keys = {KEY}
        assert emitter.flush(60)

    assert (paused.state, paused.pending, paused.last_error) == ("paused", 50, "403")
    assert ids(emulator.events) == tracked
    assert heard == [("delivery_paused", {"reason": "403"}), ("delivery_resumed", {})]
    assert [record.levelname for record in caplog.records if record.name == "dd_pa"] == ["ERROR", "WARNING"]
    assert KEY not in caplog.text
    assert emitter.stats().state == "running"


def test_a_missing_key_pauses(make_emitter: Emitters, emulator: Emulator, url: str) -> None:
    """401 is treated as 403: one may be about its event, three different ones are not."""
    emulator.fail(401, times=10)
    emitter = make_emitter(url, concurrency=1)
    heard = hear(emitter, "delivery_paused", "delivery_resumed")
    tracked = track(emitter, 5)

    assert emitter.flush(60)
    assert ids(emulator.events) == tracked
    assert [name for name, _ in heard] == ["delivery_paused", "delivery_resumed"]


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_not_followed(make_emitter: Emitters, status: int) -> None:
    """The host that a redirect names gets no connection, the key stays here, and the events wait."""
    other = RawIntake(accept)
    with other.running() as elsewhere:

        async def redirect(post: Post, writer: asyncio.StreamWriter) -> None:
            writer.write(answer(status, Location=f"{elsewhere}/api/v2/prodlytics"))

        intake = RawIntake(redirect)
        with intake.running() as url:
            emitter = make_emitter(url)
            track(emitter, 5)
            intake.wait_for(8)

            assert not emitter.flush(0.1)
            assert (emitter.stats().state, emitter.stats().pending) == ("paused", 5)
    assert (other.connections, other.posts) == (0, [])


def test_one_event_that_always_fails_does_not_stop_the_others(make_emitter: Emitters) -> None:
    """An event the intake answers with 500 for ever, or kills the connection at, keeps failing alone."""

    async def poisoned(post: Post, writer: asyncio.StreamWriter) -> None:
        match post.event["event"]["name"]:
            case "poison.error":
                writer.write(answer(500))
            case "poison.reset":
                writer.transport.abort()
            case _:
                writer.write(answer(202))

    intake = RawIntake(poisoned)
    with intake.running() as url:
        emitter = make_emitter(url, retry=RetryPolicy(base=0.1, cap=0.5))
        poison = track(emitter, 5, "poison.error") + track(emitter, 5, "poison.reset")
        delivered = threading.Semaphore(0)
        signals.event_delivered.connect(lambda sender, event: delivered.release(), sender=emitter, weak=False)
        tracked = track(emitter, 100)

        assert all(delivered.acquire(timeout=10) for _ in tracked)
        posts = [post.event for post in intake.posts if post.event["event"]["name"] == "order.placed"]
        assert ids(posts) == tracked
        assert emitter.stats().pending == len(poison)


def test_a_page_is_no_delivery(make_emitter: Emitters, caplog: pytest.LogCaptureFixture) -> None:
    """A site, or a proxy, answers 200 to anything that is posted to it: the events wait for the intake."""
    pages = [b"<!doctype html><title>Sign in</title>"] * 5

    async def site(post: Post, writer: asyncio.StreamWriter) -> None:
        page = pages.pop() if pages else b""
        writer.write(answer(200, page, Content_Type="text/html; charset=utf-8"))

    intake = RawIntake(site)
    with intake.running() as url:
        emitter = make_emitter(url)
        tracked = track(emitter, 5)

        assert emitter.flush(60)  # an empty answer is one of a relay that says no more
    assert emitter.stats().delivered == 5
    assert ids([post.event for post in intake.posts[5:]]) == tracked
    assert "the answer is 200 text/html" in caplog.text


@pytest.mark.parametrize("made", ["selector", "pair"])
def test_a_process_that_is_out_of_descriptors_delivers_when_it_has_some(
    made: str, make_emitter: Emitters, emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first event comes when no loop can be made: it is tried again, and no thread dies of it."""
    failed = threading.Event()

    def refused(*args: object, **options: object) -> Any:
        failed.set()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    emitter = make_emitter(url)
    with monkeypatch.context() as out:
        if made == "pair":
            out.setattr(socket, "socketpair", refused)
        else:
            out.setattr(selectors.DefaultSelector, "__init__", refused)
        tracked = track(emitter, 3)
        assert failed.wait(10)

    assert emitter.flush(60)
    assert ids(emulator.events) == tracked


@pytest.mark.parametrize("ends", [True, False])
def test_a_success_whose_rest_does_not_come_is_one(make_emitter: Emitters, ends: bool) -> None:
    """The connection ends within the answer's body, or nothing more comes: the event is taken, and not sent again."""

    async def half(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(202)[:-1])
        await writer.drain()
        if ends:
            writer.close()

    intake = RawIntake(half)
    with intake.running() as url:
        emitter = make_emitter(url, timeout=0.5)
        tracked = track(emitter, 5)

        assert emitter.flush(60)
    assert emitter.stats().delivered == 5
    assert ids([post.event for post in intake.posts]) == tracked
