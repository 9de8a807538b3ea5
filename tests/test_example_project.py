"""`make demo`, without its virtual environment: real servers, real requests, and a check that can fail."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from example_project.demo.arrived import Refusal
from example_project.demo.expected import Happening
from example_project.demo.processes import DemoError, Server, Service
from example_project.demo.report import complaints
from example_project.demo.verdict import judge

ROOT = Path(__file__).parent.parent
EVENT = Happening(
    shop="goods-shop", name="order.placed", usr="7", account="acme", session=None, attributes={"order": {"total": 8}}
)


def demo(run_directory: Path, *arguments: str) -> tuple[int, str]:
    """Run the demo on ports of its own, until it ends; return its exit code and what it printed."""
    ports = ("--emulator-port=0", "--django-port=0", "--flask-port=0")
    answer = subprocess.run(
        [sys.executable, "-m", "example_project.demo", "--once", f"--run-dir={run_directory}", *ports, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode, answer.stdout + answer.stderr


def processes_of(run_directory: Path) -> list[str]:
    """List what still runs for a demo, by the directory that each of its servers is told."""
    mark = f"SHOP_RUN_DIR={run_directory}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


@pytest.mark.timeout(600)  # six servers start
def test_every_event_of_both_shops_arrives_and_nothing_else(tmp_path: Path) -> None:
    """All events arrive with the right ids, also from a path with spaces; afterwards no process is left."""
    directory = tmp_path / "a run"

    code, printed = demo(directory)

    assert (code, printed[printed.find("✓") :].strip()) == (
        0,
        "✓ All 44 expected events arrived, each linked as it should be; nothing else did.",
    ), printed
    assert processes_of(directory) == []


@pytest.mark.parametrize(
    ("shop", "command"),
    [
        ("django_shop", [str(ROOT / "example_project" / "django_shop" / "manage.py"), "dd_pa_events"]),
        ("flask_shop", ["-m", "flask", "--app=example_project.flask_shop:create_app", "dd-pa", "events"]),
    ],
)
def test_the_shops_are_on_their_plan(tmp_path: Path, shop: str, command: list[str]) -> None:
    """The classes agree with the lock file that the demo's emulator is told."""
    lock = ROOT / "example_project" / shop / "events.lock.json"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DD_", "DJANGO_", "FLASK_"))}
    env = {**inherited, "SHOP_RUN_DIR": str(tmp_path), "DD_API_KEY": "k", "DD_PA_INTAKE_URL": "http://127.0.0.1:9"}

    answer = subprocess.run(
        [sys.executable, *command, "check", f"--lock={lock}"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.timeout(600)
def test_a_missing_event_fails_the_demo(tmp_path: Path) -> None:
    """The check is real: when nobody searches, the exit code is 1 and the output names what did not come."""
    code, printed = demo(tmp_path, "--skip=search")

    assert code == 1
    assert [line.split(" (")[0] for line in printed.splitlines() if line.startswith("✗")] == [
        "✗ missing: goods-shop product.searched"
    ]


@pytest.mark.parametrize(
    ("arrived", "refused", "said"),
    [
        pytest.param([EVENT], [], [], id="as expected"),
        pytest.param(
            [],
            [],
            ["missing: goods-shop order.placed (user 7, account acme, session –) order.total=8"],
            id="missing",
        ),
        pytest.param(
            [EVENT, EVENT],
            [],
            ["unexpected: goods-shop order.placed (user 7, account acme, session –) order.total=8"],
            id="twice",
        ),
        pytest.param(
            [dataclasses.replace(EVENT, usr="8")],
            [],
            ["different: goods-shop order.placed: usr: expected '7', got '8'"],
            id="another user",
        ),
        pytest.param(
            [EVENT],
            [Refusal(status=400, name="a\x1b[2J", reason="no type")],
            ["refused with 400: a\\x1b[2J: no type"],
            id="refused, with terminal codes in its name",
        ),
    ],
)
def test_each_difference_is_said_once(arrived: list[Happening], refused: list[Refusal], said: list[str]) -> None:
    """A newcomer reads in one line what is wrong."""
    verdict = judge([EVENT], arrived, refused)

    assert list(complaints(verdict)) == said
    assert verdict.is_good == (not said)


@contextmanager
def started(tmp_path: Path, script: str, **more: Any) -> Iterator[Server]:
    service = Service(
        name="the shop",
        command=[sys.executable, "-c", script],
        env=dict(os.environ),
        url="http://127.0.0.1:9",
        health="/",
        log=tmp_path / "log",
        **more,
    )
    server = Server(service, tmp_path)
    try:
        yield server
    finally:
        server.ask_to_stop()
        server.wait_until_gone()


def test_a_server_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    """Nobody should have to look for a log file to learn that a port was taken."""
    with started(tmp_path, "import sys; sys.exit('the port is taken')") as server, pytest.raises(DemoError) as told:
        server.wait_until_ready()

    assert str(told.value) == ("the shop ended by itself (exit code 1).\nIts log ends with:\n  the port is taken")


def test_stopping_a_server_stops_its_workers(tmp_path: Path) -> None:
    """The whole process group is told, so that a worker does not outlive a master that died."""
    script = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    )
    with started(tmp_path, script) as server:
        with pytest.raises(DemoError):
            server.wait_until_ready()  # the master is gone
        worker = int((tmp_path / "log").read_text())
        assert is_running(worker)

    assert not is_running(worker)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not just waiting for somebody to ask for its exit code."""
    answer = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(answer.stdout.strip()) and not answer.stdout.strip().startswith("Z")
