"""Servers as child processes: started in a group of their own, waited for until they answer, and stopped as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

START = 120.0
STOP = 30.0
TAIL = 15


class DemoError(Exception):
    """The demo cannot go on; the text is for whoever started it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What to start, and where it will answer: what has no address is ready at once."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    url: str = ""
    health: str = ""
    """Path that answers 200 when the server is ready, and that fires no event."""


class Server:
    """A running service."""

    def __init__(self, service: Service, cwd: Path) -> None:
        self.service = service
        with service.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                service.command,
                cwd=cwd,
                env=dict(service.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for us; we tell the whole group, workers included
            )

    @property
    def pid(self) -> int:
        """Of the server, and of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def wait_until_ready(self) -> None:
        """Block until the server answers. Raises DemoError if it ends or stays silent for two minutes."""
        deadline = time.monotonic() + START
        while not self._answers():
            if self.exit_code is not None:
                raise DemoError(self.obituary())
            if time.monotonic() > deadline:
                raise DemoError(f"{self.service.name} did not answer within {START:.0f} s.\n{self._last_words()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        if not self.service.url:
            return True
        try:
            return httpx.get(self.service.url + self.service.health, timeout=10, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def obituary(self) -> str:
        """Say that the server ended by itself, and its last words."""
        return f"{self.service.name} ended by itself (exit code {self.exit_code}).\n{self._last_words()}"

    def _last_words(self) -> str:
        lines = self.service.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
        return "\n".join(["Its log ends with:", *(f"  {line}" for line in lines)]) if lines else "Its log is empty."

    def ask_to_stop(self) -> None:
        self._tell(signal.SIGTERM)

    def wait_until_gone(self) -> None:
        """Block until the whole group is gone; after half a minute it is killed, and then waited for a second more."""
        if not self._is_gone_within(STOP):
            self._tell(signal.SIGKILL)
            # No longer: where nobody reaps orphans, as in some containers, their group never ends.
            self._is_gone_within(1.0)
        self._process.wait()

    def _is_gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._process.poll()
            if not self._tell(0):
                return True
            time.sleep(0.02)
        return False

    def _tell(self, number: int) -> bool:
        """Send a signal to the group (0 only asks); return whether anybody was there."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says the second of a group of zombies
            return False
        return True


def stop(servers: Sequence[Server]) -> None:
    """Stop servers together, so that their patience does not add up."""
    for server in servers:
        server.ask_to_stop()
    for server in servers:
        server.wait_until_gone()
