"""Identity in the headers of Celery's messages."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextvars import ContextVar
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery
from celery.signals import before_task_publish, task_postrun, task_prerun

from dd_pa.jobs.identity_carrier import HEADER, EmitterOrGetter, IdentityCarrier

_carriers: WeakKeyDictionary[Any, IdentityCarrier] = WeakKeyDictionary()

_sending: ContextVar[Any] = ContextVar("dd_pa_sending", default=None)
"""The connected app that sends a task here."""

_BEFORE = "_dd_pa_before"


def connect_celery(app: Celery, emitter: EmitterOrGetter) -> None:
    """Send the identity of whoever queues a task of this app along, and restore it while the task runs.

    Call it where the app is made, so that workers do so too. A task is left alone by `@app.task(dd_pa_identity=False)`,
    a single call by `headers={"dd_pa_identity": False}`. Headers of others are not touched. Calling it again replaces
    the emitter.
    """
    if app not in _carriers:
        _follow_sending(app)
    _carriers[app] = IdentityCarrier(emitter)
    before_task_publish.connect(_publish, dispatch_uid="dd_pa.jobs.celery")
    task_prerun.connect(_begin, dispatch_uid="dd_pa.jobs.celery")
    task_postrun.connect(_end, dispatch_uid="dd_pa.jobs.celery")


def _follow_sending(app: Any) -> None:
    """Note that this app sends while it does: Celery's signal does not say which one, and several may have a task."""
    send = app.send_task

    @wraps(send)
    def send_task(*args: Any, **kwargs: Any) -> Any:
        before = _sending.set(app)
        try:
            return send(*args, **kwargs)
        finally:
            _sending.reset(before)

    app.send_task = send_task


def _publish(sender: str, headers: MutableMapping[str, Any], body: Any, **_: Any) -> None:
    app, present = _sending.get(), headers.get(HEADER)
    if app is None or present is False or _is_left_alone(app.tasks.get(sender)):
        return
    carrier = _carriers[app]
    job_id = headers.get("id") or body["id"]  # protocol 1 keeps it in the body
    header = carrier.header(sender, str(job_id), present)
    if header is not None:
        headers[HEADER] = header
    else:
        headers.pop(HEADER, None)


def _is_left_alone(task: Any) -> bool:
    return getattr(task, HEADER, True) is False


def _begin(task: Any, task_id: str, **_: Any) -> None:
    request, carrier = task.request, _carriers.get(task.app)
    if carrier is None or request.is_eager:  # eager: the caller's identity is in force
        return
    header = None if _is_left_alone(task) else _header_of(request)
    setattr(request, _BEFORE, carrier.begin(header, task.name, str(task_id)))


def _header_of(request: Any) -> object:
    """Return our header. Where another tool nests headers in `headers`, Celery's own view of them leaves ours out."""
    header = request.get(HEADER)
    return (request.headers or {}).get(HEADER) if header is None else header


def _end(task: Any, **_: Any) -> None:
    carrier = _carriers.get(task.app)
    if carrier is not None:
        carrier.end(task.request.get(_BEFORE))
