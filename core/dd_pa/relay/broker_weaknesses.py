"""What may lose events by the way that a broker is configured. The doctor warns of it, whatever else works.

RabbitMQ has none here: its protocol does not tell how a queue was declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

OLDEST_REDIS = (6, 2)
"""Version of Redis that first knew all commands that the queue uses."""


def redis_weaknesses(told: Mapping[str, Any]) -> list[str]:
    """Return those of a Redis, by what its `INFO` tells."""
    found = []
    version = str(told.get("redis_version", ""))
    if _numbers(version) < OLDEST_REDIS:
        oldest = ".".join(map(str, OLDEST_REDIS))
        found.append(f"Redis {version} cannot hand over what a dead deliverer held: {oldest} can (XAUTOCLAIM)")
    if not told.get("aof_enabled"):
        found.append("appendonly is off: what came since the last snapshot is lost with the server")
    policy = str(told.get("maxmemory_policy", ""))
    if told.get("maxmemory") and policy.startswith("allkeys"):
        found.append(f"maxmemory-policy is {policy}: a full server drops the stream; set noeviction")
    return found


def kafka_weaknesses(topic: str, replicas: Iterable[int]) -> list[str]:
    """Return those of a topic, by the number of replicas of each of its partitions."""
    if any(count < 2 for count in replicas):
        return [f"topic {topic} has one replica: it is lost with the disk of one broker"]
    return []


def nats_weaknesses(*, is_in_memory: bool, drops_oldest: bool) -> list[str]:
    """Return those of a stream of JetStream. `drops_oldest`: it is bounded, and does that when it is full."""
    found = []
    if is_in_memory:
        found.append("the stream is kept in memory: it is lost with the server")
    if drops_oldest:
        found.append("a full stream drops its oldest events: set its discard policy to new")
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit()) or OLDEST_REDIS
