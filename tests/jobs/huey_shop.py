"""Tasks for Huey, for the consumer and for the test that queues them."""

from __future__ import annotations

import os
from typing import Any

from huey import RedisHuey

from dd_pa import Emitter, Settings
from dd_pa.jobs.huey import connect_huey
from tests.jobs.journey import run


def make_huey(address: str, name: str, emitter: Emitter, **options: Any) -> tuple[Any, dict[str, Any]]:
    """Return a connected instance and its tasks."""
    huey: Any = RedisHuey(name, url=f"redis://{address}/12", **options)
    connect_huey(huey, emitter)

    def ran(marker: str, *_: object) -> str:
        run(emitter, marker)
        return marker

    def fails(marker: str) -> None:
        run(emitter, marker)
        raise ValueError("as it should")

    def queues(marker: str) -> None:
        tasks["ran"](marker)

    tasks = {
        "ran": huey.task()(ran),
        "private": huey.task(name="private", dd_pa_identity=False)(ran),
        "fails": huey.task(retries=1)(fails),
        "slow": huey.task(name="slow", retries=1, retry_delay=1)(fails),
        "queues": huey.task()(queues),
    }
    return huey, tasks


if "WORKER_QUEUE" in os.environ:
    huey, _ = make_huey(os.environ["WORKER_BROKER"], os.environ["WORKER_QUEUE"], Emitter(Settings.from_env()))
