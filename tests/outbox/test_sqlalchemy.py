"""What a deliverer does with the table of any database, and of any library."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from dd_pa import Emitter, RetryPolicy, Settings
from dd_pa.emulator import Emulator
from dd_pa.outbox import Counts, OutboxDeliverer
from dd_pa.outbox.sqlalchemy import SqlAlchemyTable, add, outbox_table
from tests.outbox.databases import KINDS, database
from tests.outbox.processes import wait_until

HOUR = 3_600_000
SOON = RetryPolicy(base=0.01, cap=0.05, pause=0.05)
METADATA = sa.MetaData()
OUTBOX = outbox_table(METADATA)


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(kind: str, tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine on a database of each kind that has the table."""
    with database(kind, tmp_path) as made:
        engine = sa.create_engine(made.url)
        METADATA.create_all(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def table(engine: sa.Engine) -> SqlAlchemyTable:
    return SqlAlchemyTable(engine, OUTBOX)


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
def store(engine: sa.Engine, emitter: Emitter) -> Store:
    """Stores an event in a transaction of its own."""

    def store_event(name: str) -> None:
        event = emitter.build(name, usr="u-1")
        assert event is not None
        with Session(engine) as session, session.begin():
            add(session, event, OUTBOX)

    return store_event


def claim(table: SqlAlchemyTable, owner: str, limit: int = 9) -> list[int]:
    return [row.id for row in table.claim(limit, owner=owner, now=now(), until=now() + HOUR)]


def test_event_belongs_to_the_transaction_of_its_session(
    engine: sa.Engine, emitter: Emitter, table: SqlAlchemyTable
) -> None:
    """Committed with it, and gone with a rollback, to a savepoint too."""
    event = emitter.build("order.placed", usr="u-1")
    assert event is not None
    with Session(engine) as session:
        add(session, event, OUTBOX)
        with session.begin_nested() as savepoint:
            add(session, event, OUTBOX)
            savepoint.rollback()
        session.commit()
        add(session, event, OUTBOX)
        session.rollback()

    [row] = table.claim(9, owner="a", now=now(), until=now() + HOUR)
    assert row.body == event.body


def test_rows_are_claimed_once_and_oldest_first(table: SqlAlchemyTable, store: Store) -> None:
    """Until their lease ends or is given up; only their owner renews or releases them."""
    for name in ("a", "b", "c"):
        store(name)
    first, second = claim(table, "one", 2), claim(table, "two")
    third = claim(table, "three")
    table.renew(first, owner="two", until=now() - 1)
    table.release(first, owner="two")
    not_theirs = claim(table, "three")
    table.renew(first[:1], owner="one", until=now() - 1)
    table.release(second, owner="two")

    assert (len(first), len(second)) == (2, 1)
    assert first == sorted(first)
    assert first[-1] < second[0]
    assert third == not_theirs == []
    assert sorted(claim(table, "three")) == [first[0], second[0]]


def test_rows_are_settled_rejected_and_pruned(table: SqlAlchemyTable, store: Store) -> None:
    """What is rejected stays, and is not claimed again."""
    for name in ("a", "b", "c", "d"):
        store(name)
    ids = claim(table, "one", 3)
    before = table.counts(now())
    table.settle(ids[:1])
    table.reject(ids[1:2], reason="400", detail="no", now=now() - HOUR)
    after = table.counts(now())

    assert before == Counts(waiting=1, claimed=3, rejected=0)
    assert after == Counts(waiting=1, claimed=1, rejected=1)
    assert (table.prune(now() - 2 * HOUR), table.prune(now())) == (0, 1)
    assert table.counts(now()) == Counts(waiting=1, claimed=1, rejected=0)


def test_threads_that_claim_at_once_share_the_rows(engine: sa.Engine, table: SqlAlchemyTable, store: Store) -> None:
    """No row is claimed twice, none is left, and nobody fails; SQLite lets one wait for the other."""
    for number in range(60):
        store(f"event.{number}")
    claimed: list[int] = []

    def work(owner: str) -> None:
        while ids := claim(SqlAlchemyTable(engine, OUTBOX), owner, 5):
            claimed.extend(ids)

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(claimed) == len(set(claimed)) == 60


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_insert_does_not_wait_for_a_claim(engine: sa.Engine, store: Store) -> None:
    """A deliverer that is slow in its transaction holds up no request."""
    for name in ("a", "b"):
        store(name)
    table = SqlAlchemyTable(engine, OUTBOX)
    with table._engine.begin() as connection:
        oldest = sa.select(OUTBOX.c.id).order_by(OUTBOX.c.id).with_for_update(skip_locked=True)
        held = list(connection.scalars(oldest))
        thread = threading.Thread(target=store, args=("c",))
        thread.start()
        thread.join(10)
        waited = thread.is_alive()

    thread.join(30)
    assert (len(held), waited) == (2, False)


@pytest.fixture
def background(emitter: Emitter, table: SqlAlchemyTable) -> Iterator[OutboxDeliverer]:
    """A deliverer that runs in a thread of the test."""
    deliverer = OutboxDeliverer(emitter.settings, table, retry=SOON, lease=3.0, poll=0.05)
    thread = threading.Thread(target=deliverer.run)
    thread.start()
    yield deliverer
    deliverer.stop()
    thread.join(30)
    assert not thread.is_alive()


def names(emulator: Emulator) -> list[str]:
    return [event["event"]["name"] for event in emulator.events]


def test_deliverer_sees_what_is_stored_later(
    background: OutboxDeliverer, emulator: tuple[Emulator, str], store: Store, table: SqlAlchemyTable
) -> None:
    """It looks again and again, and ends with no row left."""
    store("order.placed")
    emulator[0].wait_for(1, timeout=30)
    store("order.paid")
    emulator[0].wait_for(2, timeout=30)
    wait_until(lambda: table.counts(now()) == Counts(0, 0, 0))

    assert names(emulator[0]) == ["order.placed", "order.paid"]


def test_lease_is_renewed_while_the_intake_fails(
    background: OutboxDeliverer, emulator: tuple[Emulator, str], store: Store, engine: sa.Engine, table: SqlAlchemyTable
) -> None:
    """Nobody else sends what this one tries again and again."""
    emulator[0].fail(status=503, times=10_000)
    store("order.placed")
    ends: set[int] = set()

    def is_renewed() -> bool:
        with engine.connect() as connection:
            ends.add(connection.scalar(sa.select(OUTBOX.c.claimed_until)) or 0)
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
    engine: sa.Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says so, and delivery goes on when it is back."""
    rename = "ALTER TABLE {} RENAME TO {}"
    store("order.placed")
    emulator[0].wait_for(1, timeout=30)
    with engine.begin() as connection:
        connection.execute(sa.text(rename.format("dd_pa_outbox", "elsewhere")))
    wait_until(lambda: background.stats().last_error is not None)
    with engine.begin() as connection:
        connection.execute(sa.text(rename.format("elsewhere", "dd_pa_outbox")))
    store("order.paid")
    emulator[0].wait_for(2, timeout=30)

    assert "the outbox cannot be read or written" in caplog.text
    assert names(emulator[0]) == ["order.placed", "order.paid"]


def test_what_stop_leaves_can_be_claimed_at_once(
    emitter: Emitter, emulator: tuple[Emulator, str], store: Store, table: SqlAlchemyTable
) -> None:
    """The rows that were not sent are given back, whatever their lease."""
    emulator[0].fail(status=503, times=10_000)
    for name in ("a", "b"):
        store(name)
    deliverer = OutboxDeliverer(emitter.settings, table, retry=SOON)
    thread = threading.Thread(target=deliverer.run)
    thread.start()
    wait_until(lambda: deliverer.stats().retried > 0)
    deliverer.stop()
    thread.join(30)

    assert not thread.is_alive()
    assert table.counts(now()) == Counts(waiting=2, claimed=0, rejected=0)
