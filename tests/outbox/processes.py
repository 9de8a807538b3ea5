from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.outbox.databases import Database
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


class Processes:
    """Forked processes of one project, on one database and one intake; none of them outlives the test."""

    def __init__(self, module: str, database: Database, intake: str, folder: Path) -> None:
        self._log, self._folder = folder / "log.txt", folder
        self._children: set[int] = set()
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.outbox.settings",
            "OUTBOX_DATABASE": json.dumps(database.django),
            "OUTBOX_URL": database.url,
            "DD_PA_INTAKE_URL": intake,
            "PYTHONPATH": os.pathsep.join((str(ROOT / "core"), str(ROOT))),
        }
        with self._log.open("w") as log:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", module],
                env=env,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @property
    def log(self) -> str:
        """What they wrote to stderr."""
        return self._log.read_text()

    def _ask(self, line: str) -> int:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(f"{line}\n")
        self._parent.stdin.flush()
        answer = self._parent.stdout.readline()
        assert answer, self.log
        return int(answer)

    def start(self, command: str) -> int:
        """Fork one, and return its id."""
        pid = self._ask(command)
        self._children.add(pid)
        return pid

    def wait(self, pid: int) -> int:
        """Block until one ends, and return its exit code."""
        code = self._ask(f"wait {pid}")
        self._children.discard(pid)
        return code

    def run(self, command: str) -> None:
        """Fork one, and wait for its good end."""
        assert self.wait(self.start(command)) == 0, self.log

    def kill(self, pid: int, number: int = signal.SIGKILL) -> int:
        """Send a signal, and return how the process ended."""
        os.kill(pid, number)
        return self.wait(pid)

    def deliver(self, *options: str) -> int:
        """Start a deliverer; it is ready when this returns."""
        pid = self.start(" ".join(("deliver", *options)))
        wait_until(lambda: f"-{pid}-" in self.log, lambda: self.log)
        return pid

    def bought(self) -> list[str]:
        """The events that the database says there must be."""
        path = self._folder / "bought.txt"
        self.run(f"bought {path}")
        return path.read_text().split()

    def end(self) -> None:
        """Kill all of them."""
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._parent.kill()
        self._parent.communicate()
