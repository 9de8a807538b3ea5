from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable

import pytest

from dd_pa.emulator import Emulator
from tests.processes.program import Stage

TRACK = """
import atexit, os, signal, sys, threading, time
from dd_pa import Emitter, Settings
emitter = Emitter(Settings.from_env())
def track(name="job.ran"):
    for _ in range(20):
        emitter.track(name, usr="u-1")
"""


REST = "while True:\n    time.sleep(0.02)"
"""Python handles signals between its own steps: one that comes just before a long sleep begins waits for its end."""


@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param("", 0, id="last line"),
        pytest.param("sys.exit(3)", 3, id="sys.exit"),
        pytest.param("raise KeyError", 1, id="unhandled exception"),
        pytest.param("threading.Thread(target=lambda: (time.sleep(0.2), track('job.late'))).start()", 0, id="a thread"),
        pytest.param("signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM, id="SIGTERM"),
        pytest.param("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", -signal.SIGINT, id="SIGINT"),
        pytest.param(
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(4)); signal.raise_signal(signal.SIGTERM)",
            4,
            id="SIGTERM with a handler",
        ),
    ],
)
def test_however_a_script_ends_nothing_is_lost(stage: Stage, end: str, status: int) -> None:
    """Also what its own exit function tracks; and the status is as it would be without us."""
    script = "atexit.register(lambda: track('job.ended'))\ntrack()\n"
    ended, output = stage.run(TRACK + script + end)

    late = {"job.late": 20} if "late" in end else {}
    last = {} if status == -signal.SIGTERM else {"job.ended": 20}
    assert (ended, stage.names) == (status, {"job.ran": 20, **late, **last}), output
    assert "lost" not in output


@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize("busy", ["thread.start()", "log.warning('x')", "flush()"])
def test_sigterm_can_come_at_any_time(stage: Stage, busy: str) -> None:
    """Whatever the main thread does then, and whatever locks it holds, the process ends by it, and soon."""
    script = f"""
import logging, queue, logging.handlers
log = logging.getLogger("dd_pa")
log.addHandler(logging.handlers.QueueHandler(queue.Queue()))
flush = lambda: emitter.flush(1)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
while True:
    thread = threading.Thread(target=time.sleep, args=(0,))
    {busy}
"""
    ended, output = stage.run(TRACK + "track('job.began')\n" + script)

    assert (ended, stage.names["job.began"]) == (-signal.SIGTERM, 20), output


def test_sigterm_that_finds_a_hung_intake_ends_the_process_in_time(
    make_stage: Callable[[Emulator, str], Stage],
) -> None:
    """After SHUTDOWN_TIMEOUT, by the signal; what was lost is said."""
    emulator = Emulator()
    emulator.fail(delay=600, times=None)
    with emulator.running() as url:
        stage = make_stage(emulator, url)
        script = TRACK + "track()\nprint('ready')\n" + REST
        with stage.running("-c", script, DD_PA_SHUTDOWN_TIMEOUT="1") as program:
            program.wait_for("ready")

            assert program.end() == -signal.SIGTERM
            assert ("20 lost" in program.output) is not stage.durable


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_a_second_sigterm_ends_the_process_at_once(make_stage: Callable[[Emulator, str], Stage]) -> None:
    """Whoever is in a hurry need not wait for SHUTDOWN_TIMEOUT."""
    emulator = Emulator()
    emulator.fail(delay=600, times=None)
    script = """
def say_when_the_first_is_handled():
    while signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        time.sleep(0.01)
    print("handled")

track()
threading.Thread(target=say_when_the_first_is_handled, daemon=True).start()
print("ready")
"""
    with emulator.running() as url:
        stage = make_stage(emulator, url)
        with stage.running("-c", TRACK + script + REST, DD_PA_SHUTDOWN_TIMEOUT="600") as program:
            program.wait_for("ready")
            program.process.send_signal(signal.SIGTERM)
            program.wait_for("handled")

            assert program.end() == -signal.SIGTERM


@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize("end", ["", "signal.raise_signal(signal.SIGTERM)"], ids=["exit", "SIGTERM"])
def test_all_emitters_share_one_deadline(make_stage: Callable[[Emulator, str], Stage], end: str) -> None:
    """Forty of them that cannot deliver end like one: one after the other they would take longer than is waited for."""
    emulator = Emulator()
    emulator.fail(delay=600, times=None)
    script = TRACK.replace("def track", "emitters = [Emitter(emitter.settings) for _ in range(40)]\ndef track") + (
        f"for each in emitters:\n    each.track('job.ran', usr='u')\nprint('ready')\n{end}"
    )
    with emulator.running() as url:
        stage = make_stage(emulator, url)
        with stage.running("-c", script, DD_PA_SHUTDOWN_TIMEOUT="2") as program:
            program.wait_for("ready")

            assert program.wait() == (-signal.SIGTERM if end else 0)


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_a_handler_of_the_application_is_left_alone(stage: Stage) -> None:
    """One that was there before, one that came later, and an ignored signal."""
    script = (
        """
import signal
seen = []
def own(number, frame):
    seen.append(number)
signal.signal(signal.SIGTERM, own)
"""
        + TRACK
    )
    script += """
track()
signal.raise_signal(signal.SIGTERM)
assert signal.getsignal(signal.SIGTERM) is own
signal.signal(signal.SIGTERM, signal.SIG_IGN)
other = Emitter(emitter.settings)
other.track("job.ran", usr="u-1")
assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
signal.signal(signal.SIGTERM, own)
signal.raise_signal(signal.SIGTERM)
print(seen)
"""
    assert stage.run(script) == (0, "[15, 15]\n")
    assert stage.names == {"job.ran": 21}


@pytest.mark.parametrize("store", ["spool"], indirect=True)
def test_an_ended_process_sent_each_event_once(stage: Stage) -> None:
    """Many events, a thread each for some of them, and the exit right after the last."""
    script = TRACK + "threads = [threading.Thread(target=track) for _ in range(20)]\n"
    script += "for thread in threads:\n    thread.start()\n"
    ended, output = stage.run(script)

    assert (ended, output) == (0, "")
    assert stage.names == {"job.ran": 400}
    assert Counter(stage.arrived.values()) == {1: 400}
