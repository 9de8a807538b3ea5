"""Committed events are delivered, and no others, whoever is killed meanwhile."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dd_pa.emulator import Emulator
from tests.outbox.databases import KINDS, database
from tests.outbox.processes import Processes
from tests.waiting import wait_until

IN_FLIGHT = 8
"""CONCURRENCY of the deliverers."""

KILLS = 3
LEASE = ("--lease", "1", "--poll", "0.1")


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture(params=["tests.outbox.shop.processes"])
def shop(request: pytest.FixtureRequest) -> str:
    """The module that forks the processes of a project."""
    return str(request.param)


@pytest.fixture(params=KINDS)
def processes(request: pytest.FixtureRequest, shop: str, emulator: Emulator, tmp_path: Path) -> Iterator[Processes]:
    """Processes on an empty database of each kind."""
    with database(request.param, tmp_path) as made, emulator.running() as intake:
        running = Processes(shop, made, intake, tmp_path)
        try:
            running.run("migrate")
            yield running
        finally:
            running.end()


def arrived(emulator: Emulator) -> list[str]:
    """The ids of all events that the intake took."""
    return [event["dd_pa"]["event_id"] for event in emulator.events]


def kill_one_by_one(processes: Processes, emulator: Emulator, deliverers: list[int]) -> None:
    """Kill a deliverer each time that some more events have arrived, and start another."""
    for number in range(KILLS):
        enough = len(emulator.events) + 15
        wait_until(lambda enough=enough: len(emulator.events) >= enough, lambda: processes.log)  # type: ignore[misc]
        processes.kill(deliverers[number % 2])
        deliverers[number % 2] = processes.deliver(*LEASE)


@pytest.mark.timeout(300)
def test_what_is_committed_is_delivered_and_nothing_else(processes: Processes, emulator: Emulator) -> None:
    """Three processes commit and roll back, one is killed; two deliver, and are killed again and again."""
    deliverers = [processes.deliver(*LEASE) for _ in range(2)]
    buyers = [processes.start(f"buy {seed}") for seed in range(3)]
    kill_one_by_one(processes, emulator, deliverers)
    processes.kill(buyers[0])
    others = [processes.kill(buyer, signal.SIGTERM) for buyer in buyers[1:]]
    expected = processes.bought()
    wait_until(lambda: set(expected) <= set(arrived(emulator)), lambda: processes.log)
    endings = [processes.kill(deliverer, signal.SIGTERM) for deliverer in deliverers]

    counts = Counter(arrived(emulator))
    assert (others, endings) == ([0, 0], [0, 0]), processes.log
    assert len(expected) > KILLS * 15
    assert set(counts) == set(expected)
    assert counts.total() - len(counts) <= KILLS * 2 * IN_FLIGHT
