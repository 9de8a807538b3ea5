from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dd_pa import Emitter, RetryPolicy, Settings
from dd_pa.emulator import Emulator
from dd_pa.outbox import OutboxDeliverer
from dd_pa.process import testbed
from dd_pa.relay.brokers import RelayQueue, open_queue
from dd_pa.settings.relay_address import address
from tests.relay.brokers import KINDS, Broker, broker_of

SOON = RetryPolicy(base=0.02, cap=0.2, pause=0.1)
APPLICATION = "shop"


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A broker of each kind, without events."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with broker_of(request.param, folder) as found:
        yield found


@pytest.fixture
def emulator() -> Iterator[tuple[Emulator, str]]:
    """An intake, and its address."""
    emulator = Emulator()
    with emulator.running() as url:
        yield emulator, url


Publishers = Callable[..., Emitter]


@pytest.fixture
def publisher(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publishers]:
    """Makes emitters whose events go to the broker."""
    monkeypatch.setattr(testbed, "_is_on", False)  # asked once in a process: another test may have been first
    with ExitStack() as stack:

        def make(url: str | None = None, **changes: object) -> Emitter:
            usual: dict[str, object] = {"application_id": APPLICATION, "spool_dir": str(tmp_path / "spool")}
            settings = Settings(relay_url=url or broker.url, **{**usual, **changes})  # type: ignore[arg-type]
            return stack.enter_context(Emitter(settings, retry=SOON))

        yield make


@pytest.fixture
def queue(broker: Broker) -> Iterator[RelayQueue]:
    """The broker as a deliverer sees it."""
    queue = open_queue(address("RELAY_URL", broker.url))
    yield queue
    queue.close()


@pytest.fixture
def deliverer(queue: RelayQueue, emulator: tuple[Emulator, str]) -> OutboxDeliverer:
    """Delivers from the broker to the emulator."""
    settings = Settings(application_id=APPLICATION, api_key="k" * 32, intake_url=emulator[1], spool_dir=None)
    return OutboxDeliverer(settings, queue, retry=SOON, lease=5.0, poll=0.05)
