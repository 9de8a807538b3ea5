from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dd_pa.emulator import Emulator
from tests.processes.program import Stage, make_stage_for


@pytest.fixture(params=["memory", "spool"])
def store(request: pytest.FixtureRequest) -> str:
    """Where events wait in the processes of a test."""
    return str(request.param)


@pytest.fixture
def make_stage(store: str, tmp_path: Path) -> Callable[[Emulator, str], Stage]:
    """Return what makes a stage for an intake that runs already."""

    def make(emulator: Emulator, url: str) -> Stage:
        return make_stage_for(emulator, url, tmp_path, durable=store == "spool")

    return make


@pytest.fixture
def stage(make_stage: Callable[[Emulator, str], Stage]) -> Iterator[Stage]:
    """A healthy intake, and programs that send to it."""
    emulator = Emulator()
    with emulator.running() as url:
        yield make_stage(emulator, url)
