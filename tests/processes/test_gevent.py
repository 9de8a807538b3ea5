from __future__ import annotations

import signal

import pytest

from tests.processes.program import Stage

BEFORE = "from gevent import monkey; monkey.patch_all()\nfrom dd_pa import Emitter, Settings\n"
AFTER = "from dd_pa import Emitter, Settings\nfrom gevent import monkey; monkey.patch_all()\n"
STARTED = (
    "import warnings; warnings.simplefilter('ignore')  # gevent's, which says to patch earlier\n"
    "from dd_pa import Emitter, Settings\nemitter = Emitter(Settings.from_env())\n"
    "emitter.track('early', usr='u')\nfrom gevent import monkey; monkey.patch_all()\n"
)
WORK = """
import asyncio, gevent, os, signal, sys, time
emitter = Emitter(Settings.from_env())
def greenlet():
    for _ in range(10):
        emitter.track("job.ran", usr="u-1")
        time.sleep(0.01)
gevent.joinall([gevent.spawn(greenlet) for _ in range(10)])
"""


@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize("order", [pytest.param(BEFORE, id="before"), pytest.param(AFTER, id="after import")])
@pytest.mark.parametrize("end", ["", "gevent.spawn_later(0, os.kill, os.getpid(), signal.SIGTERM); time.sleep(60)"])
def test_greenlets_deliver(stage: Stage, order: str, end: str) -> None:
    """Whenever gevent patched, and also when SIGTERM finds all greenlets asleep."""
    ended, output = stage.run(order + WORK + end)

    assert (ended, output) == (-signal.SIGTERM if end else 0, "")
    assert stage.names == {"job.ran": 100}


@pytest.mark.parametrize("store", ["spool"], indirect=True)
def test_patching_under_a_running_delivery_loses_nothing(stage: Stage) -> None:
    """A thread that was started before goes on as a thread (at whose end gevent makes Python complain)."""
    ended, output = stage.run(STARTED + "second = emitter" + WORK + "assert second.flush(20)\nsecond.close()")

    assert ended == 0, output
    assert stage.names == {"early": 1, "job.ran": 100}


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_delivery_is_no_event_loop_to_other_greenlets(stage: Stage) -> None:
    """Django's ORM would refuse to work, and asyncio.run() too."""
    script = """
from django.utils.asyncio import async_unsafe
@async_unsafe
def query():
    time.sleep(0.01)
async def main():
    for _ in range(10):
        emitter.track("job.ran", usr="u-1")
        time.sleep(0.01)
        await asyncio.sleep(0.01)
        assert asyncio.get_running_loop()
for _ in range(10):
    emitter.track("job.ran", usr="u-1")
    query()
asyncio.run(main())
"""
    ended, output = stage.run(BEFORE + WORK + script)

    assert (ended, output) == (0, "")
    assert stage.names == {"job.ran": 120}
