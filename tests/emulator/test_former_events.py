"""What the list does not hold is read from the warehouse: nothing twice, nothing left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.query.former_events import FORMER
from dd_pa.emulator.sessions import store
from tests.emulator.browser import line, send, view
from tests.emulator.client import event

KEY = {"dd-api-key": "a" * 32}


@contextmanager
def running(**options: Any) -> Iterator[httpx.Client]:
    emulator = Emulator(**options)
    with emulator.running() as url, httpx.Client(base_url=url, timeout=60, headers=KEY) as http:
        yield http
    emulator.close()


def track(http: httpx.Client, *names: str, **members: Any) -> None:
    for name in names:
        answer = http.post("/api/v2/prodlytics", json=event(event={"name": name}, **members))
        assert answer.status_code == 202, answer.text


def listed(http: httpx.Client, **query: Any) -> list[str]:
    """Return the names of all events, the youngest first: those in memory, then the older ones, page by page."""
    found, before = [], None
    while True:
        page = http.get("/api/emulator/events", params={**query, **({"before": before} if before else {})}).json()
        found += page["events"]
        before = page["next"]
        if before is None:
            break
    while True:
        older = {**query, **({"before": before} if before else {})}
        page = http.get("/api/emulator/older", params={"limit": 2, **older}).json()
        found += page["events"]
        before = page["next"]
        if before is None:
            assert len({row[0] for row in found}) == len(found)
            return [row[2] for row in found]


@pytest.mark.parametrize("by_occurrence", [False, True])
def test_events_of_a_former_run(tmp_path: Path, *, by_occurrence: bool) -> None:
    with running(data=tmp_path, by_occurrence=by_occurrence) as http:
        track(http, "a", "b", "c")
    with running(data=tmp_path, by_occurrence=by_occurrence) as http:
        track(http, "d")

        assert listed(http) == ["d", "c", "b", "a"]
        assert listed(http, q="@event.name:(a OR d)") == ["d", "a"]
        assert listed(http, status="rejected") == []
        assert http.get("/api/emulator/older").json()["total"] == 3


def test_events_that_newer_ones_drove_out() -> None:
    with running(kept=3) as http:
        track(http, *"abcdefg")
        http.post("/api/v2/prodlytics", json={})

        assert listed(http, status="accepted") == list("gfedcba")
        assert len(listed(http)) == 8


def test_nothing_is_opened_where_nothing_is_older(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with running() as http:
        assert http.get("/api/emulator/older").json() == {"events": [], "next": None, "total": 0}
        track(http, "a", session={"id": "s-1"})
        assert listed(http) == ["a"]
        assert http.get("/api/emulator/sessions").json()["total"] == 1
        assert http.get("/api/emulator/sessions/s-2").status_code == 404


def test_one_older_event(tmp_path: Path) -> None:
    with running(data=tmp_path) as http:
        track(http, "a", order={"id": "o-1"})
    with running(data=tmp_path) as http:
        [row] = http.get("/api/emulator/older").json()["events"]
        found = http.get(f"/api/emulator/older/{row[0] + FORMER}").json()

        assert found["name"] == "a"
        assert ["@order.id", "o-1"] in found["facets"]
        assert http.get("/api/emulator/older/77").status_code == 404


def test_events_of_browsers_are_listed_where_they_are_asked_for(tmp_path: Path) -> None:
    """Before and after a restart; a view once, with what its last version says."""
    visited = {"id": "v-1", "url": "http://shop.test/basket", "name": "Basket"}
    with running(data=tmp_path) as http:
        send(http, view(1, view=visited))
        track(http, "a")
        send(
            http,
            view(2, view={**visited, "time_spent": 5}),
            line("action", action={"id": "x", "target": {"name": "Buy"}}),
        )

        assert listed(http) == ["a"]
        assert listed(http, source="all") == ["Buy", "a", "Basket"]
        assert listed(http, source="all", q="@view.time_spent:5") == ["Basket"]
        assert http.get("/api/emulator/status").json()["received"] == 1
    with running(data=tmp_path) as http:
        assert listed(http) == ["a"]
        assert sorted(listed(http, source="all")) == ["Basket", "Buy", "a"]
        assert listed(http, source="all", q="@type:view") == ["Basket"]


def test_times(tmp_path: Path) -> None:
    now = [1_000.0]
    with running(data=tmp_path, clock=lambda: now[0]) as http:
        track(http, "a")
        now[0] += 60
        track(http, "b")
    with running(data=tmp_path, clock=lambda: now[0]) as http:
        now[0] += 60
        track(http, "c")

        assert listed(http, **{"from": 1_060_000, "to": 1_120_000}) == ["b"]
        assert listed(http, **{"from": 1_060_000}) == ["c", "b"]


def test_the_chart_counts_what_the_list_does_not_hold(tmp_path: Path) -> None:
    """Events of a former run and of this one, in the bars of their times; nobody is counted twice."""
    now = [1_000.0]
    with running(data=tmp_path, clock=lambda: now[0]) as http:
        track(http, "a", "a", "b")
    with running(data=tmp_path, clock=lambda: now[0], kept=2) as http:
        now[0] += 60
        track(http, "a", "c", "d")
        http.post("/api/v2/prodlytics", json={})
        usual = http.get("/api/emulator/histogram").json()["buckets"]
        only = http.get("/api/emulator/histogram", params={"q": "@event.name:a", "bucket": 3_600_000}).json()["buckets"]

        assert usual == [[1_000_000, 3, 0], [1_060_000, 3, 1]]
        assert only == [[0, 3, 0]]


def session_of(http: httpx.Client, identity: str) -> tuple[list[str], int]:
    found = http.get(f"/api/emulator/sessions/{identity}").json()
    return [moment["name"] for moment in found["events"]], found["session"]["counts"]["server"]


def test_sessions_of_a_former_run(tmp_path: Path) -> None:
    """They are listed after those of this run, and one that goes on is one."""
    with running(data=tmp_path) as http:
        for name, session in (("a", "s-1"), ("b", "s-2"), ("c", "s-2")):
            track(http, name, session={"id": session})
    with running(data=tmp_path) as http:
        track(http, "d", session={"id": "s-2"})
        track(http, "e", session={"id": "s-3"})
        page = http.get("/api/emulator/sessions", params={"limit": 2}).json()
        rest = http.get("/api/emulator/sessions", params={"before": page["next"]}).json()

        assert [session["id"] for session in (*page["sessions"], *rest["sessions"])] == ["s-3", "s-2", "s-1"]
        assert (page["total"], rest["total"]) == (3, 3)
        assert session_of(http, "s-2") == (["b", "c", "d"], 3)
        assert session_of(http, "s-1") == (["a"], 1)
        found = http.get("/api/emulator/sessions", params={"q": "@event.name:(a OR d)"}).json()
        assert [session["id"] for session in found["sessions"]] == ["s-2", "s-1"]
        assert http.post("/api/emulator/clear", json={}).status_code == 204
        assert http.get("/api/emulator/sessions").json()["total"] == 0


def test_sessions_that_newer_ones_drove_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_SESSIONS", 2)
    monkeypatch.setattr(store.Sessions.__init__, "__kwdefaults__", {"max_sessions": 2, "max_bytes": store.MAX_BYTES})
    with running() as http:
        for number in range(5):
            track(http, f"a{number}", session={"id": f"s-{number}"})

        found = http.get("/api/emulator/sessions").json()
        assert [session["id"] for session in found["sessions"]] == [f"s-{number}" for number in (4, 3, 2, 1, 0)]
        assert session_of(http, "s-0") == (["a0"], 1)
        track(http, "again", session={"id": "s-0"})
        assert session_of(http, "s-0") == (["a0", "again"], 2)
