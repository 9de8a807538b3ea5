"""Events that belong to what a session is going to commit, whether they are tracked before or after the rows change.

A session begins its transaction by itself, with the first statement or object. So an event may come before it, and a
transaction that only read ends without a commit. `submit_with_work` therefore asks what the transaction has done.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy.event import listens_for
from sqlalchemy.orm import Session, SessionTransaction

from dd_pa.capture.event import BuiltEvent
from dd_pa.emitter import Emitter
from dd_pa.observe import panel_log
from dd_pa.observe.signals import event_queued, send
from dd_pa.outbox.sqlalchemy import add, store
from dd_pa.sqlalchemy.pending_events import around, innermost, submit_on_commit
from dd_pa.sqlalchemy.session_writes import SessionWrites, has_work, is_noted, watch_writes, writes_of

_KEY = "dd_pa_work"
"""Where a session keeps its unit of work: in its `info`, which ends with it."""


class Entry(NamedTuple):
    """An event that waits."""

    emitter: Emitter
    event: BuiltEvent
    needs_commit: bool
    """It vanishes with any end but a commit; else only if something was written."""


class SessionWork:
    """What is known of a session's transactions, and what waits for them. For the one thread that uses the session."""

    def __init__(self, writes: SessionWrites) -> None:
        self.writes = writes

        self.ahead: list[Entry] = []
        """What waits for a transaction that has not begun."""

        self.entries: dict[SessionTransaction, list[Entry]] = {}
        """What waits, by the innermost transaction or savepoint that was open."""

        self.stored: list[Entry] = []
        """What is in the outbox, and said to be when the transaction has committed."""

    def keep(self, entry: Entry, transaction: SessionTransaction | None) -> None:
        """Let an event wait for a transaction, or for the next one."""
        (self.ahead if transaction is None else self.entries.setdefault(transaction, [])).append(entry)

    def holds(self, event: BuiltEvent) -> bool:
        """Tell whether an event still waits. May be asked in any thread."""
        lists = [self.ahead, self.stored, *list(self.entries.values())]
        return any(entry.event is event for entries in lists for entry in list(entries))

    def end(self, transaction: SessionTransaction, *, has_work: bool) -> None:
        """Let go of what waits for a transaction that ends without a commit."""
        outer = around(transaction)
        for entry in self.entries.pop(transaction, []):
            if has_work or entry.needs_commit:
                continue
            if outer is None:
                entry.emitter.integration.submit(entry.event)
            else:
                self.keep(entry, outer)


def submit_with_work(session: Session, emitter: Emitter, event: BuiltEvent) -> bool:
    """Submit a built event with the work of a session that `watch()` knows: on commit, and never if it is rolled back.

    It leaves too when the transaction ends without a commit, but had nothing to write, as that of a page that only
    reads. If the session has begun no transaction, it waits for the one that comes, or for `release()`. But once a
    transaction is over, it leaves at once where nothing has been written since and no savepoint is open: it tells of
    what is done. Returns False if it was dropped.
    """
    unit, transaction = _unit(session), innermost(session)
    if unit.writes.has_ended and not session.in_nested_transaction() and not has_work(session, transaction):
        return emitter.integration.submit(event)
    _keep(session, unit, Entry(emitter, event, needs_commit=False), transaction)
    return True


def submit_on_next_commit(session: Session, emitter: Emitter, event: BuiltEvent) -> bool:
    """Do what `submit_on_commit` does; but without a transaction, wait for the one that comes, or for `release()`."""
    if innermost(session) is not None:
        return submit_on_commit(session, emitter, event)
    _keep(session, _unit(session), Entry(emitter, event, needs_commit=True), None)
    return True


def release(session: Session) -> None:
    """Let go of what waits for a transaction that has not begun: there was nothing to wait for."""
    unit = _unit(session)
    due, unit.ahead = unit.ahead, []
    for entry in due:
        _submit_or_store(session, entry)


def settle(session: Session) -> None:
    """Let go of what waits though there is nothing to write: the application has done what it was going to do.

    Objects that are changed by now and not flushed are remembered: the session forgets them when it is closed.
    """
    unit, transaction = _unit(session), innermost(session)
    if transaction is not None and has_work(session, transaction):
        unit.writes.written.add(transaction)
    unit.ahead, due = _parted(unit.ahead)
    while transaction is not None and transaction not in unit.writes.written:
        unit.entries[transaction], found = _parted(unit.entries.get(transaction, []))
        due += found
        transaction = around(transaction)
    for entry in due:
        entry.emitter.integration.submit(entry.event)


def watch(sessions: object) -> bool:
    """Note what the sessions of a registry write from now on, for `submit_with_work`; False if it is no registry."""
    return watch_writes(sessions)


def _unit(session: Session) -> SessionWork:
    found: SessionWork | None = session.info.get(_KEY)
    if found is None:
        found = session.info[_KEY] = SessionWork(writes_of(session))
    return found


def _known(session: Session) -> SessionWork | None:
    """Return what is known of a session, if anything is."""
    return _unit(session) if _KEY in session.info or is_noted(session) else None


def _keep(session: Session, unit: SessionWork, entry: Entry, transaction: SessionTransaction | None) -> None:
    unit.keep(entry, transaction)
    if panel_log.watching:
        panel_log.waits(entry.event, partial(unit.holds, entry.event))


def _parted(entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Part what waits for a commit whatever happens from the rest."""
    kept: list[Entry] = []
    due: list[Entry] = []
    for entry in entries:
        (kept if entry.needs_commit else due).append(entry)
    return kept, due


def _submit_or_store(session: Session, entry: Entry) -> None:
    emitter, event = entry.emitter, entry.event
    if emitter.outbox is None or not entry.needs_commit:
        emitter.integration.submit(event)
        return
    try:
        store(session, [event], emitter.outbox)
    except Exception as error:  # at the end of a request there is nobody to raise it to, and the event must not be lost
        emitter.integration.say(
            "outbox", "an event left without the outbox, which cannot be written: %s", type(error).__name__
        )
        emitter.integration.submit(event)
        return
    send(event_queued, emitter, event=event)


@listens_for(Session, "after_transaction_create")
def _after_create(session: Session, transaction: SessionTransaction) -> None:
    unit = _known(session)
    if unit is None or transaction.parent is not None:
        return
    if unit.ahead:
        unit.entries[transaction], unit.ahead = unit.ahead, []
    unit.writes.begin(transaction)


@listens_for(Session, "before_commit")
def _before_commit(session: Session) -> None:
    """Put what waits for the outermost transaction into the outbox: as rows of that very transaction."""
    unit = _known(session)
    transaction = None if unit is None else innermost(session)
    if unit is None or transaction is None or around(transaction) is not None:
        return
    due = [entry for entry in unit.entries.get(transaction, []) if entry.emitter.outbox is not None]
    for emitter, group in groupby(due, key=attrgetter("emitter")):
        add(session, [entry.event for entry in group], emitter.outbox)
    if due:
        unit.stored += due
        unit.entries[transaction] = [entry for entry in unit.entries[transaction] if entry.emitter.outbox is None]


@listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    unit = _known(session)
    transaction = None if unit is None else innermost(session)
    if unit is None or transaction is None:
        return
    entries, outer = unit.entries.pop(transaction, []), around(transaction)
    if outer is not None:
        unit.entries.setdefault(outer, []).extend(entries)
        unit.writes.commit(transaction, outer)
        return
    for entry in entries:
        entry.emitter.integration.submit(entry.event)
    stored, unit.stored = unit.stored, []
    for entry in stored:
        send(event_queued, entry.emitter, event=entry.event)


@listens_for(Session, "after_rollback")
def _after_rollback(session: Session) -> None:
    unit = _known(session)
    transaction = None if unit is None else innermost(session)
    if unit is not None and transaction is not None:
        unit.end(transaction, has_work=has_work(session, transaction))


@listens_for(Session, "after_transaction_end")
def _after_end(session: Session, transaction: SessionTransaction) -> None:
    unit = _known(session)
    if unit is None:
        return
    unit.end(transaction, has_work=transaction in unit.writes.written)
    unit.writes.written.discard(transaction)
    if transaction.parent is None:
        unit.stored = []
