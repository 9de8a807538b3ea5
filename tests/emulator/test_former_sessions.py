"""Sessions that are read from disk, of which there may be millions."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from dd_pa.emulator.query import former_sessions
from dd_pa.emulator.query.former_sessions import Began, FormerSessions
from dd_pa.emulator.search.search import compile_search
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import Warehouse


def paged(sessions: FormerSessions, text: str, apart: set[str]) -> tuple[list[int], list[Began]]:
    """All that are found, two at a time, and how many each page says there are."""
    totals: list[int] = []
    found: list[Began] = []
    while True:
        part, total, _ = sessions.began(compile_search(text), 0, apart, found[-1] if found else None, 2)
        totals.append(total)
        if not part:
            return totals, found
        found += part


def test_many_are_looked_up_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever page is asked for, no more than a part is brought from disk, and a page of what was brought is not."""
    monkeypatch.setattr(former_sessions, "AT_ONCE", 7)
    rng = random.Random(1)
    rows = [(rng.randrange(5), f"s{rng.randrange(40)}", rng.choice("ab")) for _ in range(90)]
    warehouse = Warehouse(None, time.time)
    warehouse.put([Event(ts=at, body={"type": "server", "x": x, "session": {"id": who}}) for at, who, x in rows])
    brought: list[int] = []
    read = warehouse.read

    def counted(*asked: Any) -> list[tuple[Any, ...]]:
        found = read(*asked)
        brought.append(len(found))
        return found

    monkeypatch.setattr(warehouse, "read", counted)
    for text in ("*", "@x:a"):
        sessions, apart = FormerSessions(warehouse), {"s3", "s4"}
        first: dict[str, int] = {}
        for at, who, _ in sorted(rows):
            first.setdefault(who, at)
        having = {who for _, who, x in rows if text == "*" or x == "a"} - apart
        expected = sorted((Began(first[who], who) for who in having), reverse=True)
        totals, found = paged(sessions, text, apart)

        assert set(totals) == {len(expected)}
        assert found == expected
        assert max(brought) == 7 + 1
        assert len(brought) < len(expected) / 2
        brought.clear()
    warehouse.close()
