"""Actors for Dramatiq, for the worker and for the test that sends to them."""

from __future__ import annotations

import os
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, CurrentMessage

from dd_pa import Emitter, Settings
from dd_pa.jobs.dramatiq import connect_dramatiq
from tests.jobs.journey import run


def make_actors(broker: dramatiq.Broker, emitter: Emitter) -> dict[str, Any]:
    """Connect a broker and declare the actors on it."""
    broker.add_middleware(AsyncIO())
    broker.add_middleware(CurrentMessage())
    connect_dramatiq(broker, emitter)

    def ran(marker: str, *_: object) -> str:
        message = CurrentMessage.get_current_message()
        run(emitter, marker, theirs=message.options.get("theirs") if message else None)
        return marker

    async def ran_async(marker: str) -> None:
        run(emitter, marker)

    def fails(marker: str) -> None:
        run(emitter, marker)
        raise ValueError("as it should")

    def queues(marker: str) -> None:
        actors["ran"].send(marker)

    def actor(function: Any, name: str, **options: Any) -> Any:
        return dramatiq.actor(actor_name=name, broker=broker, **options)(function)

    actors = {
        "ran": actor(ran, "ran"),
        "private": actor(ran, "private", dd_pa_identity=False),
        "ran_async": actor(ran_async, "ran_async"),
        "fails": actor(fails, "fails", max_retries=1, min_backoff=1, max_backoff=1),
        "queues": actor(queues, "queues"),
    }
    return actors


def redis_broker(address: str, namespace: str) -> Any:
    make: Any = RedisBroker  # which has no annotations
    return make(url=f"redis://{address}/11", namespace=namespace)


if "WORKER_QUEUE" in os.environ:
    broker = redis_broker(os.environ["WORKER_BROKER"], os.environ["WORKER_QUEUE"])
    dramatiq.set_broker(broker)
    make_actors(broker, Emitter(Settings.from_env()))
