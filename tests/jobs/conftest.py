from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from dd_pa.emulator import Emulator
from tests.jobs.journey import SECRET, Runs
from tests.processes.program import Program, make_stage_for

StartWorker = Callable[..., tuple[Runs, Program]]


@pytest.fixture(scope="module")
def start_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartWorker]:
    """Starts `python …` as a worker that sends to an emulator; it is killed, with its children, after the module."""
    emulator = Emulator()
    with ExitStack() as stack:
        url = stack.enter_context(emulator.running())

        def start(*command: str, **env: str) -> tuple[Runs, Program]:
            stage = make_stage_for(emulator, url, tmp_path_factory.mktemp("worker"), durable=False)
            worker = stack.enter_context(stage.running(*command, DD_PA_JOB_SECRET=SECRET, **env))
            return Runs(emulator, worker), worker

        yield start
