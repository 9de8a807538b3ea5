"""Identity in the headers of Celery's messages."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery, current_app
from celery.signals import before_task_publish, task_postrun, task_prerun

from dd_pa.jobs.carrier import HEADER, EmitterOrGetter, IdentityCarrier

_carriers: WeakKeyDictionary[Any, IdentityCarrier] = WeakKeyDictionary()

_BEFORE = "_dd_pa_before"


def connect_celery(app: Celery, emitter: EmitterOrGetter) -> None:
    """Send the identity of whoever queues a task of this app along, and restore it while the task runs.

    Call it where the app is made, so that workers do so too. A task is left alone by `@app.task(dd_pa_identity=False)`,
    a single call by `headers={"dd_pa_identity": False}`. Headers of others are not touched. Calling it again replaces
    the emitter.
    """
    _carriers[app] = IdentityCarrier(emitter)
    before_task_publish.connect(_publish, dispatch_uid="dd_pa.jobs.celery")
    task_prerun.connect(_begin, dispatch_uid="dd_pa.jobs.celery")
    task_postrun.connect(_end, dispatch_uid="dd_pa.jobs.celery")


def _owners(task: str) -> list[Any]:
    return [app for app in _carriers if task in app.tasks]


def _publishing_app(task: str) -> Any:
    """Return the connected app that publishes, or None. Celery does not say, and its current app is one per thread."""
    owners = _owners(task)
    if owners and len({id(_carriers[app].emitter) for app in owners}) == 1:  # whichever it is, the header is one
        return owners[0]
    current = current_app._get_current_object()
    if current in _carriers:
        return current
    return next(iter(_carriers)) if _is_fallback(current) and len(_carriers) == 1 else None


def _is_fallback(current: Any) -> bool:
    """Tell whether a thread has set no app, as a web server's."""
    return bool(current.main == "default")


def _count_lost(task: str) -> None:
    """Count a lost identity, once for each emitter that may have had to send it."""
    current, owners = current_app._get_current_object(), _owners(task)
    if not _is_fallback(current) and (not owners or task in current.tasks):  # of an app that is not connected
        return
    if any(_is_left_alone(app.tasks[task]) for app in owners):
        return
    for carrier in {id(_carriers[app].emitter): _carriers[app] for app in owners or _carriers}.values():
        carrier.lose("unknown_app")


def _publish(sender: str, headers: MutableMapping[str, Any], body: Any, **_: Any) -> None:
    present = headers.get(HEADER)
    if present is False:
        return
    app = _publishing_app(sender)
    if app is None:
        if present is None:
            _count_lost(sender)
        return
    if _is_left_alone(app.tasks.get(sender)):
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
