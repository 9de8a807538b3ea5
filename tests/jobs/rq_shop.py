"""Jobs for RQ, for the worker and for the test that queues them."""

from __future__ import annotations

import os
from threading import Event
from typing import Any

from rq import Queue, get_current_job

from dd_pa import Emitter, Settings
from dd_pa.jobs.rq import IdentityJob
from tests.jobs.journey import make_emitter, run

emitter = Emitter(Settings.from_env()) if "WORKER_QUEUE" in os.environ else make_emitter()


class ShopJob(IdentityJob, emitter=emitter):
    """What a shop would name to its queues and workers."""


def ran(marker: str) -> None:
    run(emitter, marker, meta=_others())


def _others() -> dict[str, Any]:
    job = get_current_job()
    return {} if job is None else {key: value for key, value in job.meta.items() if key == "theirs"}


async def ran_async(marker: str) -> None:
    run(emitter, marker)


def fails(marker: str) -> None:
    run(emitter, marker)
    raise ValueError("as it should")


def never_ends(marker: str) -> None:
    run(emitter, marker)
    Event().wait()


def queues(marker: str) -> None:
    job = get_current_job()
    assert job is not None
    Queue(job.origin, connection=job.connection, job_class=ShopJob).enqueue(ran, marker)


def succeeded(job: ShopJob, connection: object, result: object) -> None:
    run(emitter, job.args[0], callback="success")


def failed(job: ShopJob, connection: object, *error: object) -> None:
    run(emitter, job.args[0], callback="failure")


def stopped(job: ShopJob, connection: object) -> None:
    run(emitter, job.args[0], callback="stopped")
