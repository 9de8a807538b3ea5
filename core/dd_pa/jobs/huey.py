"""Identity in the keyword arguments of Huey's tasks, whose messages hold nothing else; taken out before they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from huey import signals
from huey.api import Huey

from dd_pa.jobs.identity_carrier import HEADER, EmitterOrGetter, IdentityCarrier

_carriers: WeakKeyDictionary[Any, IdentityCarrier] = WeakKeyDictionary()

_BEFORE = "_dd_pa_before"
_TAKEN_OUT = "_dd_pa_header"


def connect_huey(huey: Huey, emitter: EmitterOrGetter) -> None:
    """Send the identity of whoever queues a task along, and restore it while the task runs.

    Call it where the instance is made, which web processes and consumers share. Restart the consumers first: one that
    does not know of this calls the function with an argument that it does not have. A task is left alone by
    `@huey.task(dd_pa_identity=False)`. Calling it again replaces the emitter.
    """
    if huey not in _carriers:
        huey.signal(signals.SIGNAL_ENQUEUED)(lambda _, task: _enqueue(huey, task))
        huey.signal(signals.SIGNAL_RETRYING)(lambda _, task: _put_back(task))
        huey.signal(signals.SIGNAL_CANCELED, signals.SIGNAL_INTERRUPTED)(lambda _, task, *rest: _end(huey, task))
        huey.pre_execute("dd_pa_identity")(lambda task: _begin(huey, task))
        huey.post_execute("dd_pa_identity")(lambda task, value, error: _end(huey, task))
    _carriers[huey] = IdentityCarrier(emitter)


def _enqueue(huey: Huey, task: Any) -> None:
    if huey.immediate:  # it runs in the request
        return
    for each in _family(task):
        if getattr(each, HEADER, True) is not False:
            others = {key: value for key, value in each.kwargs.items() if key != HEADER}
            header = _carriers[huey].header(_name(each), each.id, each.kwargs.get(HEADER))
            each.kwargs = others if header is None else others | {HEADER: header}


def _family(task: Any) -> Iterator[Any]:
    """Yield a task and all that follow it: a worker queues those when nobody's identity is in force any more."""
    chord = task.chord_config
    yield task
    for following in (task.on_complete, task.on_error, chord.callback if chord else None):
        if following is not None:
            yield from _family(following)


def _name(task: Any) -> str:
    return f"{type(task).__module__}.{type(task).__name__}"


def _begin(huey: Huey, task: Any) -> None:
    header = task.kwargs.get(HEADER)
    if header is None and huey.immediate:  # it runs in the request
        return
    if header is not None:
        task.kwargs = {key: value for key, value in task.kwargs.items() if key != HEADER}
        setattr(task, _TAKEN_OUT, header)
    setattr(task, _BEFORE, _carriers[huey].begin(header, _name(task), task.id))


def _put_back(task: Any) -> None:
    header = getattr(task, _TAKEN_OUT, None)
    if header is not None:
        task.kwargs = {**task.kwargs, HEADER: header}


def _end(huey: Huey, task: Any) -> None:
    _carriers[huey].end(task.__dict__.pop(_BEFORE, None))
