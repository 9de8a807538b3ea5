"""What the doctor warns of, by what brokers tell of themselves."""

from __future__ import annotations

import pytest

from dd_pa.relay.broker_weaknesses import kafka_weaknesses, nats_weaknesses, redis_weaknesses

SAFE = {"redis_version": "7.2.4", "aof_enabled": 1, "maxmemory": 1 << 30, "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("told", "begins"),
    [
        ({}, []),
        ({"redis_version": "6.0.16"}, ["Redis 6.0.16 cannot hand over"]),
        ({"redis_version": "unstable"}, []),
        ({"aof_enabled": 0}, ["appendonly is off"]),
        ({"maxmemory_policy": "allkeys-lru"}, ["maxmemory-policy is allkeys-lru"]),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, []),
    ],
)
def test_redis(told: dict[str, object], begins: list[str]) -> None:
    found = redis_weaknesses(SAFE | told)
    assert [text[: len(start)] for text, start in zip(found, begins, strict=True)] == begins


def test_kafka() -> None:
    assert kafka_weaknesses("events", [3, 2]) == []
    assert kafka_weaknesses("events", [3, 1]) == [
        "topic events has one replica: it is lost with the disk of one broker"
    ]


def test_nats() -> None:
    assert nats_weaknesses(is_in_memory=False, drops_oldest=False) == []
    assert [text[:8] for text in nats_weaknesses(is_in_memory=True, drops_oldest=True)] == ["the stre", "a full s"]
