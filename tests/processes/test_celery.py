from __future__ import annotations

import os
import socket
from collections import Counter
from uuid import uuid4

import pytest

from tests.processes.program import Stage

REDIS = os.environ.get("TEST_REDIS", "127.0.0.1:6379")


def is_reachable(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    return True


SEND = """
import logging
from tests.processes.tasks import order
orders = [order.delay(number) for number in range(20)]
print("tracked", *[each.get(timeout=30) for each in orders])
"""


@pytest.mark.skipif(not is_reachable(REDIS), reason=f"needs Redis at {REDIS} (TEST_REDIS)")
@pytest.mark.parametrize(
    ("options", "store"),
    [
        pytest.param((), "memory", id="children stay, memory"),
        pytest.param(("--max-tasks-per-child", "10"), "spool", id="recycled, spool"),
    ],
    indirect=["store"],
)
def test_children_of_celery_deliver_before_they_end(stage: Stage, options: tuple[str, ...]) -> None:
    """They are forked from a parent that tracked an event, and end with `os._exit()`."""
    names = {"BROKER": f"redis://{REDIS}/9", "QUEUE": f"dd-pa-{uuid4().hex}"}
    worker = ["-m", "celery", "-A", "tests.processes.tasks", "worker", "--pool", "prefork", "--concurrency", "2"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", *options]
    with stage.running(*worker, *quiet, **names) as program:
        ended, output = stage.run(SEND, **names)
        assert ended == 0, output + program.output
        program.end()
        assert "lost" not in program.output

    tracked = next(line.split()[1:] for line in output.splitlines() if line.startswith("tracked"))
    assert len(tracked) == 20
    assert Counter(tracked) <= stage.arrived
    assert set(stage.arrived.values()) == {1}
    assert stage.names == {"order.placed": 20, "worker.loaded": 2}
