"""What counts as a write of a session: a statement that changes rows, SQL in text too, an object, a flush."""

from __future__ import annotations

import re

from sqlalchemy import TextClause
from sqlalchemy.event import contains, listen
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, scoped_session

from dd_pa.sqlalchemy.pending_events import innermost

_READS = re.compile(r"\s*(?:select|with|values|table|show|explain|describe|pragma)\b", re.IGNORECASE)
"""How SQL in text begins that is taken to only read."""

_KEY = "dd_pa_writes"
"""Where a session keeps what it has written: in its `info`, which ends with it."""


class SessionWrites:
    """Which of a session's transactions have written."""

    def __init__(self) -> None:
        self.written: set[SessionTransaction] = set()
        """Open transactions and savepoints in which rows were changed or objects were added."""

        self.begins_with_write = False
        """A statement is about to begin a transaction and to write."""

        self.has_ended = False
        """The session has had a transaction that is over."""

    def begin(self, transaction: SessionTransaction) -> None:
        """Note a transaction that begins."""
        if self.begins_with_write:
            self.written.add(transaction)
            self.begins_with_write = False

    def commit(self, savepoint: SessionTransaction, outer: SessionTransaction) -> None:
        """Note that a savepoint is released: what it has written, the transaction around it has."""
        if savepoint in self.written:
            self.written.add(outer)


def writes_of(session: Session) -> SessionWrites:
    """Return what a session has written."""
    found: SessionWrites | None = session.info.get(_KEY)
    if found is None:
        found = session.info[_KEY] = SessionWrites()
    return found


def is_noted(session: Session) -> bool:
    """Tell whether anything is known of what a session has written."""
    return _KEY in session.info


def has_work(session: Session, transaction: SessionTransaction | None) -> bool:
    """Tell whether a transaction has written, or its session holds what it is going to write."""
    if session.new or session.dirty or session.deleted:
        return True
    return transaction is not None and transaction in writes_of(session).written


def watch_writes(sessions: object) -> bool:
    """Note what the sessions of a registry write from now on; False if it is no registry."""
    if not isinstance(sessions, scoped_session):
        return False
    if contains(sessions, "after_flush", _note_flush):
        return True
    listen(sessions, "do_orm_execute", _note_statement)
    listen(sessions, "transient_to_pending", _note_object)
    listen(sessions, "after_flush", _note_flush)
    listen(sessions, "after_transaction_end", _note_end)
    return True


def _note_statement(state: ORMExecuteState) -> None:
    statement = state.statement
    if statement.is_dml or (isinstance(statement, TextClause) and not _READS.match(statement.text)):
        _note_written(state.session)


def _note_object(session: Session, instance: object) -> None:
    _note_written(session)


def _note_flush(session: Session, context: object) -> None:
    _note_written(session)


def _note_written(session: Session) -> None:
    writes, transaction = writes_of(session), innermost(session)
    if transaction is None:
        writes.begins_with_write = True
    else:
        writes.written.add(transaction)


def _note_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        writes_of(session).has_ended = True
