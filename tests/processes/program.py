"""Real processes: started in a group of their own, asked over HTTP, told to end, and never left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from dd_pa.emulator import Emulator
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
_numbers = itertools.count()
ADDRESS = re.compile(r"127\.0\.0\.1:(\d{2,})")


@dataclass(slots=True)
class Program:
    """A running process, with what it printed."""

    process: subprocess.Popen[bytes]
    log: Path
    tracked: list[str] = field(default_factory=list)
    """Ids of the events that its answers told of."""

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        """Block until it printed something."""
        wait_until(lambda: text in self.output or self.process.poll() is not None, lambda: self.output)
        assert text in self.output

    def wait_for_port(self) -> str:
        """Block until it says where it listens, and it answers there."""
        wait_until(lambda: bool(ADDRESS.search(self.output)) or self.process.poll() is not None, lambda: self.output)
        found = ADDRESS.search(self.output)
        assert found, self.output
        return f"http://127.0.0.1:{found[1]}/"

    def ask(self, url: str, times: int) -> set[int]:
        """Make requests, and return the workers that answered."""
        answers = [_get(url, self).split() for _ in range(times)]
        self.tracked += [event for event, _ in answers]
        return {int(pid) for _, pid in answers}

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return how the process ended."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Block until it ends."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; it printed:\n{self.output}") from None


def _get(url: str, program: Program) -> str:
    answer: list[tuple[int, str]] = []

    def answers() -> bool:
        connection = HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=PATIENCE)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            answer.append((response.status, response.read().decode()))
        except (OSError, HTTPException):  # it only begins to listen, or a worker was replaced under the connection
            return False
        finally:
            connection.close()
        return True

    wait_until(answers, lambda: program.output)
    assert answer[0][0] == 200, program.output
    return answer[0][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An intake, and how to start programs that send to it."""

    emulator: Emulator
    url: str
    env: Mapping[str, str]
    durable: bool
    """Events wait on disk."""

    tmp_path: Path

    @contextlib.contextmanager
    def running(self, *command: object, **env: str) -> Iterator[Program]:
        """Run `python …` while the block lasts."""
        log = self.tmp_path / f"log-{next(_numbers)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=ROOT,
                env={**self.env, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Program(process, log)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run(self, script: str, *args: object, **env: str) -> tuple[int, str]:
        """Run a script to its end; return its exit status and output."""
        with self.running("-c", script, *args, **env) as program:
            return program.wait(), program.output

    @property
    def arrived(self) -> Counter[str]:
        """The events at the intake by id, as often as they came."""
        return Counter(body["dd_pa"]["event_id"] for body in self.emulator.events)

    @property
    def names(self) -> Counter[str]:
        """The events at the intake by name, as often as they came."""
        return Counter(body["event"]["name"] for body in self.emulator.events)


OTHERS = ("DD_", "DJANGO_", "GUNICORN_", "WEB_CONCURRENCY", "PYTHONDEVMODE", "COVERAGE_")


def make_stage_for(emulator: Emulator, url: str, tmp_path: Path, *, durable: bool) -> Stage:
    """Return a stage for an intake that runs already; its programs know nothing of this process's environment."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(OTHERS)}
    env |= {
        "DD_API_KEY": "0123456789abcdef0123456789abcdef",
        "DD_PA_APPLICATION_ID": "shop",
        "DD_PA_INTAKE_URL": url,
        "DD_PA_SHUTDOWN_TIMEOUT": "20",
        "PYTHONPATH": os.pathsep.join(str(path) for path in (Path.cwd() / "core", Path.cwd())),
        "PYTHONUNBUFFERED": "1",
    }
    env["DD_PA_SPOOL_DIR"] = str(tmp_path / "spool") if durable else "none"
    return Stage(emulator=emulator, url=url, env=env, durable=durable, tmp_path=tmp_path)
