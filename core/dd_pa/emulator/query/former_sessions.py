"""Sessions that are not kept in memory: those of former runs, and those that newer ones drove out."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from dd_pa.emulator.live.row import Row
from dd_pa.emulator.query.former_events import ALWAYS, FORMER, former_row
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.rum.batch import KINDS, BrowserEvent
from dd_pa.emulator.search.grammar import parse_search
from dd_pa.emulator.search.search import Search
from dd_pa.emulator.sessions.session import MAX_EVENTS, Session
from dd_pa.emulator.warehouse.warehouse import Warehouse

_REMEMBERED = 4
_BROWSER = ("browser.name", "browser.version_major", "os.name")


class Began(NamedTuple):
    """When a session began, and which; in this order they are listed, the last one first."""

    at: int
    id: str


class FormerSessions:
    """Reads sessions from the warehouse. Blocks; raises WarehouseError and QueryTimeoutError."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._known: OrderedDict[tuple[str, object], list[Began]] = OrderedDict()

    @property
    def has_any(self) -> bool:
        """Say whether there are events that nobody sent in this run."""
        return self._warehouse.former > 0

    def began(self, search: Search, age: object) -> Sequence[Began]:
        """Return all sessions of which an event matches, the last one first.

        What was found is remembered as long as `age` is the same.
        """
        key = search.text, age
        if key not in self._known:
            self._known[key] = self._find(search)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    def _find(self, search: Search) -> list[Began]:
        statement = Statement(self._warehouse)
        who = statement.text("session.id")
        having = "" if search.test is None else f" HAVING bool_or({statement.search(parse_search(search.text))})"
        rows = statement.rows(
            f"SELECT min(ts), {who} AS k FROM events WHERE k IS NOT NULL AND k <> '' GROUP BY k{having} "
            "ORDER BY 1 DESC, 2 DESC"
        )
        return [Began(*row) for row in rows]

    def sessions(self, before: dict[str, int]) -> dict[str, Session]:
        """Return sessions by id, of their views, and of other events with numbers below those given."""
        statement = Statement(self._warehouse)
        who = statement.text("session.id")
        browser = ", ".join(statement.text(path) for path in _BROWSER)
        rows = statement.rows(
            f"SELECT {who}, seq, ts, {browser}, {statement.text('type')} FROM events "
            f"WHERE {who} IN (SELECT unnest({statement.bind.texts(list(before))})) "
            f"QUALIFY row_number() OVER (PARTITION BY {who} ORDER BY seq DESC) <= {MAX_EVENTS:d} ORDER BY seq"
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
