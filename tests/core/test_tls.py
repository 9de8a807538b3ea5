"""The real thing's protocol: TLS with certificates of our own, HTTP/2 on hypercorn, and what goes wrong with it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from dd_pa import Emitter, RetryPolicy
from dd_pa.observe import signals
from tests.core.intakes import NEVER, TRANSPORTS, Emitters, RawIntake, accept, ids, track
from tests.core.tls_intake import Certificates, H2Intake


@pytest.fixture(params=[pytest.param(name, id=name) for name in TRANSPORTS])
def make_emitter(request: pytest.FixtureRequest) -> Iterator[Emitters]:
    """Makes emitters over httpx, and over our own HTTP/2."""
    emitters = Emitters(TRANSPORTS[request.param])
    yield emitters
    emitters.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One authority for the module."""
    return Certificates(tmp_path_factory.mktemp("tls"))


def deliver(emitter: Emitter, count: int) -> list[str]:
    """Track events and wait until so many are delivered; return their ids."""
    delivered = threading.Semaphore(0)
    signals.event_delivered.connect(lambda sender, event: delivered.release(), sender=emitter, weak=False)
    tracked = track(emitter, count)
    assert all(delivered.acquire(timeout=40) for _ in tracked), emitter.stats()
    return tracked


def test_events_share_one_http2_connection(make_emitter: Emitters, certificates: Certificates) -> None:
    """With the authority in CA_FILE, over HTTP/2, with many in flight on one connection."""
    with H2Intake(certificates) as intake:
        emitter = make_emitter(intake.url, ca_file=certificates.ca_file, timeout=15.0)
        tracked = deliver(emitter, 200)

    assert ids(intake.events) == tracked
    assert (intake.versions, len(intake.clients)) == ({"2"}, 1)
    assert emitter.stats().retried == 0


def test_a_goaway_is_no_outage(make_emitter: Emitters, certificates: Certificates) -> None:
    """A server that ends each connection after some requests gets every event, and no backing off."""
    with H2Intake(certificates, keep_alive_max_requests=50, keep_alive_timeout=1) as intake:
        retry = RetryPolicy(base=3600.0, cap=3600.0, draw=lambda least, most: most)
        emitter = make_emitter(intake.url, ca_file=certificates.ca_file, concurrency=20, timeout=15.0, retry=retry)
        tracked = deliver(emitter, 300)

    assert sorted(set(ids(intake.events))) == tracked
    assert len(intake.events) - len(tracked) <= len(intake.clients) * 20
    assert len(intake.clients) >= 6
    assert emitter.stats().state == "running"


def test_one_hung_stream_stops_no_other(make_emitter: Emitters, certificates: Certificates) -> None:
    """Streams that the server never answers time out by themselves; the others go on."""
    with H2Intake(certificates) as intake:
        emitter = make_emitter(intake.url, ca_file=certificates.ca_file, concurrency=20, timeout=2.0)
        hung = track(emitter, 5, "hang")
        assert all(intake.hanging.acquire(timeout=10) for _ in hung)
        tracked = deliver(emitter, 100)

    assert sorted(set(ids(intake.events))) == tracked
    assert emitter.stats().pending == len(hung)


def test_streams_that_were_given_up_do_not_add_up(make_emitter: Emitters, certificates: Certificates) -> None:
    """More hung streams than a connection may have open, one after the other: new events still get through."""
    with H2Intake(certificates, h2_max_concurrent_streams=10) as intake:
        emitter = make_emitter(intake.url, ca_file=certificates.ca_file, concurrency=10, timeout=0.7)
        hung = track(emitter, 2, "hang")
        assert all(intake.hanging.acquire(timeout=20) for _ in range(12))
        deliver(emitter, 20)

    assert emitter.stats().pending == len(hung)


def test_a_handshake_that_is_given_up_is_closed(make_emitter: Emitters) -> None:
    """A server that takes connections and says nothing, and an emitter that ends: no socket waits to be collected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        emitter = make_emitter(f"https://localhost:{server.getsockname()[1]}", retry=NEVER)
        track(emitter, 3)
        connection, _ = server.accept()
        with connection:
            connection.settimeout(20)
            hello = connection.recv(4096)
            emitter.close(0.0)

            assert hello
            assert not connection.recv(4096)


def test_an_unknown_authority_is_refused(
    make_emitter: Emitters, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    """No request leaves; the events are kept, as a wrong clock or a half-installed certificate may be mended."""
    intake = RawIntake(accept, tls=certificates.context())
    with caplog.at_level(logging.CRITICAL, logger="asyncio"), intake.running() as url:
        emitter = make_emitter(url, retry=NEVER)
        track(emitter, 5)

        assert not emitter.flush(1.0)
        assert intake.posts == []
        stats = emitter.stats()
        emitter.close(0.0)

    assert (stats.pending, stats.state, stats.last_error) == (5, "backing_off", "ConnectError")


def test_a_certificate_for_another_name_is_refused(make_emitter: Emitters, certificates: Certificates) -> None:
    """The authority alone is not enough."""
    intake = RawIntake(accept, tls=certificates.context())
    with intake.running() as url:
        emitter = make_emitter(url.replace("localhost", "127.0.0.1"), ca_file=certificates.ca_file, retry=NEVER)
        track(emitter, 5)

        assert not emitter.flush(1.0)
        assert (intake.posts, emitter.stats().pending) == ([], 5)
        emitter.close(0.0)


def test_tls_without_http2_works(make_emitter: Emitters, certificates: Certificates) -> None:
    """A server or a relay that only speaks HTTP/1.1 gets each event once."""
    intake = RawIntake(accept, tls=certificates.context())
    with intake.running() as url:
        emitter = make_emitter(url, ca_file=certificates.ca_file)
        tracked = track(emitter, 100)

        assert emitter.flush(60)
        assert ids([post.event for post in intake.posts]) == tracked
        assert emitter.stats().retried == 0


def test_a_connection_cut_in_the_middle_is_made_again(make_emitter: Emitters, certificates: Certificates) -> None:
    """The server dies with requests in flight and another one takes its port: nothing is lost."""
    with H2Intake(certificates) as first:
        emitter = make_emitter(first.url, ca_file=certificates.ca_file, concurrency=10)
        hung = track(emitter, 10, "hang")
        assert all(first.hanging.acquire(timeout=10) for _ in hung)
    second = RawIntake(accept, tls=certificates.context(), port=first.port)
    with second.running():
        assert emitter.flush(60)
        assert sorted(set(ids([post.event for post in second.posts]))) == hung
