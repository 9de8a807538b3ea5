"""What is tracked by finalizers that the interpreter runs at its very end, when threads that begin never run."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import pytest

from dd_pa.emulator import Emulator
from tests.processes.program import Stage

FINALIZER = """
import signal
import sys
from dd_pa import Emitter, Settings
emitter = Emitter(Settings.from_env())
class Row:
    def __del__(self):
        assert sys.is_finalizing()
        emitter.track("row.gone", usr="u-1")
        emitter.track("nobody.known")
        print("dropped", emitter.stats().dropped)
row = Row()
"""


@pytest.mark.parametrize("before", [pytest.param("", id="first events"), "emitter.track('row.made', usr='u-1')"])
@pytest.mark.parametrize(
    ("store", "delivery"), [("memory", "thread"), ("spool", "thread"), ("spool", "process")], indirect=["store"]
)
@pytest.mark.parametrize("is_up", [pytest.param(True, id="intake"), pytest.param(False, id="no intake")])
def test_a_process_ends_whose_finalizers_track(
    make_stage: Callable[[Emulator, str], Stage], before: str, delivery: str, is_up: bool
) -> None:
    """Whoever would begin to deliver, to keep order or to report then; and what is lost by it is said."""
    emulator = Emulator()
    with emulator.running() as url:
        stage = make_stage(emulator, url if is_up else "http://127.0.0.1:9")
        environ = {"DD_PA_DELIVERY": delivery, "DD_PA_SHUTDOWN_TIMEOUT": "0.5"}
        ended, output = stage.run(FINALIZER + before, **environ)

    assert (ended, "'unlinked': 1" in output) == (0, True), output
    if not stage.durable:
        assert "'shutdown': 1" in output or "'closed': 1" in output, output


LATE = """
import atexit
atexit.register(lambda: print("kept", emitter.track("shop.closed", usr="u-1") is not None))
from dd_pa import Emitter, Settings
emitter = Emitter(Settings.from_env())
"""


@pytest.mark.parametrize(("fault", "is_lost"), [(0, False), (503, True)])
def test_the_first_event_may_come_after_our_own_exit_function(
    make_stage: Callable[[Emulator, str], Stage], fault: int, is_lost: bool
) -> None:
    """Of an application that registered its own before it imported us: it arrives, stays on disk, or is told of."""
    emulator = Emulator()
    if fault:
        emulator.fail(status=fault, times=None)
    with emulator.running() as url:
        stage = make_stage(emulator, url)
        ended, output = stage.run(LATE, DD_PA_SHUTDOWN_TIMEOUT="3" if fault else "20")

    has_thread = "the delivery thread cannot be started" not in output
    assert has_thread or sys.version_info[:2] == (3, 12)  # which has no new threads by then
    assert (ended, "kept True" in output) == (0, True), output
    assert stage.names == ({} if is_lost or not has_thread else {"shop.closed": 1}), output
    assert ("1 lost" in output) == (not stage.durable and (is_lost or not has_thread)), output


SIGNALLED = """
import os, signal
from dd_pa import Emitter, Settings
from dd_pa.delivery import warmup
warmup.warm_up = lambda settings: os.kill(os.getpid(), signal.SIGTERM)
emitter = Emitter(Settings.from_env())
emitter.track("row.made", usr="u-1")
"""


def test_a_signal_may_come_while_the_first_event_loads_the_delivery(
    make_stage: Callable[[Emulator, str], Stage],
) -> None:
    """Nobody can deliver then, as the interrupted import has its locks: what is lost by it is said."""
    stage = make_stage(Emulator(), "http://127.0.0.1:9")
    ended, output = stage.run(SIGNALLED, DD_PA_SHUTDOWN_TIMEOUT="0.2")

    assert ended == -signal.SIGTERM
    assert ("1 lost" in output) == (not stage.durable), output
