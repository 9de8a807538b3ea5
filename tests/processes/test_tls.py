"""TLS and HTTP/2 in processes that fork, and in greenlets: a connection belongs to whoever made it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.core.tls_intake import Certificates, H2Intake
from tests.processes.program import Stage

FORKS = """
import multiprocessing, os
from dd_pa import Emitter, Settings
emitter = Emitter(Settings.from_env())
def work(name):
    for _ in range(10):
        emitter.track(name, usr="u-1")
def child():
    work("child.ran")
    assert emitter.flush(60)
    work("child.ran")
context = multiprocessing.get_context("fork")
work("parent.ran")
assert emitter.flush(60)
children = [context.Process(target=child) for _ in range(3)]
for one in children: one.start()
work("parent.ran")
for one in children: one.join()
assert [one.exitcode for one in children] == [0, 0, 0]
grandchild = os.fork()
if not grandchild:
    os._exit(0)
os.waitpid(grandchild, 0)
work("parent.ran")
assert emitter.flush(60)
assert emitter.stats().retried == 0
"""
GREENLETS = """
from gevent import monkey; monkey.patch_all()
import asyncio, gevent, time
from dd_pa import Emitter, Settings
emitter = Emitter(Settings.from_env())
async def coroutine():
    for _ in range(10):
        emitter.track("coroutine.ran", usr="u-1")
        await asyncio.sleep(0.001)
        assert asyncio.get_running_loop()
def greenlet():
    for _ in range(10):
        emitter.track("greenlet.ran", {"text": "x" * 20_000}, usr="u-1")
        time.sleep(0.001)
started = [gevent.spawn(greenlet) for _ in range(10)]
asyncio.run(coroutine())
gevent.joinall(started, raise_error=True)
assert emitter.flush(60)
asyncio.run(coroutine())
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One authority for the module."""
    return Certificates(tmp_path_factory.mktemp("tls"))


def names(intake: H2Intake) -> Counter[str]:
    return Counter(event["event"]["name"] for event in intake.events)


def times(intake: H2Intake) -> set[int]:
    """Return how often events came."""
    return set(Counter(event["dd_pa"]["event_id"] for event in intake.events).values())


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_a_child_has_a_connection_of_its_own(stage: Stage, certificates: Certificates) -> None:
    """It makes one while its parent's is in use, and what it inherits it neither uses nor says farewell to."""
    with H2Intake(certificates) as intake:
        ended, output = stage.run(FORKS, DD_PA_INTAKE_URL=intake.url, DD_PA_CA_FILE=certificates.ca_file)

    assert (ended, output) == (0, "")
    assert names(intake) == {"parent.ran": 30, "child.ran": 60}
    assert (times(intake), intake.versions, len(intake.clients)) == ({1}, {"2"}, 4)


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_greenlets_share_a_connection(stage: Stage, certificates: Certificates) -> None:
    """Large and small events together, beside loops of other greenlets."""
    with H2Intake(certificates) as intake:
        ended, output = stage.run(GREENLETS, DD_PA_INTAKE_URL=intake.url, DD_PA_CA_FILE=certificates.ca_file)

    assert (ended, output) == (0, "")
    assert names(intake) == {"greenlet.ran": 100, "coroutine.ran": 20}
    assert (times(intake), intake.versions, len(intake.clients)) == ({1}, {"2"}, 1)
