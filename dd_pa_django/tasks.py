"""Identity with Django's own tasks (`django.tasks`, or `django_tasks` before Django 6).

A task has no place for anything but its arguments, so the identity travels as one more keyword argument, which is
taken out before the function is called.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from dd_pa.jobs import HEADER, IdentityCarrier
from dd_pa_django.emitter import find_emitter
from dd_pa_django.tracking import load_current_user

_carrier = IdentityCarrier(find_emitter)


def identity_backend(alias: str, params: dict[str, Any]) -> Any:
    """Make the task backend that `OPTIONS["BACKEND"]` names, which sends along the identity of whoever queues a task.

    To be named as the `BACKEND` in `TASKS`; the other options are the real backend's. A task is left alone if its
    function has an attribute `dd_pa_identity` that is False. The keyword argument shows in `TaskResult.kwargs`.
    """
    options = dict(params.get("OPTIONS", {}))
    path = options.pop("BACKEND", None)
    if not isinstance(path, str):
        raise ImproperlyConfigured(f"TASKS[{alias!r}]['OPTIONS']['BACKEND']: must be the dotted path of a task backend")
    return _carrying(import_string(path))(alias=alias, params={**params, "BACKEND": path, "OPTIONS": options})


@functools.cache
def _carrying(backend_class: Any) -> Any:
    class IdentityTask(backend_class.task_class):  # type: ignore[misc]  # the backend's own, whatever it is
        __slots__ = ()

        def call(self, *args: Any, **kwargs: Any) -> Any:
            with _restored(self, args, kwargs) as others:
                return super().call(*args, **others)

        async def acall(self, *args: Any, **kwargs: Any) -> Any:
            with _restored(self, args, kwargs) as others:
                return await super().acall(*args, **others)

    class IdentityBackend(backend_class):  # type: ignore[misc]
        task_class = IdentityTask

        def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
            # A task that was declared for another backend would hand the argument on to its function.
            carried = _with_header(task, args, kwargs) if isinstance(task, IdentityTask) else kwargs
            return super().enqueue(task, args, carried)

        async def aenqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
            emitter = find_emitter()
            if emitter is not None:
                await load_current_user(emitter)
            # In a thread, as ACCOUNT_ID and its like may query the database.
            carried = (
                await sync_to_async(_with_header)(task, args, kwargs) if isinstance(task, IdentityTask) else kwargs
            )
            return await super().aenqueue(task, args, carried)

    return IdentityBackend


def _with_header(task: Any, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    if getattr(task.func, HEADER, True) is False:
        return kwargs
    others = {key: value for key, value in kwargs.items() if key != HEADER}
    header = _carrier.header(task.module_path, _digest(args, others), kwargs.get(HEADER))
    return others if header is None else others | {HEADER: header}


@contextmanager
def _restored(task: Any, args: Any, kwargs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Put in force whom a task is for; give the arguments that its function has."""
    others = {key: value for key, value in kwargs.items() if key != HEADER}
    given = args[1:] if task.takes_context else args
    with _carrier.restored(kwargs.get(HEADER), task.module_path, _digest(given, others)):
        yield others


def _digest(args: Any, kwargs: dict[str, Any]) -> str:
    """Return what stands for the job's id, which only the backend knows: the arguments as JSON brings them."""
    plain = json.loads(json.dumps([list(args), kwargs], default=str))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
