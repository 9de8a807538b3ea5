from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from tests.processes.program import Program, Stage
from tests.waiting import wait_until

WORKERS = {"sync": (), "gthread": ("--threads", "4"), "gevent": ()}


def command(kind: str, *options: str) -> list[str]:
    """Return what starts gunicorn with the shop."""
    usual = ["--bind", "127.0.0.1:0", "--workers", "2", "--worker-class", kind, "--graceful-timeout", "20"]
    return ["-m", "gunicorn", *usual, *WORKERS[kind], *options, "tests.processes.shop:application"]


def ask_until_others_answer(program: Program, url: str, workers: set[int], others: int = 2) -> set[int]:
    """Make requests until none of these workers is left, and so many others are ready.

    gunicorn does not see a signal to a worker that only starts, and waits for it until its timeout.
    """
    answered: set[int] = set()

    def others_answer() -> bool:
        answered.update(program.ask(url, 1))
        return not any(_lives(pid) for pid in workers) and len(answered - workers) >= others

    wait_until(others_answer, lambda: program.output)
    return answered - workers


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "preload", "store"),
    [
        pytest.param("sync", ("--preload",), "memory", id="sync, preload, memory"),
        pytest.param("gthread", ("--preload",), "spool", id="gthread, preload, spool"),
        pytest.param("gevent", ("--preload",), "memory", id="gevent, preload, memory"),
        pytest.param("gevent", (), "spool", id="gevent, spool"),
    ],
    indirect=["store"],
)
def test_no_event_is_lost_while_workers_come_and_go(stage: Stage, kind: str, preload: tuple[str, ...]) -> None:
    """Workers ended, the master reloaded and then ended right after an answer: each event arrives, and once."""
    with stage.running(*command(kind, *preload), TRACK_WHEN_LOADED="1") as program:
        url = program.wait_for_port()
        workers = program.ask(url, 10)
        os.kill(min(workers), signal.SIGTERM)
        workers |= ask_until_others_answer(program, url, {min(workers)})
        program.ask(url, 10)
        program.process.send_signal(signal.SIGHUP)
        ask_until_others_answer(program, url, workers)
        program.ask(url, 10)

        assert program.end() == 0
        assert "Traceback" not in program.output
        assert "lost" not in program.output

    loaded = 5 if preload else stage.names["shop.loaded"]
    assert stage.names == {"page.viewed": len(program.tracked), "shop.loaded": loaded}
    assert loaded % 5 == 0
    assert Counter(program.tracked) <= stage.arrived
    assert set(stage.arrived.values()) == {1}


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_no_event_is_lost_when_workers_are_recycled(stage: Stage) -> None:
    """With `max_requests`, each worker ends after some requests."""
    with stage.running(*command("sync", "--max-requests", "5")) as program:
        url = program.wait_for_port()
        workers = program.ask(url, 20)

        assert program.end() == 0
    assert len(workers) > 2
    assert stage.arrived == Counter(program.tracked)
