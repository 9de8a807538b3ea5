from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dd_pa.emulator import Emulator
from tests.processes.program import Stage

OTHERS = ("DD_", "DJANGO_", "GUNICORN_", "WEB_CONCURRENCY", "PYTHONDEVMODE", "COVERAGE_")


@pytest.fixture(params=["memory", "spool"])
def store(request: pytest.FixtureRequest) -> str:
    """Where events wait in the processes of a test."""
    return str(request.param)


@pytest.fixture
def make_stage(store: str, tmp_path: Path) -> Callable[[Emulator, str], Stage]:
    """Return what makes a stage for an intake that runs already."""

    def make(emulator: Emulator, url: str) -> Stage:
        env = {key: value for key, value in os.environ.items() if not key.startswith(OTHERS)}
        env |= {
            "DD_API_KEY": "0123456789abcdef0123456789abcdef",
            "DD_PA_APPLICATION_ID": "shop",
            "DD_PA_INTAKE_URL": url,
            "DD_PA_SHUTDOWN_TIMEOUT": "20",
            "PYTHONPATH": os.pathsep.join(str(path) for path in (Path.cwd() / "core", Path.cwd())),
            "PYTHONUNBUFFERED": "1",
        }
        env["DD_PA_SPOOL_DIR"] = str(tmp_path / "spool") if store == "spool" else "none"
        return Stage(emulator=emulator, url=url, env=env, durable=store == "spool", tmp_path=tmp_path)

    return make


@pytest.fixture
def stage(make_stage: Callable[[Emulator, str], Stage]) -> Iterator[Stage]:
    """A healthy intake, and programs that send to it."""
    emulator = Emulator()
    with emulator.running() as url:
        yield make_stage(emulator, url)
