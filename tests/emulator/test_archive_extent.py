"""Of many files, those are read that a question is about: the answers are those of all files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.warehouse import archive_files
from dd_pa.emulator.warehouse.archive_files import ArchiveFiles, Content, by_time
from dd_pa.emulator.warehouse.extent import Extent
from tests.emulator.asking import SCALAR, ask, table
from tests.emulator.test_parquet_export import END, HOUR, base, export

HOURS = 40
FIRST = END - HOURS * HOUR


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour to a file, 20 events in each; in the last hours there is a column that was not there before."""
    found = tmp_path_factory.mktemp("hours")
    for hour in range(HOURS):
        columns = [
            f"make_timestamp({FIRST + hour * HOUR} * 1000 + i * 60000000) AS timestamp, 'server' AS type",
            "'e' || (i % 4) AS \"event.name\", 'u' || (i % 3) AS \"usr.id\"",
            f"'s' || ({hour} // 2) || '-' || (i % 5) AS \"session.id\"",
            *(["'x' AS added, 7 AS \"order.total\""] if hour > 30 else []),
        ]
        export(found, f"FROM range(20) r(i) SELECT {', '.join(columns)}", hour)
    return found


@contextmanager
def opened(folder: Path) -> Iterator[tuple[httpx.Client, list[Any]]]:
    """A client, and which files each statement reads."""
    emulator = Emulator(read=folder, query_seconds=120)
    files = emulator._warehouse._database.files  # type: ignore[attr-defined]
    read: list[Any] = []
    whole = files.of

    def noted(extent: Extent) -> range:
        read.append(whole(extent))
        return read[-1]  # type: ignore[no-any-return]

    files.of = noted
    with emulator.running() as url, httpx.Client(base_url=url, timeout=150) as http:
        yield http, read
    emulator.close()


def test_a_time_reads_its_files_only(folder: Path) -> None:
    """Also where they lack columns that others have; both ends belong to it."""
    with opened(folder) as (http, read):
        for start, hours in ((0, 1), (12, 3), (29, 4), (39, 1)):
            times = {"from": FIRST + start * HOUR, "to": FIRST + (start + hours) * HOUR - 1}
            query = {"query": base("-@added:y"), "compute": {"aggregation": "count"}}
            read.clear()
            assert table(ask(http, "analytics/scalar", SCALAR, {**times, "query": query})) == [(hours * 20.0,)]
            assert read == [range(start, start + hours)]
        edge = {"from": FIRST + HOUR, "to": FIRST + 2 * HOUR, "query": query}
        assert table(ask(http, "analytics/scalar", SCALAR, edge)) == [(21.0,)]
        summed = {"query": base("*"), "compute": {"aggregation": "sum", "metric": "@order.total"}}
        whole = {"from": FIRST, "to": END, "query": summed}
        assert table(ask(http, "analytics/scalar", SCALAR, whole)) == [(9 * 20 * 7.0,)]
        nothing = {"from": FIRST - 9 * HOUR, "to": FIRST - HOUR, "query": query}
        assert table(ask(http, "analytics/scalar", SCALAR, nothing)) == []


def test_the_newest_are_found_without_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events and sessions, page by page, come as they would of all files; a rare one is found at the end."""
    with opened(folder) as (http, _):
        at_once = [row[0] for row in older(http, limit=5_000)["events"]]
        sessions = names(http, limit=500)
    monkeypatch.setattr(archive_files, "_FIRST_STRETCH", 60)
    with opened(folder) as (http, read):
        assert [row[0] for row in older(http, limit=30)["events"]] == at_once[:30]
        # How many there are is another question, about all of them.
        assert sorted(len(files) for files in read)[-2:] == [3, HOURS]
        paged: list[int] = []
        before: int | None = None
        while before is not None or not paged:
            answer = older(http, limit=70, before=before)
            paged += [row[0] for row in answer["events"]]
            before = answer["next"]
        assert paged == at_once
        assert names(http, limit=6) == sessions[:6]
        assert http.get("/api/emulator/sessions", params={"limit": 6}).json()["complete"] is False
        assert names(http, limit=500) == sessions
        assert names(http, limit=9, q="@session.id:s0-3") == ["s0-3"]

    assert len(sessions) == len(set(sessions)) == HOURS // 2 * 5


def older(http: httpx.Client, **query: Any) -> Any:
    given = {name: value for name, value in query.items() if value is not None}
    return http.get("/api/emulator/older", params={"source": "all", **given}).json()


def names(http: httpx.Client, **query: Any) -> list[str]:
    answer = http.get("/api/emulator/sessions", params=query).json()
    assert all(sum(session["counts"].values()) == 8 for session in answer["sessions"])
    return [session["id"] for session in answer["sessions"]]


def test_no_event_is_outside_of_its_extent() -> None:
    """Random files and times: whatever overlaps is read; stretches hold each number once, the newest first."""
    rng = random.Random(5)
    for _ in range(200):
        starts = [rng.randrange(1_000) for _ in range(rng.randint(1, 30))]
        contents = {n: Content(at, at + rng.randrange(100), rng.randrange(1, 64)) for n, at in enumerate(starts)}
        files = ArchiveFiles(64, contents, len(starts))
        start = rng.randrange(1_000)
        end = start + rng.randrange(100)
        part = files.of(Extent(times=(start, end)))
        assert all(n in part for n, one in contents.items() if one.start <= end and one.end >= start)
        before = rng.randrange(1, len(starts) * 64 + 9)
        stretches = list(files.stretches(before))
        seen = [number for one in stretches for number in range(one.last, one.first - 1, -1)]
        assert seen == list(range(min(before, len(starts) * 64) - 1, -1, -1))
        assert all(one.before <= one.first for one in stretches)


def test_the_newest_hour_is_the_last_wherever_it_lies() -> None:
    paths = [Path(f"/a/{root}/dt=2026111{day}/hour=07/archive_1.x.parquet") for root in "zy" for day in (2, 1)]

    assert [path.parts[-3] for path in by_time(paths)] == ["dt=20261111"] * 2 + ["dt=20261112"] * 2
