"""Events that wait for a transaction to commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from weakref import WeakSet

from django.db.backends.base.base import BaseDatabaseWrapper

from dd_pa import BuiltEvent, Emitter
from dd_pa.observe import panel_log
from dd_pa.observe.signals import event_queued, send
from dd_pa.process import testbed
from dd_pa_django.transaction_block import TransactionBlock, blocks_of, when_committed

_of_tests: WeakSet[BaseDatabaseWrapper] = WeakSet()
"""Connections that events have waited for in a test run. An async test cannot find them: they belong to a thread."""


class Submission:
    """Submits built events when it is called: by their block, on commit."""

    __slots__ = ("emitter", "events")

    def __init__(self, emitter: Emitter, events: Sequence[BuiltEvent]) -> None:
        self.emitter = emitter
        self.events = events

    def __call__(self) -> None:
        """Submit each, also if one fails before it, as it does in strict mode."""
        self.emitter.integration.submit_all(self.events)


class Announcement(Submission):
    """Says, when it is called on commit, that built events have been stored in the outbox."""

    __slots__ = ()

    def __call__(self) -> None:
        for event in self.events:
            send(event_queued, self.emitter, event=event)


def waits_in(connection: BaseDatabaseWrapper, event: BuiltEvent) -> Callable[[], bool]:
    """Return what tells whether an event still waits for a connection's transaction. It may be asked in any thread."""
    return partial(_is_waiting, connection, event)


def _is_waiting(connection: BaseDatabaseWrapper, event: BuiltEvent) -> bool:
    return any(_holds(block, event) for block in blocks_of(connection))


def _holds(block: TransactionBlock, event: BuiltEvent) -> bool:
    return any(event is item for _, call in block.waiting for item in getattr(call, "events", ()))


def submit_on_commit(emitter: Emitter, events: Sequence[BuiltEvent], connection: BaseDatabaseWrapper) -> None:
    """Submit events when the connection's transaction commits, and forget them if it is rolled back."""
    call_on_commit(Submission(emitter, events), connection)


def call_on_commit(submission: Submission, connection: BaseDatabaseWrapper) -> None:
    """Call a submission when the connection's transaction commits, whatever hooks of others do then."""
    when_committed(connection, submission)
    if isinstance(submission, Announcement):
        return
    if panel_log.watching:
        for event in submission.events:
            panel_log.waits(event, waits_in(connection, event))
    if testbed.watching:
        _of_tests.add(connection)


def find_waiting() -> Iterator[tuple[Emitter, BuiltEvent]]:
    """Yield what only waits for the transaction in which a `TestCase` runs, and which never commits.

    Blocks of `atomic()` that are still open around an event may be rolled back yet, so those wait as they would outside
    of a test.
    """
    for connection in list(_of_tests):
        atomics: list[Any] = connection.atomic_blocks
        of_test = sum(atomic._from_testcase for atomic in atomics)
        if not of_test:
            continue
        still_open = set(connection.savepoint_ids[of_test - 1 :]) - {None}  # the first block has no savepoint
        for savepoints, call in (item for block in blocks_of(connection) for item in block.waiting):
            if not isinstance(call, Submission) or isinstance(call, Announcement):
                continue
            if still_open.isdisjoint(savepoints):
                yield from ((call.emitter, event) for event in call.events)


testbed.waiting.append(find_waiting)
