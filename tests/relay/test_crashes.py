"""Publishers, brokers and deliverers that are killed: nothing is lost, and what goes twice is bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dd_pa.emulator import Emulator
from dd_pa.relay.publisher import BATCH
from tests.relay.brokers import Broker, OwnNats, OwnRabbitmq, OwnRedis, OwnServer, broker_of, own_server
from tests.relay.mock_kafka import MockKafka
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(400)  # several processes start, one after the other

ROOT = Path(__file__).parents[2]
Running = tuple[Emulator, str]


class Processes:
    """Publishers and deliverers of their own processes; none of them outlives the test."""

    def __init__(self, stack: ExitStack, broker: Broker | None, intake: str, folder: Path) -> None:
        self._stack, self._broker, self._folder = stack, broker, folder
        self.noted = folder / "ids.txt"
        self._env = {
            **os.environ,
            "DD_PA_APPLICATION_ID": "shop",
            "DD_PA_INTAKE_URL": intake,
            "DD_API_KEY": "k" * 32,
            "DD_PA_SPOOL_DIR": str(folder / "spool"),
            "DD_PA_TEST_RUN": "0",
            "PYTHONPATH": f"{ROOT / 'core'}{os.pathsep}{ROOT}",
        }

    def publish(self, count: int) -> subprocess.Popen[bytes]:
        assert self._broker is not None
        arguments = [self._broker.url, str(self._folder / "spool"), str(self.noted), str(count)]
        return self._run("tests.relay.publish", *arguments)

    def publish_all(self, count: int) -> None:
        """Publish events, and what was left of them: a quorum queue that is just made refuses for a while, and who
        ends meanwhile does not wait for it."""
        assert self.publish(count).wait(120) == 0, self.log
        self.publish_rest()

    def deliver(self, *options: str) -> subprocess.Popen[bytes]:
        assert self._broker is not None
        command = ["deliver", "--lease", "2", *options]
        return self._run("tests.relay.command", *command, DD_PA_DELIVER_FROM=self._broker.url)

    def deliver_spool(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        return self._run("tests.relay.command", "deliver", *options, **environment)

    def publish_rest(self) -> subprocess.Popen[bytes]:
        """Publish what others have left in the spool: who ends while the broker is away does not wait for it."""
        assert self._broker is not None
        return self.deliver_spool(DD_PA_RELAY_URL=self._broker.url)

    def _run(self, module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self._folder / "processes.txt").open("ab") as log:
            command = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(command, env={**self._env, **environment}, cwd=ROOT, stderr=log, stdout=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    @property
    def log(self) -> str:
        return (self._folder / "processes.txt").read_text()

    @property
    def tracked(self) -> list[str]:
        return self.noted.read_text().split() if self.noted.exists() else []


@pytest.fixture
def processes(broker: Broker, emulator: Running, tmp_path: Path) -> Iterator[Processes]:
    with ExitStack() as stack:
        yield Processes(stack, broker, emulator[1], tmp_path)


MortalBroker = OwnRedis | OwnNats | OwnRabbitmq | MockKafka


@pytest.fixture(params=["redis", "nats", "rabbitmq", "kafka"])
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MortalBroker]:
    """A broker that may be killed; this machine's RabbitMQ may not. The mock of Kafka keeps what it has, in memory."""
    folder = tmp_path / "broker"
    folder.mkdir()
    making = own_server("rabbitmq", folder) if request.param == "rabbitmq" else broker_of(request.param, folder)
    with making as found:
        assert isinstance(found, MortalBroker)
        if isinstance(found, OwnServer):
            found.prepare()
        yield found


def arrived(emulator: Running) -> Counter[str]:
    return Counter(event["dd_pa"]["event_id"] for event in emulator[0].events)


def all_arrived(processes: Processes, emulator: Running) -> bool:
    return set(processes.tracked) <= set(arrived(emulator))


def missing(processes: Processes, emulator: Running) -> str:
    """Say how many came, and what the processes said."""
    return f"{len(arrived(emulator))} of {len(processes.tracked)} events arrived\n{processes.log}"


def twice(emulator: Running) -> int:
    return sum(count - 1 for count in arrived(emulator).values())


def test_a_killed_publisher_loses_nothing(processes: Processes, emulator: Running) -> None:
    for wanted in (100, 250):
        publisher = processes.publish(100_000)
        wait_until(lambda wanted=wanted: len(processes.tracked) >= wanted, lambda: processes.log)  # type: ignore[misc]
        publisher.kill()
        publisher.wait()
    processes.publish_rest()
    deliverer = processes.deliver()
    wait_until(lambda: all_arrived(processes, emulator), lambda: missing(processes, emulator))
    assert twice(emulator) <= 2 * BATCH
    deliverer.send_signal(signal.SIGTERM)
    assert deliverer.wait(120) == 0, processes.log


def test_what_a_killed_deliverer_held_goes_to_another(processes: Processes, emulator: Running) -> None:
    processes.publish_all(300)
    emulator[0].fail(delay=0.2, times=100_000)
    deliverer = processes.deliver()
    wait_until(lambda: len(emulator[0].events) >= 100, lambda: processes.log)
    deliverer.kill()
    deliverer.wait()
    emulator[0].clear_faults()
    processes.deliver()
    wait_until(lambda: all_arrived(processes, emulator), lambda: missing(processes, emulator))
    assert twice(emulator) <= 2 * 100  # those in flight, and those whose settling was not written yet (CONCURRENCY)


def test_a_deliverer_that_is_told_to_end_gives_back_what_it_held(processes: Processes, emulator: Running) -> None:
    processes.publish_all(300)
    emulator[0].fail(delay=0.2, times=100_000)
    deliverer = processes.deliver()
    wait_until(lambda: len(emulator[0].events) >= 100, lambda: processes.log)
    deliverer.send_signal(signal.SIGTERM)
    assert deliverer.wait(120) in (0, 1), processes.log
    emulator[0].clear_faults()
    processes.deliver()
    wait_until(lambda: all_arrived(processes, emulator), lambda: missing(processes, emulator))


def test_several_deliverers_share_the_work(processes: Processes, broker: Broker, emulator: Running) -> None:
    deliverers = [processes.deliver() for _ in range(3)]
    processes.publish_all(300)
    wait_until(lambda: all_arrived(processes, emulator), lambda: missing(processes, emulator))
    for deliverer in deliverers:
        deliverer.send_signal(signal.SIGTERM)
    assert [deliverer.wait(120) for deliverer in deliverers] == [0, 0, 0], processes.log
    moved = 2 * 100 if broker.kind == "kafka" else 0  # on their way when their partition was given to another
    assert twice(emulator) <= moved


def test_a_broker_that_is_killed_loses_nothing_that_it_confirmed(
    own_broker: MortalBroker, emulator: Running, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        processes = Processes(stack, own_broker, emulator[1], tmp_path)
        publisher = processes.publish(1000)
        for wanted in (200, 600):
            wait_until(lambda wanted=wanted: len(processes.tracked) >= wanted, lambda: processes.log)  # type: ignore[misc]
            own_broker.kill()
            own_broker.start()
        assert publisher.wait(120) == 0, processes.log
        processes.publish_rest()
        processes.deliver()
        wait_until(lambda: len(emulator[0].events) > 300, lambda: processes.log)
        own_broker.kill()
        own_broker.start()
        wait_until(lambda: all_arrived(processes, emulator), lambda: missing(processes, emulator))
        assert twice(emulator) <= 2 * BATCH + 2 * 100


def test_events_wait_for_a_broker_that_is_away(own_broker: MortalBroker, emulator: Running, tmp_path: Path) -> None:
    own_broker.kill()
    with ExitStack() as stack:
        processes = Processes(stack, own_broker, emulator[1], tmp_path)
        processes.deliver()
        assert processes.publish(30).wait(120) == 0, processes.log
        own_broker.start()
        processes.publish_rest()
        wait_until(lambda: all_arrived(processes, emulator), lambda: missing(processes, emulator))
