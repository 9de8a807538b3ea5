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
    ended, output = stage.run(STARTED + "second = emitter" + WORK + "assert second.flush(60)\nsecond.close()")

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


SLOW_RESOLVER = """
from gevent.event import Event
from gevent.resolver.thread import Resolver
looking, go_on = Event(), Event()
class Slow(Resolver):
    def getaddrinfo(self, *args):
        looking.set()
        go_on.wait()
        return super().getaddrinfo(*args)
import asyncio, gevent, time
gevent.get_hub().resolver = Slow()
emitter = Emitter(Settings.from_env())
async def main():
    emitter.track("job.ran", usr="u-1")
    while not looking.is_set():
        await asyncio.sleep(0.001)
    for _ in range(3):
        await asyncio.sleep(0.001)
        assert asyncio.get_running_loop()
async def simple():
    await asyncio.sleep(0.001)
"""


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_others_run_loops_while_the_delivery_looks_up_a_name(stage: Stage) -> None:
    """A loop that waits goes on, one may end and another begin, and what has ended is not shown afterwards."""
    script = """
asyncio.run(main())
asyncio.run(simple())
go_on.set()
for _ in range(20):
    asyncio.run(simple())
    time.sleep(0.001)
emitter.close()
asyncio.run(simple())
"""
    url = stage.url.replace("127.0.0.1", "localhost")
    ended, output = stage.run(BEFORE + SLOW_RESOLVER + script, DD_PA_INTAKE_URL=url)

    assert (ended, output) == (0, "")
    assert stage.names == {"job.ran": 1}


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_the_end_of_a_delivery_ends_no_other_loop(stage: Stage) -> None:
    """Emitters begin and end while a coroutine of another greenlet waits."""
    script = """
over = []
async def main():
    while not over:
        await asyncio.sleep(0.0001)
        assert asyncio.get_running_loop()
other = gevent.spawn(asyncio.run, main())
for _ in range(10):
    emitter = Emitter(Settings.from_env())
    emitter.track("job.ran", usr="u-1")
    emitter.close()
    time.sleep(0.001)
over.append(True)
other.get()
"""
    ended, output = stage.run(BEFORE + WORK + script)

    assert (ended, output) == (0, "")
    assert stage.names == {"job.ran": 110}
