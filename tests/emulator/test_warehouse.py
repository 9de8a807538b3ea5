from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.warehouse import event_expiry, writer
from dd_pa.emulator.warehouse import warehouse as module
from dd_pa.emulator.warehouse.database import WarehouseError
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import State, Warehouse
from tests.emulator.asking import SCALAR, analytics, ask, table
from tests.emulator.client import Client, event
from tests.waiting import wait_until

NOW = 1_800_000_000
DAY = 24 * 3600 * 1000


def put(warehouse: Warehouse, *moments: int) -> None:
    """Events of these times."""
    warehouse.put([Event(ts=ts, body={"type": "server", "n": n}) for n, ts in enumerate(moments)])


def moments(warehouse: Warehouse) -> list[int]:
    """The times of all events, in order of arrival."""
    return [ts for _, ts, _ in warehouse.newest(1_000)]


def test_fifteen_months(tmp_path: Path) -> None:
    """What is older than Datadog keeps it goes when the folder is opened."""
    days = [NOW * 1000 - DAY * number for number in range(event_expiry.DAYS_OF_PROOF)]
    old = days[-1] // DAY * DAY - event_expiry.KEPT_MS
    for _ in range(2):
        warehouse = Warehouse(tmp_path, lambda: NOW)
        kept = moments(warehouse)
        put(warehouse, old - 1, old, *days)
        assert len(moments(warehouse)) == len(kept) + 2 + len(days)
        warehouse.close()

    assert kept == [old, *days]


@pytest.mark.parametrize("years", [2, 50, -50])
def test_clock_of_another_year(tmp_path: Path, years: int) -> None:
    """A start with a clock that is years off, and events that come meanwhile, take nothing away."""
    off = NOW + 365 * 24 * 3600 * years
    for clock in (NOW, off, NOW):
        warehouse = Warehouse(tmp_path, lambda clock=clock: clock)  # type: ignore[misc]  # clock is bound here
        kept = moments(warehouse)
        put(warehouse, *(clock * 1000 + number for number in range(3)))
        moments(warehouse)
        warehouse.close()

    assert kept == [moment * 1000 + number for moment in (NOW, off) for number in range(3)]


def test_bounded_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound counts what is kept: a view that is sent again and again takes nobody's place."""
    monkeypatch.setattr(event_expiry, "MAX_EVENTS", 10)
    monkeypatch.setattr(writer, "_ROWS_BETWEEN_SWEEPS", 1)
    warehouse = Warehouse(None, lambda: NOW)
    put(warehouse, *range(8))
    for version in range(30):
        view = {"type": "view", "view": {"id": "v"}, "_dd": {"document_version": version}}
        warehouse.put([Event(ts=100, body=view, view_id="v")])
        assert moments(warehouse) == [*range(8), 100]
    put(warehouse, 101, 102)

    assert moments(warehouse) == [*range(1, 8), 100, 101, 102]
    warehouse.close()


def test_bounded_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many rows the oldest to come go."""
    monkeypatch.setattr(event_expiry, "MAX_EVENTS", 3)
    monkeypatch.setattr(writer, "_ROWS_BETWEEN_SWEEPS", 1)
    warehouse = Warehouse(tmp_path, lambda: NOW)
    put(warehouse, *(NOW * 1000 + n for n in range(5)))

    assert moments(warehouse) == [NOW * 1000 + n for n in (2, 3, 4)]
    warehouse.close()


def test_nothing_is_drawn_into_the_terminal() -> None:
    """DuckDB has a progress bar for queries that take two seconds: it stood in the output of the command."""
    warehouse = Warehouse(None, time.time)
    warehouse.catalogue()
    asked = "SELECT current_setting('enable_progress_bar')"

    assert warehouse.read(asked, {}, QueryDeadline(10)) == [(False,)]
    warehouse.close()


def test_bounded_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anybody asks, events only wait; those beyond the bound are lost for queries, and counted."""
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    warehouse = Warehouse(None, time.time)
    put(warehouse, *range(5))

    assert warehouse.state().lost == 2
    assert moments(warehouse) == [2, 3, 4]
    warehouse.close()


def test_opens_by_itself_when_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many events are not held in memory until somebody asks."""
    monkeypatch.setattr(module, "_QUIET_BEFORE_OPENING", 10)
    warehouse = Warehouse(None, time.time)
    put(warehouse, *range(10))

    wait_until(lambda: not warehouse._waiting)
    warehouse.close()


def test_a_failure_to_write_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """When events could not be written, queries say so instead of answering from half of them, until they are."""

    def fail(self: object, first: int, events: object, now_ms: int) -> None:
        raise WarehouseError("the disk is full")

    warehouse = Warehouse(None, time.time)
    with monkeypatch.context() as patched:
        patched.setattr(writer.Writer, "write", fail)
        put(warehouse, 1, 2)
        for _ in range(2):
            with pytest.raises(WarehouseError, match="the disk is full"):
                Statement(warehouse, QueryDeadline(30))
        put(warehouse, 3)
        assert warehouse.state() == State("the disk is full", 3, 0)
    monkeypatch.setattr(warehouse, "_retry_at", 0.0)

    assert moments(warehouse) == [1, 2, 3]
    assert warehouse.state() == State(None, 0, 0)
    warehouse.close()


FULL = """
import json, random, resource, sys, time
from pathlib import Path
from dd_pa.emulator.warehouse import warehouse as module
from dd_pa.emulator.warehouse.database import WarehouseError
from dd_pa.emulator.warehouse.table_row import Event

module._REST = 0.0
warehouse = module.Warehouse(Path(sys.argv[1]), time.time)

def put(first):
    pad = "%x" % random.getrandbits(16000)
    bodies = [{"type": "server", "n": n, f"new{first}": [n, n], "pad": pad} for n in range(first, first + 500)]
    view = {"type": "view", "view": {"id": "v"}, "_dd": {"document_version": first}}
    warehouse.put([Event(ts=body["n"], body=body) for body in bodies])
    warehouse.put([Event(ts=first, body=view, view_id="v")])

def known():
    try:
        return [ts for _, ts, _ in warehouse.newest(10_000)]
    except WarehouseError as error:
        return str(error)

put(0)
seen = [len(known())]
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
# What a process may write to a file is bounded: a disk that is full, for this process alone.
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
for first in (500, 1000):
    put(first)
    seen.append(known())
told = warehouse.state()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
seen += [sorted(known()) == sorted([*range(1500), 1000]), warehouse.state()]
warehouse.close()
again = module.Warehouse(Path(sys.argv[1]), time.time)
print(json.dumps([*seen, told, len(again.newest(10_000))]))
again.close()
"""


def test_full_disk(tmp_path: Path) -> None:
    """A disk that is full is named as the cause; when there is room again, everything is written, each event once."""
    (tmp_path / "full.py").write_text(FULL)
    command = [sys.executable, str(tmp_path / "full.py"), str(tmp_path / "data")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    first, full, still, written, well, told, again = json.loads(done.stdout)

    assert first == 501
    assert full.startswith("events cannot be written: ")
    assert full.endswith("File too large")
    assert still.endswith("File too large")
    assert told == [still, 1002, 0]
    assert (written, well, again) == (True, [None, 0, 0], 1501)


KILLED = """
import os, signal, sys, time
from pathlib import Path
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import Warehouse

warehouse = Warehouse(Path(sys.argv[1]), time.time)
for batch in range(5):
    warehouse.put([Event(ts=number, body={"type": "server", f"n{batch}": number}) for number in range(100)])
    warehouse.newest(1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kill(tmp_path: Path) -> None:
    """What a query has seen is there after kill -9."""
    (tmp_path / "killed.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), str(tmp_path / "data")]
    done = subprocess.run(command, check=False, timeout=100)
    warehouse = Warehouse(tmp_path / "data", time.time)

    assert done.returncode == -signal.SIGKILL
    assert len(moments(warehouse)) == 500
    warehouse.close()


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    """A folder that cannot be made is said at the start."""
    (tmp_path / "file").write_text("")

    with pytest.raises(WarehouseError, match="cannot be used as the emulator's data"):
        Warehouse(tmp_path / "file" / "data", time.time)


@pytest.mark.parametrize(("by_occurrence", "expected"), [(False, []), (True, [(1.0,)])])
def test_time_of_a_server_event(by_occurrence: bool, expected: list[Any]) -> None:
    """In queries an event has the time of its arrival, or that of its occurrence where the emulator was told so."""
    emulator = Emulator(by_occurrence=by_occurrence)
    request = analytics() | {"from": 1_000_000, "to": 3_000_000}
    with emulator.running() as url, httpx.Client(base_url=url, timeout=30) as http:
        Client(http).send(event(dd_pa={"occurred_at": 2_000_000}))
        answer = ask(http, "analytics/scalar", SCALAR, request)
    emulator.close()

    assert table(answer) == expected
