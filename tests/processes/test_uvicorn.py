from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.processes.program import Stage

UVICORN = ["-m", "uvicorn", "--port", "0", "--lifespan", "off", "tests.processes.shop:asgi"]


@pytest.mark.parametrize(
    ("workers", "store"), [("1", "spool"), ("2", "memory")], ids=["1, spool", "2, memory"], indirect=["store"]
)
def test_no_event_is_lost_when_uvicorn_ends(stage: Stage, workers: str) -> None:
    """It ends by the signal that it got, so that no exit function of Python runs."""
    with stage.running(*UVICORN, "--workers", workers) as program:
        program.ask(program.wait_for_port(), 10)
        assert program.end() in (0, -signal.SIGTERM)
        assert "lost" not in program.output

    assert stage.arrived == Counter(program.tracked)


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_no_event_is_lost_where_a_program_runs_uvicorn(stage: Stage) -> None:
    """There, too, SIGTERM is raised again at the end, and meets the handler that was there before."""
    script = "import uvicorn\nfrom tests.processes.shop import asgi\nuvicorn.run(asgi, port=0, lifespan='off')\n"
    with stage.running("-c", script) as program:
        program.ask(program.wait_for_port(), 10)

        assert program.end() == -signal.SIGTERM
    assert stage.arrived == Counter(program.tracked)
