"""What waits for a transaction to commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from weakref import WeakSet

from django.db.backends.base.base import BaseDatabaseWrapper

from dd_pa import Emitter, Event, test_run, trail
from dd_pa.signals import event_queued, send

_of_tests: WeakSet[BaseDatabaseWrapper] = WeakSet()
"""Connections that events have waited for in a test run. An async test cannot find them: they belong to a thread."""


class Submission:
    """Submits a built event when it is called: by Django, on commit."""

    __slots__ = ("emitter", "event")

    def __init__(self, emitter: Emitter, event: Event) -> None:
        self.emitter = emitter
        self.event = event

    def __call__(self) -> None:
        self.emitter.submit(self.event)


class Announcement:
    """Says, when it is called on commit, that a built event has been stored in the outbox."""

    __slots__ = ("emitter", "event")

    def __init__(self, emitter: Emitter, event: Event) -> None:
        self.emitter = emitter
        self.event = event

    def __call__(self) -> None:
        send(event_queued, self.emitter, event=self.event)


def waits_in(connection: BaseDatabaseWrapper, event: Event) -> Callable[[], bool]:
    """Return what tells whether an event still waits for a connection's transaction. It may be asked in any thread."""
    return partial(_is_waiting, connection, event)


def _is_waiting(connection: BaseDatabaseWrapper, event: Event) -> bool:
    entries: list[Any] = list(connection.run_on_commit)
    return any(getattr(call, "event", None) is event for _, call, *_ in entries)


def submit_on_commit(emitter: Emitter, event: Event, connection: BaseDatabaseWrapper) -> None:
    """Submit an event when the connection's transaction commits, and forget it if it is rolled back."""
    connection.on_commit(Submission(emitter, event), robust=True)
    if trail.watching:
        trail.waits(event, waits_in(connection, event))
    if test_run.watching:
        _of_tests.add(connection)


def find_waiting() -> Iterator[tuple[Emitter, Event]]:
    """Yield what only waits for the transaction in which a `TestCase` runs, and which never commits.

    Blocks of `atomic()` that are still open around an event may be rolled back yet, so those wait as they would outside
    of a test.
    """
    for connection in list(_of_tests):
        blocks: list[Any] = connection.atomic_blocks
        of_test = sum(block._from_testcase for block in blocks)
        if not of_test:
            continue
        still_open = set(connection.savepoint_ids[of_test - 1 :]) - {None}  # the first block has no savepoint
        entries: list[Any] = list(connection.run_on_commit)
        for savepoints, submission, *_ in entries:
            if isinstance(submission, Submission) and not still_open & savepoints:
                yield submission.emitter, submission.event


test_run.waiting.append(find_waiting)
