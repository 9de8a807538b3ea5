"""Identity in Dramatiq, with a real Redis and a real worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest

from dd_pa import Emitter, Identity
from dd_pa.jobs import HEADER, IdentityCarrier
from tests.jobs.brokers import fresh_name, require_redis
from tests.jobs.conftest import StartWorker
from tests.jobs.dramatiq_shop import make_actors, redis_broker
from tests.jobs.journey import NOBODY, SHOPPER, Runs, as_shopper, make_emitter, marker, shopping, who


class Shop:
    """The actors of a broker, and what runs their messages."""

    def __init__(self, broker: Any, actors: dict[str, Any], emitter: Emitter, runs: Runs) -> None:
        self.broker, self.actors, self.emitter, self.runs = broker, actors, emitter, runs


@pytest.fixture(scope="module")
def shop(start_worker: StartWorker) -> Iterator[Shop]:
    """A shop with one worker process of two threads."""
    address, namespace = require_redis(), fresh_name()
    runs, worker = start_worker(
        *("-m", "dramatiq", "tests.jobs.dramatiq_shop", "--processes", "1", "--threads", "2", "-v"),
        WORKER_BROKER=address,
        WORKER_QUEUE=namespace,
    )
    emitter, broker = make_emitter(), redis_broker(address, namespace)
    actors = make_actors(broker, emitter)
    worker.wait_for("ready for action")
    yield Shop(broker, actors, emitter, runs)
    broker.flush_all()
    broker.close()


@pytest.mark.parametrize("actor", ["ran", "ran_async", "queues"])
def test_a_message_is_for_whoever_sent_it(shop: Shop, actor: str) -> None:
    """Of sync and async actors, and of those that send to others."""
    assert as_shopper(shop.runs, shop.actors[actor].send) == SHOPPER
    assert [who(shop.runs.of(shop.actors["ran"].send)) for _ in range(3)] == [NOBODY] * 3


def test_delays_and_options_of_others(shop: Shop) -> None:
    """Both go with it."""
    name = marker()
    with shopping():
        shop.actors["ran"].send_with_options(args=(name,), delay=300, theirs="1-2")
    [run] = shop.runs.wait(name)

    assert (who(run), run["theirs"]) == (SHOPPER, "1-2")


def test_retries(shop: Shop) -> None:
    """Are for the same person, and a failure lets go."""
    name = marker()
    with shopping():
        shop.actors["fails"].send(name)

    assert [who(run) for run in shop.runs.wait(name, 2)] == [SHOPPER] * 2
    assert [who(shop.runs.of(shop.actors["ran"].send)) for _ in range(3)] == [NOBODY] * 3


def test_pipelines_and_groups(shop: Shop) -> None:
    """Every message of them."""
    message, name = shop.actors["ran"].message, marker()
    compositions: Any = dramatiq  # whose classes have no annotations
    with shopping():
        compositions.pipeline([message(name), message(name), message(name)], broker=shop.broker).run()
        compositions.group([message(name), message(name)], broker=shop.broker).run()

    assert [who(run) for run in shop.runs.wait(name, 5)] == [SHOPPER] * 5


@pytest.mark.parametrize(
    ("actor", "options"), [pytest.param("private", {}, id="actor"), pytest.param("ran", {HEADER: False}, id="message")]
)
def test_opting_out(shop: Shop, actor: str, options: dict[str, Any]) -> None:
    """Of an actor, or of one message."""
    queue = shop.actors[actor].send_with_options

    assert as_shopper(shop.runs, lambda name: queue(args=(name,), **options)) == NOBODY


@pytest.mark.parametrize(
    ("age", "task", "expected"),
    [
        pytest.param(0, "fails", NOBODY, id="of another job"),
        pytest.param(4 * 3600 + 60, "ran", Identity(usr=SHOPPER.usr, account=SHOPPER.account), id="session over"),
    ],
)
def test_headers_that_are_not_believed(shop: Shop, age: int, task: str, expected: Identity) -> None:
    """Of another job: nobody. After four hours: no session."""
    name = marker()
    message = shop.actors["ran"].message(name)
    carrier = IdentityCarrier(shop.emitter, clock=lambda: time.time() - age)
    with shopping():
        header = carrier.header(task, message.message_id)
    stolen = message.copy(options={HEADER: header, "redis_message_id": message.message_id})
    shop.broker.do_enqueue(stolen.queue_name, stolen.message_id, stolen.encode())

    assert who(shop.runs.wait(name)[0]) == expected
