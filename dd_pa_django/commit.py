"""What waits for a transaction to commit."""

from __future__ import annotations

import weakref
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
    """Submits a built event when it is called: by Django, on commit. Once, whoever calls it again."""

    __slots__ = ("emitter", "event", "is_done")

    def __init__(self, emitter: Emitter, event: Event) -> None:
        self.emitter = emitter
        self.event = event
        self.is_done = False

    def __call__(self) -> None:
        if not self.is_done:
            self.is_done = True
            self.act()

    def act(self) -> None:
        """Do what is due on commit."""
        self.emitter.submit(self.event)


class Announcement(Submission):
    """Says, when it is called on commit, that a built event has been stored in the outbox."""

    __slots__ = ()

    def act(self) -> None:
        """Send `event_queued`."""
        send(event_queued, self.emitter, event=self.event)


def waits_in(connection: BaseDatabaseWrapper, event: Event) -> Callable[[], bool]:
    """Return what tells whether an event still waits for a connection's transaction. It may be asked in any thread."""
    return partial(_is_waiting, connection, event)


def _is_waiting(connection: BaseDatabaseWrapper, event: Event) -> bool:
    entries: list[Any] = list(connection.run_on_commit)
    return any(getattr(call, "event", None) is event for _, call, *_ in entries)


def submit_on_commit(emitter: Emitter, event: Event, connection: BaseDatabaseWrapper) -> None:
    """Submit an event when the connection's transaction commits, and forget it if it is rolled back."""
    call_on_commit(Submission(emitter, event), connection)


def call_on_commit(submission: Submission, connection: BaseDatabaseWrapper) -> None:
    """Call a submission when the connection's transaction commits, whatever hooks of others do then."""
    connection.on_commit(submission, robust=True)
    _outlast_others(connection)
    if isinstance(submission, Announcement):
        return
    if trail.watching:
        trail.waits(submission.event, waits_in(connection, submission.event))
    if test_run.watching:
        _of_tests.add(connection)


def _outlast_others(connection: BaseDatabaseWrapper) -> None:
    """Have our hooks run although one of somebody else's raises: Django forgets all that come after it."""
    known: Any = connection
    if "run_and_clear_commit_hooks" in vars(known):
        return
    weakly = weakref.ref(connection)

    def run_and_clear_commit_hooks() -> None:
        found: Any = weakly()
        ours = [call for _, call, *_ in found.run_on_commit if isinstance(call, Submission)]
        try:
            type(found).run_and_clear_commit_hooks(found)
        except BaseException:  # it goes on its way; the transaction has committed all the same
            for call in ours:
                call()
            raise

    known.run_and_clear_commit_hooks = run_and_clear_commit_hooks


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
            is_event = isinstance(submission, Submission) and not isinstance(submission, Announcement)
            if is_event and not still_open & savepoints:
                yield submission.emitter, submission.event


test_run.waiting.append(find_waiting)
