from __future__ import annotations

import re
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.processes.program import Program, Stage
from tests.waiting import wait_until

UWSGI = shutil.which("pyuwsgi", path=str(Path(sys.executable).parent))
pytestmark = pytest.mark.skipif(UWSGI is None, reason="needs pyuwsgi (pip install --group test)")

THREADS = "set `enable-threads = true`"
SERVE = (
    "import sys, pyuwsgi; pyuwsgi.run(['--http-socket', '127.0.0.1:0', '--module', 'tests.processes.shop:application', "
    "'--need-app', '--die-on-term', *sys.argv[1:]])"
)


def start(*options: str) -> list[str]:
    """Return what starts uWSGI with the shop."""
    return ["-c", SERVE, *options]


@pytest.mark.parametrize(
    ("options", "store"),
    [
        pytest.param(("--master", "--processes", "2", "--py-call-uwsgi-fork-hooks"), "memory", id="fork hooks, memory"),
        pytest.param(("--master", "--processes", "2", "--lazy-apps"), "memory", id="lazy-apps, memory"),
    ],
    indirect=["store"],
)
def test_no_event_is_lost_under_uwsgi(stage: Stage, options: tuple[str, ...]) -> None:
    """Workers deliver what they track, and the master what it tracked before."""
    with stage.running(*start("--enable-threads", *options), TRACK_WHEN_LOADED="1") as program:
        program.ask(program.wait_for_port(), 10)
        loads = 2 if "--lazy-apps" in options else 1
        wait_until(lambda: workers_heed_signals(program), lambda: program.output)
        end_at_rest(program)

        assert "uWSGI forked" not in program.output
        assert THREADS not in program.output
    assert Counter(program.tracked) <= stage.arrived
    assert set(stage.arrived.values()) == {1}
    assert stage.names["shop.loaded"] == 5 * loads


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_forks_that_python_does_not_see_are_spoken_of(stage: Stage) -> None:
    """uWSGI forks in C: whoever tracks before that is told what to set."""
    options = start("--enable-threads", "--master", "--processes", "2")
    with stage.running(*options, TRACK_WHEN_LOADED="1") as program:
        program.wait_for("set `py-call-uwsgi-fork-hooks = true`")


@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize(
    ("threads", "said"), [pytest.param("False", True, id="none"), pytest.param("True", False, id="some")]
)
def test_uwsgi_without_threads_is_said(stage: Stage, threads: str, said: bool) -> None:
    """Once, and with the fix. Newer versions always have threads, so this one is told that it has none."""
    lines = [f"import uwsgi; uwsgi.has_threads = {threads}", "from tests.processes.shop import application"]
    file = stage.tmp_path / "application.py"
    file.write_text("\n".join(lines))
    with stage.running(
        "-c", SERVE.replace("'--module', 'tests.processes.shop:application'", f"'--wsgi-file', '{file}'")
    ) as program:
        program.ask(program.wait_for_port(), 5)
        end_at_rest(program)

        assert (program.output.count(THREADS) == 1) is said
    assert stage.arrived == Counter(program.tracked)


def end_at_rest(program: Program) -> None:
    """End uWSGI once no worker is busy: it ends a busy one without any exit function."""
    wait_until(lambda: program.output.count("=> generated") == len(program.tracked), lambda: program.output)
    program.end()


def workers_heed_signals(program: Program) -> bool:
    """Tell whether both workers have uWSGI's handlers, which it sets once the app is loaded.

    It says that the app is ready before that, and a worker that is ended in between hears of it never: the master waits
    for it for a minute.
    """
    pids = re.findall(r"spawned uWSGI worker \d+ \(pid: (\d+)", program.output)
    caught = [re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text()) for pid in pids]
    return len(pids) == 2 and all(mask and int(mask[1], 16) >> (signal.SIGUSR1 - 1) & 1 for mask in caught)
