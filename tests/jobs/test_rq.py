"""Identity in RQ, with a real Redis and real workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from rq import Callback, Queue, Retry
from rq.command import send_stop_job_command

from dd_pa import Identity
from dd_pa.jobs import HEADER, IdentityCarrier
from tests.jobs import rq_shop
from tests.jobs.brokers import fresh_name, require_redis
from tests.jobs.conftest import StartWorker
from tests.jobs.journey import NOBODY, SHOPPER, Runs, as_shopper, marker, shopping, who


class Shop:
    """A queue and what runs its jobs."""

    def __init__(self, queue: Queue, runs: Runs) -> None:
        self.queue, self.runs = queue, runs


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("rq.Worker", id="a process for each job"),
        pytest.param("rq.SpawnWorker", id="a new process for each job"),
        pytest.param("rq.SimpleWorker", id="one process"),
    ],
)
def shop(request: pytest.FixtureRequest, start_worker: StartWorker) -> Iterator[Shop]:
    """A shop with one worker; its events wait in memory only."""
    url, name = f"redis://{require_redis()}/10", fresh_name()
    runs, worker = start_worker(
        *("-m", "rq.cli", "worker", "-u", url, "-w", request.param, "-j", "tests.jobs.rq_shop.ShopJob", name),
        WORKER_QUEUE=name,
    )
    with Redis.from_url(url) as connection:
        queue = Queue(name, connection=connection, job_class=rq_shop.ShopJob)
        worker.wait_for("Listening on")
        yield Shop(queue, runs)
        queue.delete(delete_jobs=True)


def test_a_job_is_for_whoever_queued_it(shop: Shop) -> None:
    """User, account and session; and the next job is for nobody again."""
    assert as_shopper(shop.runs, lambda name: shop.queue.enqueue(rq_shop.ran, name)) == SHOPPER
    assert who(shop.runs.of(lambda name: shop.queue.enqueue(rq_shop.ran, name))) == NOBODY


def test_async_jobs(shop: Shop) -> None:
    """They run in a loop of their own."""
    assert as_shopper(shop.runs, lambda name: shop.queue.enqueue(rq_shop.ran_async, name)) == SHOPPER


def test_jobs_by_name(shop: Shop) -> None:
    """As from a process that does not have their code."""
    assert as_shopper(shop.runs, lambda name: shop.queue.enqueue("tests.jobs.rq_shop.ran", name)) == SHOPPER


def test_jobs_queue_jobs(shop: Shop) -> None:
    """For the same person."""
    assert as_shopper(shop.runs, lambda name: shop.queue.enqueue(rq_shop.queues, name)) == SHOPPER


def test_retries_and_callbacks(shop: Shop) -> None:
    """Are for the same person; the job after them is not."""
    name = marker()
    with shopping():
        shop.queue.enqueue(
            rq_shop.fails, name, retry=Retry(max=1), on_failure=Callback(rq_shop.failed), on_success=None
        )
        shop.queue.enqueue(rq_shop.ran, name, on_success=Callback(rq_shop.succeeded))
    runs = shop.runs.wait(name, 6)

    assert [who(run) for run in runs] == [SHOPPER] * 6
    assert sorted(run.get("callback", "") for run in runs) == ["", "", "", "failure", "failure", "success"]
    assert who(shop.runs.of(lambda name: shop.queue.enqueue(rq_shop.ran, name))) == NOBODY


def test_the_callback_of_a_job_that_was_stopped(start_worker: StartWorker) -> None:
    """The worker runs it, as the job's process was killed."""
    url, queue_name, name = f"redis://{require_redis()}/10", fresh_name(), marker()
    runs, worker = start_worker(
        *("-m", "rq.cli", "worker", "-u", url, "-j", "tests.jobs.rq_shop.ShopJob", queue_name), WORKER_QUEUE=queue_name
    )
    with Redis.from_url(url) as connection:
        queue = Queue(queue_name, connection=connection, job_class=rq_shop.ShopJob)
        worker.wait_for("Listening on")
        with shopping():
            job = queue.enqueue(rq_shop.never_ends, name, on_stopped=Callback(rq_shop.stopped))
        runs.wait(name)
        send_stop_job_command(connection, job.id)
        found = runs.wait(name, 2)
        queue.delete(delete_jobs=True)

    assert [(who(run), run.get("callback")) for run in found] == [(SHOPPER, None), (SHOPPER, "stopped")]


def test_metadata_of_others(shop: Shop) -> None:
    """Arrives, and the dict that it was given in stays as it was."""
    meta = {"theirs": "1-2"}
    name = marker()
    with shopping():
        shop.queue.enqueue(rq_shop.ran, name, meta=meta)
    [run] = shop.runs.wait(name)

    assert (who(run), run["meta"], meta) == (SHOPPER, {"theirs": "1-2"}, {"theirs": "1-2"})


def test_opting_out(shop: Shop) -> None:
    """By the job's metadata."""
    assert as_shopper(shop.runs, lambda name: shop.queue.enqueue(rq_shop.ran, name, meta={HEADER: False})) == NOBODY


@pytest.mark.parametrize(
    ("age", "job_id", "expected"),
    [
        pytest.param(0, "another", NOBODY, id="of another job"),
        pytest.param(4 * 3600 + 60, None, Identity(usr=SHOPPER.usr, account=SHOPPER.account), id="session over"),
    ],
)
def test_headers_that_are_not_believed(shop: Shop, age: int, job_id: str | None, expected: Identity) -> None:
    """Of another job: nobody. After four hours: no session."""
    queued = marker()
    with shopping():
        carrier = IdentityCarrier(rq_shop.emitter, clock=lambda: time.time() - age)
        header = carrier.header("tests.jobs.rq_shop.ran", job_id or queued)
    name = marker()
    meta: dict[str, Any] = {HEADER: header}
    job = shop.queue.create_job(rq_shop.ran, args=(name,), job_id=queued)
    job.meta = meta
    shop.queue.enqueue_job(job)

    assert who(shop.runs.wait(name)[0]) == expected
