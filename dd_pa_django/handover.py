"""Where built events go: at once to the emitter, there on commit, or into the outbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from dd_pa import BuiltEvent, Emitter, EventError
from dd_pa.observe import panel_log
from dd_pa.observe.signals import event_queued
from dd_pa.process import testbed
from dd_pa_django.commit import Announcement, Submission, call_on_commit, submit_on_commit, waits_in
from dd_pa_django.database_connection import connection_of

_event_batch: ContextVar[EventBatch | None] = ContextVar("dd_pa_django_together", default=None)


def hand_over(emitter: Emitter, event: BuiltEvent, *, on_commit: bool | None = None, using: str | None = None) -> bool:
    """Let a built event go as `track` does: at once, with the open transaction, or into the outbox.

    Returns False if it was dropped. With the outbox, raises what the database raises if the transaction is spoiled.
    """
    settings = emitter.settings
    waits = settings.on_commit if on_commit is None else on_commit
    if settings.strict and using is not None and using not in connections:
        raise EventError("using", f"there is no database {using!r} in DATABASES")
    transaction = open_transaction(using) if waits else None
    if waits and settings.outbox and not testbed.is_capturing(emitter):
        collected = _event_batch.get()
        if collected is not None and collected.takes(emitter, event, transaction):
            return True
        return _keep(emitter, [event], transaction, using)
    return _let_go(emitter, [event], transaction)


def hand_over_all(emitter: Emitter, events: Sequence[BuiltEvent], *, using: str, has_failed: bool = False) -> None:
    """Let the events of one operation on the database `using` go, as `hand_over` does one of them.

    An operation that has failed, perhaps by a query, writes no more: in a transaction they wait for its commit, if any.
    """
    if not events:
        return
    settings = emitter.settings
    transaction = open_transaction(using) if settings.on_commit else None
    stores = settings.on_commit and settings.outbox and not testbed.is_capturing(emitter)
    if stores and not (has_failed and transaction is not None):
        _keep(emitter, events, transaction, using)
    else:
        _let_go(emitter, events, transaction)


def _let_go(emitter: Emitter, events: Sequence[BuiltEvent], transaction: BaseDatabaseWrapper | None) -> bool:
    if transaction is None:
        return emitter.integration.submit_all(events)
    submit_on_commit(emitter, events, transaction)
    return True


def _keep(
    emitter: Emitter, events: Sequence[BuiltEvent], transaction: BaseDatabaseWrapper | None, using: str | None = None
) -> bool:
    """Store events in the outbox; those of a database without one go there when its transaction has committed."""
    from dd_pa_django.outbox import writer  # noqa: PLC0415 - has a model, and is for those who use it

    if transaction is not None and transaction.needs_rollback:  # nothing can be written, and nothing will be committed
        return _let_go(emitter, events, transaction)
    if transaction is not None and not writer.may_have_table(transaction.alias):
        call_on_commit(LateStoring(emitter, events), transaction)
        return True
    connection = transaction or writer.connection_for(using)
    return _is_stored(emitter, events, connection, transaction) or _let_go(emitter, events, transaction)


def _is_stored(
    emitter: Emitter,
    events: Sequence[BuiltEvent],
    connection: BaseDatabaseWrapper,
    transaction: BaseDatabaseWrapper | None,
) -> bool:
    from dd_pa_django.outbox import writer  # noqa: PLC0415

    try:
        writer.write(events, connection)
    except SynchronousOnlyOperation as error:
        if emitter.settings.strict:
            raise EventError("", "cannot be stored in the outbox in async code: use await atrack(…)") from error
        emitter.integration.say("outbox async", "an event left without the outbox: use await atrack(…) in async code")
        return False
    except Error as error:
        spoiled = transaction is not None and not isinstance(error, writer.MissingTableError)
        if spoiled or emitter.settings.strict:
            raise
        # The database's own words may quote the event.
        problem = error if isinstance(error, writer.MissingTableError) else type(error).__name__
        emitter.integration.say("outbox", "an event left without the outbox, which cannot be written: %s", problem)
        return False
    _note_stored(emitter, events, transaction)
    return True


def _note_stored(emitter: Emitter, events: Sequence[BuiltEvent], transaction: BaseDatabaseWrapper | None) -> None:
    if panel_log.watching:
        for event in events:
            panel_log.stored(event, None if transaction is None else waits_in(transaction, event))
    if not event_queued.receivers:
        return
    announce = Announcement(emitter, events)
    if transaction is None:
        announce()
    else:
        call_on_commit(announce, transaction)


class LateStoring(Submission):
    """Stores events when the transaction of a database has committed in which routers allow no outbox.

    They are rows of the outbox's own database then; not so in a transaction there, with which they have nothing to do.
    """

    __slots__ = ()

    def __call__(self) -> None:
        """Store them, or submit them if that fails: what they tell of is committed."""
        from dd_pa_django.outbox import writer  # noqa: PLC0415

        home = writer.connection_for(None)
        try:
            if not home.in_atomic_block and writer.may_have_table(home.alias):
                writer.write(self.events, home)
                _note_stored(self.emitter, self.events, None)
                return
        except Error as error:
            self.emitter.integration.say(
                "outbox", "an event left without the outbox, which failed: %s", type(error).__name__
            )
        super().__call__()


class EventBatch:
    """Events of one piece of bulk work, inserted by few statements when it is done."""

    def __init__(self, transaction: BaseDatabaseWrapper | None, using: str) -> None:
        self._transaction = transaction
        self._using = using
        self._savepoints = _savepoints(transaction)
        self._events: list[BuiltEvent] = []
        self._emitter: Emitter | None = None

    def takes(self, emitter: Emitter, event: BuiltEvent, transaction: BaseDatabaseWrapper | None) -> bool:
        """Take an event, unless it belongs to another transaction, or to a savepoint within this one."""
        if transaction is not self._transaction or _savepoints(transaction) != self._savepoints:
            return False
        self._emitter = emitter
        self._events.append(event)
        return True

    def keep(self) -> None:
        """Store what was taken."""
        if self._emitter is not None:
            _keep(self._emitter, self._events, self._transaction, self._using)


def _savepoints(transaction: BaseDatabaseWrapper | None) -> list[str | None]:
    return [] if transaction is None else list(transaction.savepoint_ids)


@contextmanager
def event_batch(using: str) -> Iterator[None]:
    """Store the events that are tracked in this block for `using` at its end. Without the outbox it changes nothing.

    If the block raises inside of a transaction, they are gone: that must be rolled back then.
    """
    transaction = open_transaction(using)
    collected = EventBatch(transaction, using)
    token = _event_batch.set(collected)
    is_good = False
    try:
        yield
        is_good = True
    finally:
        _event_batch.reset(token)
        if is_good or transaction is None:
            collected.keep()


def open_transaction(using: str | None) -> BaseDatabaseWrapper | None:
    """Return this thread's connection to `using` if it is inside `atomic()`; with None, that of any database that is.

    Connects to no database.
    """
    alias = DEFAULT_DB_ALIAS if using is None else using
    if alias in connections:
        found = connection_of(alias)
        if found.in_atomic_block:
            return found
    if using is not None or len(connections.settings) == 1:
        return None
    return next((item for item in connections.all(initialized_only=True) if item.in_atomic_block), None)


_connected: WeakSet[BaseDatabaseWrapper] = WeakSet()
"""Connections that this process has opened, of all threads."""


def _note(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    _connected.add(connection)


def watch_connections() -> None:
    """Know of each connection from now on, and of those that are open. Called when Django is set up."""
    connection_created.connect(_note, dispatch_uid="dd_pa_django.handover")
    _connected.update(connections.all(initialized_only=True))


def has_open_transactions() -> bool:
    """Tell whether any thread of this process is inside `atomic()`: async code cannot ask which is behind its task."""
    while True:
        try:
            return any(connection.in_atomic_block for connection in _connected)
        except RuntimeError:  # another thread has connected meanwhile
            continue
