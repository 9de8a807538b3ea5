"""The sessions that are kept: bounded by number and bytes, those that rest the longest go first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from dd_pa.emulator.row import Row
from dd_pa.emulator.rum.batch import BrowserEvent
from dd_pa.emulator.search.predicates import RowTest
from dd_pa.emulator.search.selection import SearchTimeoutError
from dd_pa.emulator.sessions.moment import Json
from dd_pa.emulator.sessions.session import Session

MAX_SESSIONS = 10_000
MAX_BYTES = 64_000_000
"""Bound of all events together as they were on the wire; parsed they take several times that."""

_MAX_SECONDS = 10.0


class Page(NamedTuple):
    """A part of the list."""

    heads: list[Json]
    total: int
    following: str | None
    """Cursor of the next part."""
    change: int


class Sessions:
    """Every event by the session it belongs to. Safe to use from any thread; `find` may take long, nothing else."""

    def __init__(self, *, max_sessions: int = MAX_SESSIONS, max_bytes: int = MAX_BYTES) -> None:
        self._max_sessions = max_sessions
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        # Ordered by their last change.
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._bytes = 0
        self._change = 0

    def take_row(self, row: Row) -> None:
        """Add a server event that was taken, if it names a session."""
        session_id = row.identity()[2]
        if session_id and row.accepted:
            with self._lock:
                self._update(session_id, row)

    def take_browser(self, events: Sequence[BrowserEvent]) -> None:
        """Add what one request of a browser brought."""
        with self._lock:
            for event in events:
                self._update(event.session_id, event)

    def _update(self, session_id: str, event: Row | BrowserEvent) -> None:
        session = self._sessions.get(session_id) or Session(session_id)
        before = session.size
        if not session.take(event):
            return
        self._change += 1
        session.change = self._change
        self._sessions[session_id] = session
        self._sessions.move_to_end(session_id)
        self._bytes += session.size - before
        self._forget()

    def _forget(self) -> None:
        while len(self._sessions) > 1 and (len(self._sessions) > self._max_sessions or self._bytes > self._max_bytes):
            self._bytes -= self._sessions.popitem(last=False)[1].size
        last = next(reversed(self._sessions.values()))
        while self._bytes > self._max_bytes and len(last) > 1:
            self._bytes -= last.size
            last.drop_oldest()
            self._bytes += last.size

    def clear(self) -> None:
        """Forget all; whoever follows the changes is told."""
        with self._lock:
            self._sessions.clear()
            self._bytes = 0
            self._change += 1

    @property
    def change(self) -> int:
        """Number of the last change; it rises with each."""
        return self._change

    def changed_after(self, change: int, limit: int = 1_000) -> tuple[int, list[str]]:
        """Return the number of the last change, and the sessions that changed since, the latest first."""
        with self._lock:
            ids: list[str] = []
            for session in reversed(self._sessions.values()):
                if session.change <= change or len(ids) >= limit:
                    break
                ids.append(session.id)
            return self._change, ids

    def detail(self, session_id: str) -> Json | None:
        """Return one session with its events as they happened, None if it is not kept."""
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                return None
            events = [moment.as_json() for moment in session.moments()]
            return {"change": self._change, "session": session.head(), "events": events}

    def find(self, test: RowTest | None, before: tuple[int, str] | None, limit: int) -> Page:
        """Return sessions of which an event matches, the one that began last first.

        Raises SearchTimeoutError when it takes too long.
        """
        with self._lock:
            change = self._change
            known = [(session.start, session.id, session) for session in self._sessions.values()]
        known.sort(key=lambda entry: entry[:2], reverse=True)
        found = known if test is None else self._matching(known, test)
        rest = [entry for entry in found if before is None or entry[:2] < before]
        heads = [self._head(session) for _, _, session in rest[:limit]]
        following = f"{rest[limit - 1][0]}:{rest[limit - 1][1]}" if len(rest) > limit else None
        return Page(heads, len(found), following, change)

    def _head(self, session: Session) -> Json:
        with self._lock:
            return session.head()

    def _matching(self, known: list[tuple[int, str, Session]], test: RowTest) -> list[tuple[int, str, Session]]:
        deadline = time.monotonic() + _MAX_SECONDS
        found = []
        for entry in known:
            if time.monotonic() > deadline:
                raise SearchTimeoutError
            with self._lock:
                moments = entry[2].moments()
            if any(test(moment) for moment in moments):
                found.append(entry)
        return found
