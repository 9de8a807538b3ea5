"""Measurements in processes of their own, so that none leaves threads, memory or imports to the next."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

MARK = "\x1e"
"""Begins the line of an answer, among whatever an SDK prints."""

PATIENCE = 120.0
"""Seconds after which a contestant that does not answer is killed, which fails its benchmark."""


class Contestant:
    """A process that is kept alive between its turns, with all that its SDK has loaded and started."""

    def __init__(self, module: str, *arguments: object, environ: Mapping[str, str] | None = None) -> None:
        self._logged = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command(module, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._logged,
            env=environ,
            text=True,
            process_group=0,
        )

    def ask(self, question: object) -> Any:
        """Have it measure once, and return what it found."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """Wait for what it says next; first of all it says that it is ready."""
        assert self._process.stdout is not None
        late = threading.Timer(PATIENCE, self._process.kill)
        late.start()
        try:
            for line in self._process.stdout:
                if line.startswith(MARK):
                    return json.loads(line[1:])
        finally:
            late.cancel()
        self._logged.seek(0)
        raise RuntimeError(f"{self._process.args!r} failed:\n{self._logged.read()[-2000:]}")

    def end(self) -> None:
        """Kill it."""
        with self._process:
            self._process.kill()
        self._logged.close()


@contextlib.contextmanager
def contestants(module: str, arguments: Mapping[str, Iterable[object]]) -> Iterator[dict[str, Contestant]]:
    """Run one process of a module for each name and its arguments, for the time of the block."""
    with contextlib.ExitStack() as ending:
        started = {}
        for name, values in arguments.items():
            started[name] = Contestant(module, *values)
            ending.callback(started[name].end)
        for contestant in started.values():
            contestant.answer()
        yield started


def take_turns(measure: Callable[[Any], object]) -> None:
    """Answer each question that comes in, in a contestant's process; what an SDK would do at its end is not done."""
    print(f"\n{MARK}null", flush=True)
    for line in sys.stdin:
        print(f"\n{MARK}{json.dumps(measure(json.loads(line)))}", flush=True)
    os._exit(0)


def call(module: str, *arguments: object) -> Any:
    """Run `python -m module arguments` once, in a fresh process, and return what it answers.

    What an SDK logs is taken and thrown away, unless the process fails.
    """
    with tempfile.TemporaryFile("w+") as logged:
        line = command(module, *arguments)
        ended = subprocess.run(line, check=False, stdout=subprocess.PIPE, stderr=logged, text=True)
        if ended.returncode:
            logged.seek(0)
            raise RuntimeError(f"{ended.args!r} failed:\n{logged.read()[-2000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


@contextlib.contextmanager
def started(line: list[str], environ: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a command beside this process, in a process group of its own; what it prints can be read."""
    with subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        text=True,
        process_group=0,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def command(module: str, *arguments: object) -> list[str]:
    """Return the command line of a module."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def answer(found: object) -> None:
    """Print what was measured, and end this process at once, whatever an SDK would still do."""
    print("\n" + json.dumps(found), flush=True)
    os._exit(0)
