"""Who may use a broker, and whether it is the right one: TLS with an authority of our own, passwords that end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dd_pa import Settings
from dd_pa.doctor import examine
from dd_pa.outbox import OutboxDeliverer
from dd_pa.relay.brokers import open_queue
from dd_pa.settings.relay_address import address
from tests.core.tls_intake import Certificates
from tests.relay.brokers import OWN, OwnBroker, OwnRedis
from tests.relay.conftest import APPLICATION, SOON, Publishers
from tests.relay.test_contract import Running, ids, track
from tests.waiting import wait_until

STRANGER = ("ConnectionError", "SSLCertVerificationError", "AMQPConnectionWorkflowFailed")
"""What each client raises where it does not know the authority."""


@pytest.fixture(params=["redis", "nats"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnBroker]:
    """One that can be given certificates and passwords before it starts."""
    folder = tmp_path / "broker"
    folder.mkdir()
    own = OWN[request.param](folder)
    yield own
    own.kill()


def certified(folder: Path) -> Certificates:
    folder.mkdir()
    return Certificates(folder)


@pytest.mark.parametrize("broker", OWN, indirect=True)
def test_events_go_through_a_broker_with_tls(
    broker: OwnBroker, publisher: Publishers, emulator: Running, tmp_path: Path
) -> None:
    broker.certificates, ours = certified(tmp_path / "theirs"), certified(tmp_path / "ours")
    broker.start()
    emitter = publisher(broker.url, ca_file=broker.certificates.ca_file)
    tracked = track(emitter, 3)
    assert emitter.flush(30), emitter.stats()

    stranger = publisher(broker.url, ca_file=ours.ca_file, spool_dir=str(tmp_path / "other"))
    track(stranger, 1)
    wait_until(lambda: stranger.stats().last_error)
    assert stranger.stats().last_error in STRANGER
    assert stranger.stats().pending == 1

    queue = open_queue(address("--from", broker.url), ca_file=broker.certificates.ca_file)
    settings = Settings(application_id=APPLICATION, api_key="k" * 32, intake_url=emulator[1], spool_dir=None)
    assert OutboxDeliverer(settings, queue, retry=SOON, lease=5.0, poll=0.05).run(once=True)
    queue.close()
    assert ids(emulator[0]) == sorted(tracked)


def test_a_password_that_is_changed_pauses_until_it_is_right_again(broker: OwnBroker, publisher: Publishers) -> None:
    broker.password = "right"
    broker.start()
    emitter = publisher(broker.url)
    tracked = track(emitter, 3)
    assert emitter.flush(30), emitter.stats()

    broker.kill()
    broker.password = "changed"
    broker.start()
    tracked += track(emitter, 3)
    wait_until(lambda: emitter.stats().state == "paused", emitter.stats)
    assert emitter.stats().pending == 3

    broker.kill()
    broker.password = "right"
    broker.start()
    assert emitter.flush(30), emitter.stats()
    assert [json.loads(entry.body)["dd_pa"]["event_id"] for entry in broker.entries()] == tracked


def test_the_doctor_looks_at_the_broker(broker: OwnBroker, publisher: Publishers, tmp_path: Path) -> None:
    broker.start()
    settings = Settings(application_id=APPLICATION, relay_url=broker.url, spool_dir=str(tmp_path / "spool"))

    def found() -> list[tuple[str, str]]:
        return [(finding.state, finding.text) for finding in examine(settings) if finding.subject == "relay"]

    where = str(settings.destination)
    for _ in range(2):  # the first look makes nothing
        assert found() == [("note", f"{where} answers; it has no such stream yet, which the first event makes")]

    emitter = publisher()
    track(emitter, 3)
    assert emitter.flush(30)
    assert found() == [("ok", f"{where}: 3 wait, 0 on their way")]

    if isinstance(broker, OwnRedis):
        with broker.client() as client:
            client.config_set("appendonly", "no")
            client.config_set("maxmemory", "1gb")
            client.config_set("maxmemory-policy", "allkeys-lru")
        assert [state for state, _ in found()] == ["warning", "warning", "ok"]

    broker.kill()
    [(state, text)] = found()
    assert (state, text.rpartition(":")[0]) == ("failure", f"{where} cannot be used")


def test_the_doctor_tells_of_a_redis_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis 6.0 knows no XAUTOCLAIM. There is none here: another number is told by a new one without that command."""
    server = OwnRedis(tmp_path)
    monkeypatch.setattr(server, "command", lambda: [*OwnRedis.command(server), "--rename-command", "XAUTOCLAIM", ""])
    server.start()
    try:
        queue = open_queue(address("--from", server.url))
        with pytest.raises(redis.ResponseError, match="unknown command"):
            queue.claim(1, owner="me", now=0, until=1000)
        client = queue._client  # type: ignore[attr-defined]
        assert queue.weaknesses() == []
        told = {**client.info("everything"), "redis_version": "6.0.16"}
        monkeypatch.setattr(client, "info", lambda section: told)
        [weakness] = queue.weaknesses()
        assert weakness == "Redis 6.0.16 cannot hand over what a dead deliverer held: 6.2 can (XAUTOCLAIM)"
        queue.close()
    finally:
        server.kill()
