"""No event leaves a test run by accident, whatever runs the tests; and none is held back in production."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dd_pa import Emitter
from dd_pa.delivery.outlet_factory import open_intake
from dd_pa.network.outcome import Outcome, Verdict
from tests.core.wire import settings

KEY = "0123456789abcdef0123456789abcdef"

TRACKING = """
import os
from dd_pa import Emitter, Settings

def track():
    emitter = Emitter(Settings(
        application_id="51419fd9-a73f-4508-9f74-ad07d6669a47", api_key=os.environ["KEY"],
        intake_url=os.environ["INTAKE"], spool_dir=os.environ["SPOOL"],
    ))
    emitter.track("order.placed", usr=1)
    emitter.flush(0.5)
    dropped = dict(emitter.stats().dropped)
    emitter.close(0.5)
    return dropped
"""
UNITTEST = """
import unittest
from tracking import track

class OrderTest(unittest.TestCase):
    def test_order(self):
        self.assertEqual(track(), {"test_run": 1})

if __name__ == "__main__":
    unittest.main()
"""
PYTEST = """
from tracking import track

def test_order():
    assert track() == {"test_run": 1}
"""
CHILD = """
import subprocess, sys

def test_order():
    subprocess.run([sys.executable, "-c", "from tracking import track; assert track() == {'test_run': 1}"], check=True)
"""
DJANGO_TESTS = """
from django.test import SimpleTestCase
from dd_pa_django import get_emitter, track

class OrderTest(SimpleTestCase):
    def test_order(self):
        self.assertIsNone(track("order.placed", usr=1))
        self.assertEqual(get_emitter().stats().dropped, {"test_run": 1})
"""
DJANGO_SETTINGS = """
import os
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["dd_pa_django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DD_PA = {"APPLICATION_ID": "a", "API_KEY": os.environ["KEY"], "INTAKE_URL": os.environ["INTAKE"], "SPOOL_DIR": None}
"""
MANAGE = """
import sys
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
FILES = {
    "tracking.py": TRACKING,
    "test_unit.py": UNITTEST,
    "test_py.py": PYTEST,
    "test_child.py": CHILD,
    "settings.py": DJANGO_SETTINGS,
    "manage.py": MANAGE,
    "shop/__init__.py": "",
    "shop/tests.py": DJANGO_TESTS,
}
RUN_PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:django"]


@pytest.fixture
def intake() -> Iterator[socket.socket]:
    """A port that notices connections. Its address is not one of this machine by name, but leads to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(project: Path, intake: socket.socket, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python with nothing of this test run in its environment."""
    port = intake.getsockname()[1]
    given = {"KEY": KEY, "INTAKE": f"https://0.0.0.0:{port}", "SPOOL": str(project / "spool"), **environ}
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={**kept, "PYTHONPATH": str(project), "DJANGO_SETTINGS_MODULE": "settings", **given},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def was_connected(intake: socket.socket) -> bool:
    try:
        intake.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([*RUN_PYTEST, "test_py.py"], id="pytest"),
        pytest.param([*RUN_PYTEST, "-p", "no:dd_pa", "test_py.py"], id="pytest-without-the-plugin"),
        pytest.param([*RUN_PYTEST, "test_child.py"], id="pytest-and-a-process-it-starts"),
        pytest.param(["-m", "unittest", "-q", "test_unit"], id="unittest"),
        pytest.param(["test_unit.py"], id="unittest-main"),
        pytest.param(["manage.py", "test", "shop"], id="manage.py-test"),
        pytest.param(["-c", "from tracking import track; assert track() == {'test_run': 1}"], id="variable"),
    ],
)
def test_nothing_leaves_a_test_run(project: Path, intake: socket.socket, command: list[str]) -> None:
    """With a real-looking key and an intake elsewhere: no connection, no file; the tests themselves pass."""
    environ = {"DD_PA_TEST_RUN": "1"} if command[0] == "-c" else {}

    ran = run(project, intake, *command, **environ)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (was_connected(intake), (project / "spool").exists()) == (False, False)


@pytest.mark.parametrize(
    ("command", "environ"),
    [
        pytest.param(["-c", "from tracking import track; assert track() == {}"], {}, id="production"),
        pytest.param(
            ["-c", "import unittest, pytest, django.test; from tracking import track; assert track() == {}"],
            {},
            id="what-tests-import",
        ),
        pytest.param(
            ["-m", "unittest", "-q", "test_unit"], {"DD_PA_TEST_RUN": "0"}, id="test-run-that-is-told-to-send"
        ),
    ],
)
def test_events_leave_otherwise(
    project: Path, intake: socket.socket, command: list[str], environ: dict[str, str]
) -> None:
    """The port of the tests above does notice; and production is not taken for a test run."""
    ran = run(project, intake, *command, **environ)

    assert (ran.returncode == 0) == (not environ), ran.stdout + ran.stderr  # that test expects to be held back
    assert (was_connected(intake), (project / "spool").exists()) == (True, True)


def test_it_is_said_once(project: Path, intake: socket.socket) -> None:
    """Whoever wonders where the events are finds out how to look at them."""
    ran = run(project, intake, "-c", "from tracking import track; track(); track()", DD_PA_TEST_RUN="1")

    assert ran.stderr.count("this is a test run") == 1
    assert KEY not in ran.stderr


def test_the_delivery_connects_to_nobody_either(intake: socket.socket) -> None:
    """What waited on disk before the tests would be next; it goes on waiting."""
    url = f"https://0.0.0.0:{intake.getsockname()[1]}"
    event = Emitter(settings()).integration.build("order.placed", usr=1)
    assert event is not None

    async def send() -> Outcome:
        return await open_intake(settings(intake_url=url)).send(event, event.body)

    outcome = asyncio.run(send())

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "ConnectError")
    assert not was_connected(intake)
