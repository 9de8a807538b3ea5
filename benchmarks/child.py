"""Runs one measurement in a fresh process, so that none leaves threads, memory or imports to the next."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any


def call(module: str, *arguments: object) -> Any:
    """Run `python -m module arguments`, and return what its last printed line says as JSON.

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
