"""Identity in Huey, with a real Redis and a real consumer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from huey.api import chord

from dd_pa import Emitter, Identity
from dd_pa.jobs import HEADER, IdentityCarrier
from tests.jobs.brokers import fresh_name, require_redis
from tests.jobs.conftest import StartWorker
from tests.jobs.huey_shop import make_huey
from tests.jobs.journey import NOBODY, SHOPPER, Runs, as_shopper, make_emitter, marker, shopping, who


class Shop:
    """An instance, its tasks, and what runs them."""

    def __init__(self, huey: Any, tasks: dict[str, Any], emitter: Emitter, runs: Runs) -> None:
        self.huey, self.tasks, self.emitter, self.runs = huey, tasks, emitter, runs


@pytest.fixture(scope="module", params=["thread", "process"])
def shop(request: pytest.FixtureRequest, start_worker: StartWorker) -> Iterator[Shop]:
    """A shop with a consumer of two workers."""
    address, name = require_redis(), fresh_name()
    options = ("--workers", "2", "--worker-type", request.param, "--scheduler-interval", "1", "--delay", "0.05")
    runs, worker = start_worker(
        *("-m", "huey.bin.huey_consumer", "tests.jobs.huey_shop.huey", *options, "--max-delay", "0.2"),
        WORKER_BROKER=address,
        WORKER_QUEUE=name,
    )
    emitter = make_emitter()
    huey, tasks = make_huey(address, name, emitter)
    worker.wait_for("Huey consumer started")
    yield Shop(huey, tasks, emitter, runs)
    huey.storage.flush_all()


@pytest.mark.parametrize("task", ["ran", "queues"])
def test_a_task_is_for_whoever_queued_it(shop: Shop, task: str) -> None:
    """Also one that queues another; and the next is for nobody again."""
    assert as_shopper(shop.runs, shop.tasks[task]) == SHOPPER
    assert [who(shop.runs.of(shop.tasks["ran"])) for _ in range(3)] == [NOBODY] * 3


def test_a_time_to_run_at(shop: Shop) -> None:
    """The consumer holds such a task back itself."""
    assert as_shopper(shop.runs, lambda name: shop.tasks["ran"].schedule((name,), delay=1)) == SHOPPER


@pytest.mark.parametrize("task", ["fails", "slow"])
def test_retries(shop: Shop, task: str) -> None:
    """At once or later, they are for the same person; a failure lets go."""
    name = marker()
    with shopping():
        shop.tasks[task](name)

    assert [who(run) for run in shop.runs.wait(name, 2)] == [SHOPPER] * 2
    assert [who(shop.runs.of(shop.tasks["ran"])) for _ in range(3)] == [NOBODY] * 3


def test_pipelines_error_handlers_and_chords(shop: Shop) -> None:
    """All that follows is for the same person."""
    ran, name = shop.tasks["ran"], marker()
    with shopping():
        shop.huey.enqueue(ran.s(name).then(ran, name))
        shop.huey.enqueue(shop.tasks["fails"].s(name).error(ran, name))
        shop.huey.enqueue(chord([ran.s(name), ran.s(name)], ran.s(name)))

    assert [who(run) for run in shop.runs.wait(name, 9)] == [SHOPPER] * 9


def test_opting_out(shop: Shop) -> None:
    """Of a task."""
    assert as_shopper(shop.runs, shop.tasks["private"]) == NOBODY


@pytest.mark.parametrize(
    ("age", "task", "expected"),
    [
        pytest.param(0, "fails", NOBODY, id="of another job"),
        pytest.param(4 * 3600 + 60, "ran", Identity(usr=SHOPPER.usr, account=SHOPPER.account), id="session over"),
    ],
)
def test_headers_that_are_not_believed(shop: Shop, age: int, task: str, expected: Identity) -> None:
    """Of another job: nobody. After four hours: no session."""
    queued = shop.tasks["ran"].s(name := marker())
    carrier = IdentityCarrier(shop.emitter, clock=lambda: time.time() - age)
    with shopping():
        header = carrier.header(f"tests.jobs.huey_shop.{task}", queued.id)
    queued.kwargs = {HEADER: header}
    shop.huey.storage.enqueue(shop.huey.serialize_task(queued))

    assert who(shop.runs.wait(name)[0]) == expected


def test_immediate_mode() -> None:
    """Tasks run in the request, and have its identity anyway."""
    emitter = make_emitter()
    huey, _ = make_huey("127.0.0.1:1", fresh_name(), emitter, immediate=True)
    found: list[Identity] = []

    def look(*_: object) -> None:
        found.append(emitter.integration.identity())

    task = huey.task()(look)
    with shopping():
        task()
        found.append(emitter.integration.identity())

    assert found == [SHOPPER, SHOPPER]
