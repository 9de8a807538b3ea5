"""Events that wait for the commit of their session's transaction, or of the savepoint in which they came to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlalchemy.event import listens_for
from sqlalchemy.orm import Session, SessionTransaction

from dd_pa.capture.batch import Build
from dd_pa.capture.event import BuiltEvent
from dd_pa.emitter import Emitter
from dd_pa.observe import panel_log
from dd_pa.observe.signals import event_queued, send
from dd_pa.outbox.sqlalchemy import store

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
    from sqlalchemy.orm import scoped_session

AnySession: TypeAlias = "Session | AsyncSession | scoped_session[Any] | async_scoped_session[Any]"
"""A session, sync or async, as it is or scoped."""

_KEY = "dd_pa"
"""Where a session keeps what waits: in its `info`, which ends with it."""

AfterFlush = Callable[[], None]


class Submits(Protocol):
    """What an event goes to on commit: the integration of its emitter."""

    def submit_all(self, events: Sequence[BuiltEvent], /) -> object: ...


class Announcer:
    """Stands for the emitter of an event that is in the outbox already: on commit, that is only said."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    def submit_all(self, events: Sequence[BuiltEvent]) -> None:
        """Send `event_queued` of each."""
        for event in events:
            send(event_queued, self._emitter, event=event)


class EventBatch:
    """Events of one flush, of one who acts, inserted into the outbox by few statements."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._transaction = innermost(session)
        self._events: list[tuple[Emitter, BuiltEvent]] = []
        self._builders: dict[int, Build] = {}

    def builder(self, emitter: Emitter) -> Build:
        """Return what builds the events of this flush: who acts is found out once."""
        found = self._builders.get(id(emitter))
        if found is None:
            found = self._builders[id(emitter)] = emitter.integration.batch().build
        return found

    def takes(self, emitter: Emitter, event: BuiltEvent) -> bool:
        """Take an event, unless it belongs to a savepoint that was begun meanwhile."""
        if innermost(self._session) is not self._transaction:
            return False
        self._events.append((emitter, event))
        return True

    def keep(self) -> None:
        """Insert what was taken; nearly always of one emitter."""
        for emitter, group in groupby(self._events, key=itemgetter(0)):
            found = [event for _, event in group]
            store(self._session, found, emitter.outbox)
            for event in found:
                _note_stored(self._session, emitter, event)


class PendingEvents:
    """What waits in one session. For the one thread or task that uses the session."""

    def __init__(self) -> None:
        self.after_flush: list[AfterFlush] = []
        """What is to be done when the flush that runs now has succeeded."""

        self.expressions: dict[int, dict[str, Any]] = {}
        """What the flush sets to SQL, and has forgotten when a row is written: entries by `id()` of the instance."""

        self.told: dict[int, set[str]] = {}
        """The columns whose changes in this flush have their event, by `id()` of the instance."""

        self.switched: set[int] = set()
        """Objects of row switches, by `id()`; see `row_switch`."""

        self.together: EventBatch | None = None
        """What goes into the outbox when all events of the flush that ends now are built."""

        self.events: dict[SessionTransaction, list[tuple[Submits, BuiltEvent]]] = {}
        """By the innermost transaction or savepoint that was open when they were built."""


def pending_in(session: Session) -> PendingEvents:
    """Return what waits in a session."""
    found: PendingEvents | None = session.info.get(_KEY)
    if found is None:
        found = session.info[_KEY] = PendingEvents()
    return found


def submit_on_commit(session: AnySession, emitter: Emitter, event: BuiltEvent) -> bool:
    """Submit a built event when the transaction of a session commits; a rollback, to a savepoint too, drops it.

    If it has begun no transaction, there is nothing to wait for: the event leaves at once. Returns False if it was
    dropped. With an outbox (`emitter.outbox`) the event is a row of the transaction, or of one of its own; that raises
    what the database raises, and `TypeError` for an async session.
    """
    own: Any = session() if callable(session) else session
    plain: Session = getattr(own, "sync_session", own)
    transaction = innermost(plain)
    if emitter.outbox is not None:
        if plain is not own:
            raise TypeError("async code stores an event in the outbox by `await aadd(…)` of dd_pa.outbox.sqlalchemy")
        _store(plain, emitter, event)
        return True
    if transaction is None:
        return emitter.integration.submit(event)
    pending_in(plain).events.setdefault(transaction, []).append((emitter.integration, event))
    if panel_log.watching:
        panel_log.waits(event, partial(_is_waiting, plain, event))
    return True


def _store(session: Session, emitter: Emitter, event: BuiltEvent) -> None:
    waiting: PendingEvents | None = session.info.get(_KEY)
    together = None if waiting is None else waiting.together
    if together is not None and together.takes(emitter, event):
        return
    store(session, [event], emitter.outbox)
    _note_stored(session, emitter, event)


def _note_stored(session: Session, emitter: Emitter, event: BuiltEvent) -> None:
    transaction = innermost(session)
    if panel_log.watching:
        panel_log.stored(event, None if transaction is None else partial(_is_waiting, session, event))
    if not event_queued.receivers:
        return
    if transaction is None:
        send(event_queued, emitter, event=event)
    else:
        pending_in(session).events.setdefault(transaction, []).append((Announcer(emitter), event))


def _is_waiting(session: Session, event: BuiltEvent) -> bool:
    waiting: PendingEvents | None = session.info.get(_KEY)
    return waiting is not None and any(item is event for found in list(waiting.events.values()) for _, item in found)


def innermost(session: Session) -> SessionTransaction | None:
    return session.get_nested_transaction() or session.get_transaction()


def around(transaction: SessionTransaction) -> SessionTransaction | None:
    """Return the savepoint or transaction around a savepoint; what a flush begins for itself is neither."""
    outer = transaction.parent
    while outer is not None and not outer.nested and outer.parent is not None:
        outer = outer.parent
    return outer


AtFlush = Callable[[Session, Any], None]

_at_flush: dict[type, list[AtFlush]] = {}


def follow_flushes(model: type, hear: AtFlush) -> None:
    """Have `hear` called at the end of each flush with the rows of a model that were there and may have changed."""
    _at_flush.setdefault(model, []).append(hear)


@listens_for(Session, "after_flush")
def _at_end_of_flush(session: Session, flush_context: Any) -> None:
    """Let followers see what no event of a row tells. The histories of attributes are still those of the flush."""
    if not _at_flush:
        return
    for instance in session.dirty:
        for model in type(instance).__mro__:
            for hear in _at_flush.get(model, ()):
                hear(session, instance)


@listens_for(Session, "after_flush_postexec")
def _after_flush(session: Session, flush_context: Any) -> None:
    waiting: PendingEvents | None = session.info.get(_KEY)
    if waiting is None:
        return
    due, waiting.after_flush, waiting.told, waiting.switched = waiting.after_flush, [], {}, set()
    enclosing, waiting.together = waiting.together, EventBatch(session)  # a callable of an event may flush, too
    try:
        for act in due:
            act()
    finally:
        together, waiting.together = waiting.together, enclosing
        together.keep()


@listens_for(Session, "after_commit", insert=True)  # first: what another raises here ends the list
def _after_commit(session: Session) -> None:
    waiting: PendingEvents | None = session.info.get(_KEY)
    transaction = None if waiting is None else innermost(session)
    if waiting is None or transaction is None:
        return
    events = waiting.events.pop(transaction, [])
    outer = around(transaction)
    if outer is not None:
        waiting.events.setdefault(outer, []).extend(events)
        return
    for receiver, group in groupby(events, key=itemgetter(0)):
        receiver.submit_all([event for _, event in group])


@listens_for(Session, "after_transaction_end")
def _after_end(session: Session, transaction: SessionTransaction) -> None:
    """Forget what a rollback has undone. A flush that failed ends its own transaction, too."""
    waiting: PendingEvents | None = session.info.get(_KEY)
    if waiting is not None:
        waiting.events.pop(transaction, None)
        waiting.after_flush.clear()
        waiting.expressions.clear()
        waiting.told.clear()
        waiting.switched.clear()
