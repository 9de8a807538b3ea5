"""Sessions that are not kept in memory: those of former runs, and those that newer ones drove out."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from dd_pa.emulator.live.row import Row
from dd_pa.emulator.query.former_events import ALWAYS, FORMER, former_row
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.rum.batch import KINDS, BrowserEvent
from dd_pa.emulator.search.grammar import parse_search
from dd_pa.emulator.search.search import Search
from dd_pa.emulator.sessions.session import MAX_EVENTS, Session
from dd_pa.emulator.warehouse.extent import Extent, Stretch
from dd_pa.emulator.warehouse.warehouse import Warehouse

AT_ONCE = 10_000
"""Sessions that are looked up, and remembered, at a time: there may be millions."""
_REMEMBERED = 4
_DAY_MS = 24 * 3600 * 1000
"""No session is taken to be longer, where not all events are looked at."""
_BROWSER = ("browser.name", "browser.version_major", "os.name")


class Began(NamedTuple):
    """When a session began, and which; in this order they are listed, the last one first."""

    at: int
    id: str


class _Part(NamedTuple):
    """Some of those that a search finds, the last one first: those that began before a moment."""

    before: tuple[int, str] | None
    began: list[Began]
    total: int
    is_whole: bool
    """Whether all events were looked at."""
    is_end: bool
    """Whether no more are found further back."""

    def holds(self, before: tuple[int, str] | None, count: int) -> bool:
        """Say whether the next so many are here."""
        if self.before is not None and (before is None or before > self.before):
            return False
        return self.is_end or sum(before is None or one < before for one in self.began) >= count


class FormerSessions:
    """Reads sessions from the warehouse. Blocks; raises WarehouseError and QueryTimeoutError."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._known: OrderedDict[tuple[str, object], _Part] = OrderedDict()

    @property
    def has_any(self) -> bool:
        """Say whether there are events that nobody sent in this run."""
        return self._warehouse.former > 0

    def began(
        self, search: Search, age: object, apart: Collection[str], before: tuple[int, str] | None, count: int
    ) -> tuple[Sequence[Began], int, bool]:
        """Return sessions of which an event matches, `count` of those that began before, how many there are, and True.

        Those apart are left out. What was found is remembered as long as `age` is the same. Of files, the newest
        events are looked at first: False where these were enough, and there may be more sessions than were found.
        """
        key = search.text, age
        known = self._known.get(key)
        if known is None or not known.holds(before, count):
            known = self._known[key] = self._find(search, apart, before, count)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        there = [one for one in known.began if before is None or one < before][:count]
        return there, known.total, known.is_whole

    def _find(self, search: Search, apart: Collection[str], before: tuple[int, str] | None, count: int) -> _Part:
        statement = Statement(self._warehouse)
        found: dict[str, int] = {}
        total = 0
        for stretch in self._warehouse.stretches(ALWAYS):
            ended, more = self._ended(statement, search, apart, before, stretch)
            total += more
            found = ended | found
            # What began before the stretch may follow sessions that are found in the next one.
            settled = [Began(at, k) for k, at in found.items() if at >= stretch.start]
            if len(settled) >= count and stretch.start:
                return _Part(before, sorted(settled, reverse=True), total, is_whole=False, is_end=False)
        began = sorted((Began(at, k) for k, at in found.items()), reverse=True)
        return _Part(before, began, total, is_whole=True, is_end=len(began) < AT_ONCE)

    def _ended(
        self,
        statement: Statement,
        search: Search,
        apart: Collection[str],
        before: tuple[int, str] | None,
        stretch: Stretch,
    ) -> tuple[dict[str, int], int]:
        """Return when those began that have their last event in a stretch, and how many there are."""
        who = statement.text("session.id")
        ends = f"max(seq) BETWEEN {stretch.first:d} AND {stretch.last:d}"
        having = ends if search.test is None else f"{ends} AND bool_or({statement.search(parse_search(search.text))})"
        others = f"k NOT IN (SELECT unnest({statement.bind.texts(list(apart))}))" if apart else "true"
        earlier = "true"
        if before is not None:
            at, identity = (statement.bind(value) for value in before)
            earlier = f"(began < {at} OR (began = {at} AND k < {identity}))"
        numbers = stretch.before, stretch.last
        rows = statement.rows(
            f"WITH found AS MATERIALIZED (SELECT min(ts) AS began, {who} AS k FROM events "
            f"WHERE seq BETWEEN {numbers[0]:d} AND {numbers[1]:d} AND k IS NOT NULL AND k <> '' AND {others} "
            f"GROUP BY k HAVING {having}) "
            f"(SELECT began, k, NULL AS n FROM found WHERE {earlier} ORDER BY began DESC, k DESC LIMIT {AT_ONCE:d}) "
            "UNION ALL SELECT NULL, NULL, count(*) FROM found",
            Extent(numbers=numbers),
        )
        [total] = [count for at, _, count in rows if at is None]
        return {k: at for at, k, _ in rows if at is not None}, total

    def _since(self, ids: Collection[str]) -> int:
        """Return from when on the events of sessions are looked for: a day before they began, where that is known."""
        known = {one.id: one.at for part in self._known.values() for one in part.began}
        return min((known.get(identity, 0) for identity in ids), default=0) - _DAY_MS

    def sessions(self, before: dict[str, int]) -> dict[str, Session]:
        """Return sessions by id, of their views, and of other events with numbers below those given."""
        statement = Statement(self._warehouse)
        who = statement.text("session.id")
        browser = ", ".join(statement.text(path) for path in _BROWSER)
        since = max(0, self._since(before))
        rows = statement.rows(
            f"SELECT {who}, seq, ts, {browser}, {statement.text('type')} FROM events "
            f"WHERE {who} IN (SELECT unnest({statement.bind.texts(list(before))})) AND ts >= {since:d} "
            f"QUALIFY row_number() OVER (PARTITION BY {who} ORDER BY seq DESC) <= {MAX_EVENTS:d} ORDER BY seq",
            Extent(times=(since, ALWAYS)),
        )
        wanted = [row for row in rows if row[-1] == "view" or row[1] < before[row[0]]]
        bodies = statement.bodies([row[1] for row in wanted])
        found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for identity, seq, ts, *more in wanted:
            if seq in bodies:
                found[identity].append((seq, ts, bodies[seq], *more[:-1]))
        return {identity: _session(identity, those) for identity, those in found.items()}

    def session(self, identity: str) -> Session | None:
        """Return a session, None where there is none."""
        return self.sessions({identity: ALWAYS}).get(identity)


def _session(identity: str, rows: list[tuple[Any, ...]]) -> Session:
    session = Session(identity)
    for seq, ts, body, *browser in rows:
        event = _event(seq, ts, body)
        if event is not None:
            session.take(event)
        if any(browser):
            session.browser = dict(zip(("name", "version", "os"), browser, strict=True))
    return session


def _event(seq: int, ts: int, content: str) -> Row | BrowserEvent | None:
    body: dict[str, Any] = json.loads(content)
    kind = body.get("type")
    if kind == "server":
        return former_row(seq, ts, content)
    if kind not in KINDS:
        return None
    return BrowserEvent(
        body=body,
        kind=kind,
        session_id=body["session"]["id"],
        date_ms=ts,
        size=len(content),
        received_ms=ts,
        row=seq - FORMER,
    )
