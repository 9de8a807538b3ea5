"""Copies to a stream beside the usual delivery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dd_pa import Emitter, Settings
from dd_pa.errors import SettingsError
from dd_pa.metrics import COUNTERS, GAUGES
from dd_pa.observe import signals
from dd_pa.process import testbed
from tests.relay.brokers import OwnRedis, own_server
from tests.relay.conftest import APPLICATION, SOON
from tests.relay.test_contract import Running, ids, track
from tests.waiting import wait_until


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnRedis]:
    monkeypatch.setattr(testbed, "_is_on", False)  # asked once in a process: another test may have been first
    folder = tmp_path / "broker"
    folder.mkdir()
    with own_server("redis", folder) as found:
        assert isinstance(found, OwnRedis)
        yield found


def settings(redis: OwnRedis, intake: str, tmp_path: Path) -> Settings:
    return Settings(
        application_id=APPLICATION,
        api_key="k" * 32,
        intake_url=intake,
        tap_url=f"{redis.url}&trim=3600",
        spool_dir=str(tmp_path / "spool"),
    )


def copied(redis: OwnRedis) -> list[str]:
    return [json.loads(entry.body)["dd_pa"]["event_id"] for entry in redis.entries()]


def metrics(emitter: Emitter) -> dict[str, float]:
    """Return what a reader of the metrics of copies sees."""
    stats = emitter.stats()
    counters = {name: values(stats) for name, (_, values) in COUNTERS.items()}
    gauges = {name: values(stats) for name, (_, _, values, _) in GAUGES.items()}
    told = {**counters, **gauges}.items()
    return {name: value for name, values in told if ".tap." in name for value, _ in values}


def test_each_event_is_delivered_and_copied(redis: OwnRedis, emulator: Running, tmp_path: Path) -> None:
    told: list[object] = []

    def tell(sender: object, event: object) -> None:
        told.append(sender)

    with Emitter(settings(redis, emulator[1], tmp_path), retry=SOON) as emitter:
        signals.event_delivered.connect(tell)
        tracked = track(emitter, 50)
        together = [emitter.integration.build("order.paid", usr="u-1") for _ in range(20)]
        events = [event for event in together if event is not None]
        assert emitter.integration.submit_all(events)
        tracked += [event.id for event in events]
        assert emitter.flush(30)
    signals.event_delivered.disconnect(tell)
    assert ids(emulator[0]) == sorted(tracked)
    assert copied(redis) == tracked
    assert told == [emitter] * 70  # the copies are nobody's news


def test_a_broker_that_is_away_delays_the_copies_only(redis: OwnRedis, emulator: Running, tmp_path: Path) -> None:
    redis.kill()
    with Emitter(settings(redis, emulator[1], tmp_path), retry=SOON) as emitter:
        tracked = track(emitter, 50)
        assert emitter.flush(30)
        assert ids(emulator[0]) == sorted(tracked)
        wait_until(lambda: metrics(emitter)["dd_pa.tap.failing"])
        stats = emitter.stats()
        assert stats.state == "running"
        assert stats.tap is not None
        assert (stats.tap.pending, stats.tap.delivered, stats.tap.last_error) == (50, 0, "ConnectionError")
        assert (metrics(emitter)["dd_pa.tap.pending"], metrics(emitter)["dd_pa.tap.published"]) == (50, 0)
    redis.start()
    assert copied(redis) == []
    with Emitter(settings(redis, emulator[1], tmp_path), retry=SOON) as emitter:  # finds what the first one has left
        tracked += track(emitter, 1)
        wait_until(lambda: set(copied(redis)) == set(tracked))
    assert ids(emulator[0]) == sorted(tracked)


def test_what_is_older_than_the_stream_is_to_be_is_trimmed(redis: OwnRedis, emulator: Running, tmp_path: Path) -> None:
    with redis.client() as client:
        client.config_set("stream-node-max-entries", "1")  # whole nodes are trimmed
        client.xadd(redis.stream, {"data": b"{}"}, id="1-1")
    with Emitter(settings(redis, emulator[1], tmp_path), retry=SOON) as emitter:
        tracked = track(emitter, 1)
    assert copied(redis) == tracked


def test_the_stream_of_the_relay_is_no_tap(redis: OwnRedis) -> None:
    with pytest.raises(SettingsError, match="TAP_URL"):
        Settings(application_id=APPLICATION, relay_url=redis.url, tap_url=redis.url)
