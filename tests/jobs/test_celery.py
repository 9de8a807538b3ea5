"""Identity in Celery, with real brokers and real workers."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, chain, current_app, group
from celery.signals import after_task_publish

from dd_pa import Emitter, Identity
from dd_pa.jobs import HEADER, IdentityCarrier
from dd_pa.jobs.job_header import Seal
from tests.jobs.brokers import fresh_name, require_rabbitmq, require_redis
from tests.jobs.celery_shop import make_app
from tests.jobs.conftest import StartWorker
from tests.jobs.journey import NOBODY, SHOPPER, Runs, as_shopper, make_emitter, marker, shopping, who

FOUR_HOURS = 4 * 3600


class Shop:
    """A Celery app whose tasks a worker runs."""

    def __init__(self, app: Any, emitter: Emitter, runs: Runs) -> None:
        self.app, self.emitter, self.runs = app, emitter, runs

    def task(self, name: str) -> Any:
        return self.app.tasks[f"shop.{name}"]

    def post(self, task: str, job_id: str, args: list[str], header: str) -> None:
        """Put a message on the queue as anybody could who reaches the broker."""
        message = self.app.amqp.as_task_v2(job_id, task, args, {})
        queue = self.app.conf.task_default_queue
        with self.app.producer_or_acquire() as producer:
            headers = message.headers | {HEADER: header}
            producer.publish(message.body, headers=headers, exchange=queue, routing_key=queue, serializer="json")


@pytest.fixture(scope="module")
def emitter() -> Emitter:
    """The emitter of both shops, as of one process whose tasks go over two brokers."""
    return make_emitter()


@pytest.fixture(
    scope="module",
    params=["amqp", "redis"],
)
def shop(request: pytest.FixtureRequest, start_worker: StartWorker, emitter: Emitter) -> Iterator[Shop]:
    """A shop with a worker of two children."""
    broker = f"amqp://guest:guest@{require_rabbitmq()}//" if request.param == "amqp" else f"redis://{require_redis()}/9"
    queue = fresh_name()
    options = ("--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat")
    runs, worker = start_worker(
        *("-m", "celery", "-A", "tests.jobs.celery_shop", "worker", "-l", "INFO", *options),
        WORKER_BROKER=broker,
        WORKER_QUEUE=queue,
    )
    worker.wait_for("ready.")
    app = make_app(broker, queue, emitter)
    yield Shop(app, emitter, runs)
    app.close()


def test_a_task_is_for_whoever_queued_it(shop: Shop) -> None:
    """User, account and session; and the next task in the same child is for nobody again."""
    assert as_shopper(shop.runs, shop.task("ran").delay) == SHOPPER
    assert [who(shop.runs.of(shop.task("ran").delay)) for _ in range(4)] == [NOBODY] * 4


def test_a_failed_task_lets_go(shop: Shop) -> None:
    """Of the identity, like any other."""
    assert [as_shopper(shop.runs, shop.task("fails").delay) for _ in range(2)] == [SHOPPER] * 2
    assert [who(shop.runs.of(shop.task("ran").delay)) for _ in range(4)] == [NOBODY] * 4


def test_tasks_sent_by_name(shop: Shop) -> None:
    """As from a process that does not have their code."""
    assert as_shopper(shop.runs, lambda name: shop.app.send_task("shop.ran", (name,))) == SHOPPER


def test_a_time_to_run_at(shop: Shop) -> None:
    """The worker holds such a task back itself."""
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)

    assert as_shopper(shop.runs, lambda name: shop.task("ran").apply_async((name,), eta=at)) == SHOPPER


def test_retries_are_for_the_same_person(shop: Shop) -> None:
    """And keep the headers of others."""
    name = marker()
    with shopping():
        shop.task("again").apply_async((name,), headers={"sentry-trace": "1-2"})
    runs = shop.runs.wait(name, 3)

    assert sorted(run["attempt"] for run in runs) == [0, 1, 2]
    assert [(who(run), run["kept"]) for run in runs] == [(SHOPPER, "1-2")] * 3


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        pytest.param({"sentry-trace": "1-2"}, {"sentry-trace": "1-2"}, id="flat"),
        pytest.param({"headers": {"traceparent": "00-1"}, "sentry-trace": "1-2"}, {"traceparent": "00-1"}, id="nested"),
    ],
)
def test_headers_of_others_arrive(shop: Shop, given: dict[str, Any], seen: dict[str, str]) -> None:
    """At the place where their tool put them; Celery shows nested ones instead of all others."""
    name = marker()
    with shopping():
        shop.task("ran").apply_async((name,), headers=given)
    [run] = shop.runs.wait(name)

    assert (who(run), run["trace"]) == (SHOPPER, "1-2")
    assert {key: value for key, value in run["headers"].items() if key in seen} == seen


def test_the_older_message_protocol(shop: Shop) -> None:
    """Task id and headers lie elsewhere in it."""
    app = make_app(shop.app.conf.broker_url, shop.app.conf.task_default_queue, shop.emitter, task_protocol=1)
    assert as_shopper(shop.runs, app.tasks["shop.ran"].delay) == SHOPPER
    app.close()


def test_canvas(shop: Shop) -> None:
    """Each task of a chain, a group or behind a callback is for the same person."""
    ran, name = shop.task("ran"), marker()
    with shopping():
        chain(ran.si(name), ran.si(name), ran.si(name)).apply_async()
        group(ran.si(name), ran.si(name)).apply_async()
        ran.apply_async((name,), link=ran.si(name))

    assert [who(run) for run in shop.runs.wait(name, 7)] == [SHOPPER] * 7


def test_tasks_queue_tasks(shop: Shop) -> None:
    """For the same person."""
    assert as_shopper(shop.runs, shop.task("queues").delay) == SHOPPER


def test_what_a_task_says_wins(shop: Shop) -> None:
    """As in any `identify()` block; another user gets neither account nor session of who queued it."""
    assert as_shopper(shop.runs, shop.task("explicit").delay) == Identity(usr="inner")


@pytest.mark.parametrize(
    ("task", "headers"),
    [
        pytest.param("private", {}, id="task"),
        pytest.param("ran", {HEADER: False}, id="call"),
    ],
)
def test_opting_out(shop: Shop, task: str, headers: dict[str, Any]) -> None:
    """Of a task, or of one call."""
    assert as_shopper(shop.runs, lambda name: shop.task(task).apply_async((name,), headers=headers)) == NOBODY


def test_a_header_of_another_job_is_worth_nothing(shop: Shop) -> None:
    """The job runs for nobody, and the worker counts it."""
    name = marker()
    with shopping():
        header = IdentityCarrier(shop.emitter).header("shop.ran", "job-1")
    assert header

    shop.post("shop.ran", "job-2", [name], header)
    [run] = shop.runs.wait(name)

    assert (who(run), run["lost"]["forged"] >= 1) == (NOBODY, True)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(FOUR_HOURS - 60, SHOPPER, id="in time"),
        pytest.param(FOUR_HOURS + 60, Identity(usr=SHOPPER.usr, account=SHOPPER.account), id="session over"),
        pytest.param(7 * 24 * 3600 + 60, NOBODY, id="too old"),
    ],
)
def test_old_jobs(shop: Shop, age: int, expected: Identity) -> None:
    """Claim no session after four hours, and nobody after a week."""
    job_id = marker()
    with shopping():
        header = IdentityCarrier(shop.emitter, clock=lambda: time.time() - age).header("shop.ran", job_id)
    name = marker()
    shop.task("ran").apply_async((name,), task_id=job_id, headers={HEADER: header})

    assert who(shop.runs.wait(name)[0]) == expected


def test_eager_tasks_run_in_the_request(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing travels, nothing is put in force or taken away."""
    emitter = make_emitter(strict=True)
    app = make_app("memory://localhost", fresh_name(), emitter, task_always_eager=True)
    found: list[Identity] = []

    def look() -> None:
        found.append(emitter.integration.identity())

    app.task(look, name="shop.look", shared=False)
    with shopping():
        app.tasks["shop.look"].delay()
        found.append(emitter.integration.identity())

    assert found == [SHOPPER, SHOPPER]
    assert not caplog.records


def test_apps_that_are_not_connected_send_nothing() -> None:
    """Their messages may go to somebody else's queue."""
    app = make_app("memory://localhost", fresh_name(), make_emitter())
    other: Any = Celery("other", broker="memory://localhost")
    sent: dict[str, Any] = {}

    def note(sender: str, headers: dict[str, Any], **_: Any) -> None:
        sent[sender] = headers.get(HEADER)

    after_task_publish.connect(note)
    with shopping():
        app.tasks["shop.ran"].delay("1")
        other.send_task("other.ran")
    after_task_publish.disconnect(note)

    assert str(sent["shop.ran"]).startswith("1.")
    assert sent["other.ran"] is None


def test_the_app_that_sends_decides() -> None:
    """Whichever others have a task of that name, and whichever is Celery's current one in this thread."""
    ours, theirs = make_emitter(job_secret="o" * 32), make_emitter(job_secret="t" * 32)
    app = make_app("memory://localhost", fresh_name(), ours)
    beside = make_app("memory://localhost", fresh_name(), theirs)
    other: Any = Celery("other", broker="memory://localhost", set_as_current=False)
    sent: list[tuple[str, str, Any]] = []

    def note(sender: str, headers: dict[str, Any], **_: Any) -> None:
        sent.append((sender, headers["id"], headers.get(HEADER)))

    after_task_publish.connect(note)
    before = current_app._get_current_object()
    beside.set_current()
    try:
        with shopping():
            app.tasks["shop.ran"].delay("1")
            app.send_task("of.nobody", ("1",))
            other.send_task("shop.ran", ("1",))
    finally:
        before.set_current()
        after_task_publish.disconnect(note)

    seal = Seal(ours.settings.reveal_job_secrets())
    read = [None if header is None else seal.read(header, task, job_id) for task, job_id, header in sent]
    assert [None if carried is None else carried.usr for carried in read] == [SHOPPER.usr, SHOPPER.usr, None]
    assert sent[-1][-1] is None
