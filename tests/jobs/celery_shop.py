"""A Celery application, for the worker and for the test that queues its tasks."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from celery import Celery

from dd_pa import Emitter, Settings, identify
from dd_pa.jobs import HEADER
from dd_pa.jobs.celery import connect_celery
from tests.jobs.journey import run

kombu: Any = import_module("kombu")  # which is typed in part only


def make_app(broker: str, queue: str, emitter: Emitter, **conf: Any) -> Any:
    """Return a connected app with its tasks."""
    app: Any = Celery("shop", broker=broker, set_as_current=False)
    exchange = kombu.Exchange(queue, auto_delete=True)
    app.conf.task_queues = [kombu.Queue(queue, exchange, routing_key=queue, expires=300)]
    app.conf.update(task_default_queue=queue, broker_connection_retry_on_startup=True, **conf)
    app.conf.update(worker_enable_remote_control=False, worker_send_task_events=False, task_ignore_result=True)
    connect_celery(app, emitter)
    _add_tasks(app, emitter)
    return app


def _add_tasks(app: Any, emitter: Emitter) -> None:
    def ran(task: Any, marker: str) -> str:
        headers = {key: value for key, value in (task.request.headers or {}).items() if key != HEADER}
        run(emitter, marker, headers=headers, trace=task.request.get("sentry-trace"))
        return marker

    def again(task: Any, marker: str) -> None:
        run(emitter, marker, attempt=task.request.retries, kept=task.request.get("sentry-trace"))
        if task.request.retries < 2:
            raise task.retry(countdown=0)

    def fails(marker: str) -> None:
        run(emitter, marker)
        raise ValueError("as it should")

    def queues(marker: str) -> None:
        app.tasks["shop.ran"].delay(marker)

    def explicit(marker: str) -> None:
        with identify(usr="inner"):
            run(emitter, marker)

    app.task(ran, name="shop.ran", shared=False, bind=True)
    app.task(ran, name="shop.private", shared=False, bind=True, dd_pa_identity=False)
    app.task(again, name="shop.again", shared=False, bind=True, max_retries=2)
    app.task(fails, name="shop.fails", shared=False, throws=(ValueError,))
    app.task(queues, name="shop.queues", shared=False)
    app.task(explicit, name="shop.explicit", shared=False)


if "WORKER_BROKER" in os.environ:
    app = make_app(os.environ["WORKER_BROKER"], os.environ["WORKER_QUEUE"], Emitter(Settings.from_env()))
