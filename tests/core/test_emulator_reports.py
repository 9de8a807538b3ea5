"""What the emulator's page is told: drops, and the plan; by programs of their own, as test runs report nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx

from dd_pa import Emitter
from dd_pa.emulator import Emulator
from tests.core.wire import settings

PROGRAM = """
from dd_pa import Emitter, Settings
with Emitter(Settings.from_env()) as emitter:
    for number in range(3):
        emitter.track("checkout.completed", {"secret": "marked"})
    emitter.track("report.viewed", {"rows": object()})
    emitter.track("x" * 600, usr="u-1")
"""


DECLARING = """
from dd_pa import Emitter, Event, Settings
class Paid(Event, name="told.paid", owner="shop"):
    total: int
class Later(Event, name="told.later"):
    other: "Unknown"
with Emitter(Settings.from_env()) as emitter:
    emitter.track(Paid(total=1), usr="u-1")
    emitter.track("told.payed", usr="u-1")
"""


def run(folder: Path, url: str, program: str = PROGRAM, **more: str) -> str:
    environ = {"DD_API_KEY": "k", "DD_PA_APPLICATION_ID": "a", "DD_PA_INTAKE_URL": url, "DD_PA_TEST_RUN": "0"}
    environ |= {"XDG_STATE_HOME": str(folder), **more}
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stderr


def test_drops_are_reported_by_reason_and_name(tmp_path: Path) -> None:
    """Also by a program that ends at once; attributes stay where they are, and each reason says what to do."""
    emulator = Emulator()
    with emulator.running() as url:
        said = run(tmp_path, url)
        report = httpx.get(f"{url}/api/emulator/drops").json()

    found = {(drop["reason"], drop["name"]): drop["count"] for drop in report["drops"]}
    assert found == {
        ("unlinked", "checkout.completed"): 3,
        ("unlinked", "report.viewed"): 1,
        ("invalid", "x" * 200): 1,
    }
    assert all(drop["meaning"] and drop["fix"] for drop in report["drops"])
    assert "marked" not in str(report)
    assert (emulator.events, "sign in, name somebody" in said) == ([], True)


def test_the_plan_is_told(tmp_path: Path) -> None:
    """With the first event, also by a program that ends then; a class that cannot be read is left out."""
    emulator = Emulator()
    with emulator.running() as url:
        run(tmp_path, url, DECLARING)
        plan = httpx.get(f"{url}/api/emulator/plan").json()

    [paid] = plan["events"]
    assert (paid["name"], paid["owner"], paid["source"], paid["count"]) == ("told.paid", "shop", "__main__.Paid", 1)
    assert [(other["name"], other["nearest"]) for other in plan["undeclared"]] == [("told.payed", None)]


def test_the_plan_is_told_where_another_process_delivers(tmp_path: Path) -> None:
    """`dd-pa deliver` knows no classes, so who writes to the spool tells them; one event is enough."""
    with Emulator().running() as url:
        run(tmp_path, url, DECLARING, DD_PA_DELIVERY="process")
        plan = httpx.get(f"{url}/api/emulator/plan").json()

    assert [(event["name"], event["count"]) for event in plan["events"]] == [("told.paid", 0)]


OUTBOX = """
import sqlalchemy
from dd_pa import Emitter, Event, Settings
from dd_pa.outbox import OutboxDeliverer
from dd_pa.outbox.sqlalchemy import SqlAlchemyTable, outbox_table
class Paid(Event, name="told.paid", owner="shop"):
    total: int
engine, metadata = sqlalchemy.create_engine("sqlite:///" + FILE), sqlalchemy.MetaData()
table = SqlAlchemyTable(engine, outbox_table(metadata))
metadata.create_all(engine)
settings = Settings.from_env()
with Emitter(settings) as emitter:
    table.add([emitter.integration.build(Paid(total=1), usr="u-1")])
assert OutboxDeliverer(settings, table).run(once=True)
engine.dispose()
"""


def test_the_plan_is_told_by_the_outbox(tmp_path: Path) -> None:
    """By its deliverer, which has imported the application."""
    with Emulator().running() as url:
        run(tmp_path, url, OUTBOX.replace("FILE", repr(str(tmp_path / "outbox.db"))))
        plan = httpx.get(f"{url}/api/emulator/plan").json()

    assert [(event["name"], event["count"]) for event in plan["events"]] == [("told.paid", 1)]


class Relay(BaseHTTPRequestHandler):
    """Answers as some relay on this machine might, and remembers what it was asked."""

    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.asked.append(("GET", self.path))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        self.asked.append(("POST", self.path))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def relay() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    asked: list[tuple[str, str]] = []
    with HTTPServer(("127.0.0.1", 0), type("Counting", (Relay,), {"asked": asked})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_a_relay_gets_no_report(tmp_path: Path) -> None:
    """It is asked once what it is; no event's name goes there."""
    with relay() as (url, asked):
        run(tmp_path, url)

    assert asked == [("GET", "/api/emulator/status")]


def test_an_emulator_that_is_not_there_holds_nobody_up(tmp_path: Path) -> None:
    """The log says it all the same."""
    assert "unlinked" in run(tmp_path, "http://127.0.0.1:9")


def test_test_runs_report_nothing() -> None:
    """They assert what they expect; no thread runs beside them."""
    emulator = Emulator()
    with emulator.running() as url:
        emitter = Emitter(settings(intake_url=url))
        emitter.track("checkout.completed")
        assert [thread.name for thread in threading.enumerate() if thread.name == "dd-pa-drop-report"] == []
    assert emitter.stats().dropped == {"unlinked": 1}
