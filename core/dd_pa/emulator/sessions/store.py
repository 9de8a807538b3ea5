"""The sessions that are kept: bounded by number and bytes, those that rest the longest go first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from dd_pa.emulator.live.label import Json
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.live.selection import SearchTimeoutError
from dd_pa.emulator.rum.batch import BrowserEvent
from dd_pa.emulator.search.predicates import RowTest
from dd_pa.emulator.search.search import Search
from dd_pa.emulator.sessions.session import Session

MAX_SESSIONS = 10_000
MAX_BYTES = 64_000_000
"""Bound of all events together as they were on the wire; parsed they take several times that."""

_MAX_SECONDS = 10.0
_ALWAYS = 2**53


class Former(Protocol):
    """Sessions that are not kept here."""

    @property
    def has_any(self) -> bool:
        """Say whether there may be some."""
        ...

    def began(
        self, search: Search, age: object, apart: Collection[str], before: tuple[int, str] | None, count: int
    ) -> tuple[Sequence[tuple[int, str]], int, bool]:
        """Return so many of which an event matches, which are not apart and began before, how many there are, and True.

        False where it was not necessary to look at all, and there may be more.
        """
        ...

    def sessions(self, before: dict[str, int]) -> dict[str, Session]:
        """Return sessions by id, of their events with numbers below those given."""
        ...

    def session(self, identity: str) -> Session | None:
        """Return one, None where there is none."""
        ...


class Page(NamedTuple):
    """A part of the list."""

    heads: list[Json]
    total: int
    is_whole: bool
    """Whether all events were looked at; else there may be more."""
    following: str | None
    """Cursor of the next part."""
    change: int


class Sessions:
    """Every event by the session it belongs to. Safe to use from any thread; `find` may take long, nothing else."""

    def __init__(
        self, former: Former | None = None, *, max_sessions: int = MAX_SESSIONS, max_bytes: int = MAX_BYTES
    ) -> None:
        """`former` knows those that are not kept here."""
        self._former = former
        self._driven_out = self._continued = 0
        self._max_sessions = max_sessions
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        # Ordered by their last change.
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._bytes = 0
        self._change = 0
        self._cleared = 0

    def take_row(self, row: Row, number: int = 1) -> None:
        """Add a server event that was taken, if it names a session; `number` is that of the warehouse."""
        session_id = row.identity()[2]
        if session_id and row.accepted:
            with self._lock:
                self._update(session_id, row, number)

    def take_browser(self, events: Sequence[BrowserEvent], first: int = 1) -> None:
        """Add what one request of a browser brought; `first` is the number in the warehouse of the first event."""
        with self._lock:
            for number, event in enumerate(events, first):
                self._update(event.session_id, event, number)

    def _update(self, session_id: str, event: Row | BrowserEvent, number: int) -> None:
        session = self._sessions.get(session_id)
        if session is None:
            session = Session(session_id)
            session.first_number = number
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
            self._driven_out += 1
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
            self._driven_out = 0
            self._cleared += 1

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

    @property
    def _others(self) -> Former | None:
        """Return who knows sessions that are not here, None where all are."""
        return self._former if self._former and (self._driven_out or self._former.has_any) else None

    def detail(self, session_id: str) -> Json | None:
        """Return one session with its events as they happened, None if there is none."""
        self._recall([session_id])
        with self._lock:
            session = self._sessions.get(session_id)
            if session is not None:
                return _detail(session, self._change)
        former = self._others.session(session_id) if self._others else None
        return None if former is None else _detail(former, self._change)

    def _recall(self, ids: Sequence[str]) -> None:
        """Bring back the earlier events of sessions that go on from a former run."""
        if self._others is None:
            return
        with self._lock:
            known = [self._sessions[identity] for identity in ids if identity in self._sessions]
            wanted = {session.id: session.first_number for session in known if not session.is_whole}
        found = self._others.sessions(wanted) if wanted else {}
        with self._lock:
            for session in known:
                if session.id in wanted and not session.is_whole:
                    session.is_whole = True
                    self._precede(session, found.get(session.id))

    def _precede(self, session: Session, earlier: Session | None) -> None:
        if earlier is not None:
            self._continued += 1
            before = session.size
            session.precede(earlier)
            self._bytes += session.size - before

    def find(self, search: Search, before: tuple[int, str] | None, limit: int) -> Page:
        """Return sessions of which an event matches, the one that began last first.

        Raises SearchTimeoutError when it takes too long; WarehouseError and QueryTimeoutError.
        """
        # Those that go on from a former run began earlier than what is here of them.
        self._recall([session.id for session in self._all() if not session.is_whole])
        with self._lock:
            change = self._change
            known = [(session.start, session.id, session) for session in self._sessions.values()]
        here = {entry[1] for entry in known}
        matching = known if search.test is None else self._matching(known, search.test)
        found: list[tuple[int, str]] = [entry[:2] for entry in matching]
        total, is_whole = len(found), True
        if self._others is not None:
            age = self._driven_out, self._continued, self._cleared
            elsewhere, others, is_whole = self._others.began(search, age, here, before, limit + 1)
            found += [entry for entry in elsewhere if entry[1] not in here]
            total += others
        rest = [entry for entry in found if before is None or entry < before]
        rest.sort(reverse=True)
        following = f"{rest[limit - 1][0]}:{rest[limit - 1][1]}" if len(rest) > limit else None
        heads = self._heads([identity for _, identity in rest[:limit]])
        return Page(heads, total, is_whole, following, change)

    def _all(self) -> list[Session]:
        with self._lock:
            return list(self._sessions.values())

    def _heads(self, ids: Sequence[str]) -> list[Json]:
        with self._lock:
            here = {identity: self._sessions[identity].head() for identity in ids if identity in self._sessions}
        missing = {identity: _ALWAYS for identity in ids if identity not in here}
        former = self._others.sessions(missing) if missing and self._others else {}
        heads = here | {identity: session.head() for identity, session in former.items()}
        return [heads[identity] for identity in ids if identity in heads]

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


def _detail(session: Session, change: int) -> Json:
    events = [moment.as_json() for moment in session.moments()]
    return {"change": change, "session": session.head(), "events": events}
