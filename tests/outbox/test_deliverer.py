"""What a deliverer does with the table of any database, and of any library."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from dd_pa import Emitter, RetryPolicy, Settings
from dd_pa.emulator import Emulator
from dd_pa.outbox import Counts, OutboxDeliverer, OutboxTable, deliverer
from tests.outbox.tables import Outbox
from tests.waiting import wait_until

HOUR = 3_600_000
SOON = RetryPolicy(base=0.01, cap=0.05, pause=0.05)


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def emulator() -> Iterator[tuple[Emulator, str]]:
    """An intake, and its address."""
    emulator = Emulator()
    with emulator.running() as url:
        yield emulator, url


@pytest.fixture
def emitter(emulator: tuple[Emulator, str]) -> Iterator[Emitter]:
    """Builds the events."""
    settings = Settings(application_id="shop", api_key="k" * 32, intake_url=emulator[1], strict=True, spool_dir=None)
    with Emitter(settings) as emitter:
        yield emitter


Store = Callable[[str], None]


@pytest.fixture
def store(made: Outbox, emitter: Emitter) -> Store:
    """Stores an event in a transaction of its own."""

    def store_event(name: str) -> None:
        event = emitter.integration.build(name, usr="u-1")
        assert event is not None
        with made.stored() as put:
            put([event])

    return store_event


def claim(table: OutboxTable, owner: str, limit: int = 9) -> list[int]:
    return [row.id for row in table.claim(limit, owner=owner, now=now(), until=now() + HOUR)]


def run_in_thread(deliverer: OutboxDeliverer, table: OutboxTable) -> None:
    """Run a deliverer, and close the thread's connection."""
    try:
        deliverer.run()
    finally:
        table.reset()


@pytest.fixture
def background(emitter: Emitter, made: Outbox) -> Iterator[OutboxDeliverer]:
    """A deliverer that runs in a thread of the test."""
    table = made.table()
    deliverer = OutboxDeliverer(emitter.settings, table, retry=SOON, lease=3.0, poll=0.05)
    thread = threading.Thread(target=run_in_thread, args=(deliverer, table))
    thread.start()
    yield deliverer
    deliverer.stop()
    thread.join(30)
    assert not thread.is_alive()


def names(emulator: Emulator) -> list[str]:
    return [event["event"]["name"] for event in emulator.events]


def test_deliverer_sees_what_is_stored_later(
    background: OutboxDeliverer, emulator: tuple[Emulator, str], store: Store, table: OutboxTable
) -> None:
    """It looks again and again, and ends with no row left."""
    store("order.placed")
    emulator[0].wait_for(1, timeout=30)
    store("order.paid")
    emulator[0].wait_for(2, timeout=30)
    wait_until(lambda: table.counts(now()) == Counts(0, 0, 0))

    assert names(emulator[0]) == ["order.placed", "order.paid"]


def test_lease_is_renewed_while_the_intake_fails(
    background: OutboxDeliverer, emulator: tuple[Emulator, str], store: Store, made: Outbox, table: OutboxTable
) -> None:
    """Nobody else sends what this one tries again and again."""
    emulator[0].fail(status=503, times=10_000)
    store("order.placed")
    ends: set[int] = set()

    def is_renewed() -> bool:
        ends.update(until for (until,) in made.execute("SELECT claimed_until FROM dd_pa_outbox"))
        return len(ends - {0}) > 1

    wait_until(is_renewed)
    others = claim(table, "other")
    emulator[0].clear_faults()
    emulator[0].wait_for(1, timeout=30)

    assert others == []
    assert background.stats().retried > 0


def test_database_that_fails_is_tried_again(
    background: OutboxDeliverer,
    emulator: tuple[Emulator, str],
    store: Store,
    made: Outbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says so, and delivery goes on when it is back."""
    rename = "ALTER TABLE {} RENAME TO {}"
    store("order.placed")
    emulator[0].wait_for(1, timeout=30)
    made.execute(rename.format("dd_pa_outbox", "elsewhere"))
    wait_until(lambda: background.stats().last_error is not None)
    made.execute(rename.format("elsewhere", "dd_pa_outbox"))
    store("order.paid")
    emulator[0].wait_for(2, timeout=30)

    assert "the outbox cannot be read or written" in caplog.text
    assert names(emulator[0]) == ["order.placed", "order.paid"]


def test_what_stop_leaves_can_be_claimed_at_once(
    emitter: Emitter, emulator: tuple[Emulator, str], store: Store, made: Outbox, table: OutboxTable
) -> None:
    """The rows that were not sent are given back, whatever their lease."""
    emulator[0].fail(status=503, times=10_000)
    for name in ("a", "b"):
        store(name)
    own = made.table()
    deliverer = OutboxDeliverer(emitter.settings, own, retry=SOON)
    thread = threading.Thread(target=run_in_thread, args=(deliverer, own))
    thread.start()
    wait_until(lambda: deliverer.stats().retried > 0)
    deliverer.stop()
    thread.join(30)

    assert not thread.is_alive()
    assert table.counts(now()) == Counts(waiting=2, claimed=0, rejected=0)


REFUSALS = {
    "bad.403": httpx.Response(403),
    "bad.302": httpx.Response(302, headers={"Location": "https://example.com"}),
    "bad.503": httpx.Response(503, headers={"Retry-After": "60"}),
}


@pytest.mark.parametrize("made", ["sqlalchemy-sqlite"], indirect=True)  # whatever the database
def test_one_event_keeps_no_other_waiting_at_the_end(
    emitter: Emitter, store: Store, table: OutboxTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run(once=True)` delivers what can be, whatever is said of single rows, and says that some are left."""
    monkeypatch.setattr(deliverer, "PATIENCE", 1.0)
    taken: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        name = json.loads(request.content)["event"]["name"]
        if name in REFUSALS:
            return httpx.Response(REFUSALS[name].status_code, headers=REFUSALS[name].headers)
        taken.append(name)
        return httpx.Response(202)

    for number in range(30):
        store({3: "bad.403", 12: "bad.302", 21: "bad.503"}.get(number, "order.placed"))
    alone = OutboxDeliverer(emitter.settings, table, transport=httpx.MockTransport(answer), retry=SOON)

    assert alone.run(once=True) is False
    assert len(taken) == 27
    assert table.counts(now()).waiting == 3
