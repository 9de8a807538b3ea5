from __future__ import annotations

from typing import Protocol

import pytest

from tests.processes.program import Stage

CHILD = """
import logging, multiprocessing, os, signal, sys, time
from dd_pa import Emitter, Settings
emitter = Emitter(Settings.from_env())
logging.getLogger('dd_pa').setLevel('ERROR')  # which transport a child uses
def child(number=0):
    for _ in range(10):
        emitter.track("child.ran", usr="u-1")
    if number < 0:
        sys.exit(1)
    return number
def parent():
    for _ in range(10):
        emitter.track("parent.ran", usr="u-1")
"""


class Run(Protocol):
    """Runs some lines as the main module; returns the exit status and what was printed."""

    def __call__(self, lines: str, *args: str) -> tuple[int, str]: ...


@pytest.fixture
def run(stage: Stage) -> Run:
    """Run CHILD and the given lines as the main module, in a file so that it can be spawned."""

    def run_file(lines: str, *args: str) -> tuple[int, str]:
        file = stage.tmp_path / "main.py"
        body = "".join(f"    {line}\n" for line in lines.strip().splitlines())
        file.write_text(CHILD + "if __name__ == '__main__':\n" + body)
        with stage.running(file, *args) as program:
            return program.wait(), program.output

    return run_file


@pytest.mark.parametrize(
    ("method", "store"),
    [("fork", "memory"), ("fork", "spool"), ("spawn", "memory"), ("forkserver", "memory")],
    ids="{}".format,
    indirect=["store"],
)
def test_children_of_multiprocessing_deliver_before_they_end(stage: Stage, run: Run, method: str) -> None:
    """They end with `os._exit()`, some of them with an error; and the parent's events are sent by the parent only."""
    lines = f"""
parent()
context = multiprocessing.get_context({method!r})
children = [context.Process(target=child, args=(number,)) for number in (0, 1, -1)]
for one in children: one.start()
for one in children: one.join()
parent()
print([one.exitcode for one in children])
"""
    assert run(lines) == (0, "[0, 0, 1]\n")
    assert stage.names == {"parent.ran": 20, "child.ran": 30}
    assert set(stage.arrived.values()) == {1}


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_workers_of_a_pool_deliver_before_they_are_terminated(stage: Stage, run: Run) -> None:
    """Leaving the pool's block sends SIGTERM to them."""
    lines = """
parent()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(sorted(pool.map(child, range(6))))
"""
    assert run(lines) == (0, "[0, 1, 2, 3, 4, 5]\n")
    assert stage.names == {"parent.ran": 10, "child.ran": 60}


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_a_child_that_tracked_nothing_has_the_usual_action_of_sigterm(stage: Stage, run: Run) -> None:
    """The parent's handler is of no use there, and a child in foreign code would not die while that runs."""
    lines = """
parent()
pid = os.fork()
if pid == 0:
    os._exit(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    assert run(lines) == (0, "True False\n")


def test_a_bare_fork_that_flushes_loses_nothing(stage: Stage, run: Run) -> None:
    """`os._exit()` runs nothing of Python's: the buffer would be lost without `flush()`, the spool is not."""
    lines = """
parent()
pid = os.fork()
if pid == 0:
    child()
    assert sys.argv[1:] == ["spool"] or emitter.flush(60)
    os._exit(0)
print(os.waitpid(pid, 0)[1])
assert emitter.flush(60)
parent()
"""
    ended, output = run(lines, *(["spool"] if stage.durable else []))

    assert (ended, output) == (0, "0\n")
    if stage.durable:  # whoever comes next delivers what the child left, if the parent did not find it in time
        with stage.running("-c", CHILD + "child()\nsys.stdin.read()\ntime.sleep(60)") as program:
            stage.emulator.wait_for(40, timeout=30)
            program.end()
    assert stage.names["parent.ran"] == 20
    assert stage.names["child.ran"] == (20 if stage.durable else 10)
    assert set(stage.arrived.values()) == {1}
