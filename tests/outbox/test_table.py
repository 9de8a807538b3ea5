"""What each outbox does, whichever library it is of and whichever database it lies in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
import pytest

from dd_pa import BuiltEvent
from dd_pa.outbox import Counts, OutboxTable
from dd_pa.outbox.low_water_mark import RECHECK
from tests.outbox.tables import SERVERS, Outbox, outbox
from tests.waiting import wait_until

HOUR = 3_600_000


def now() -> int:
    return time.time_ns() // 1_000_000


def event(number: int = 0, *, at: int = 0, name: str = "order.placed", size: int = 0) -> BuiltEvent:
    return BuiltEvent(id=f"{number:032x}", name=name, occurred_at=at or now(), body=b'{"of": "%s"}' % (b"x" * size))


def claim(table: OutboxTable, owner: str, limit: int = 1000) -> list[int]:
    return [row.id for row in table.claim(limit, owner=owner, now=now(), until=now() + HOUR)]


class ChangedMindError(Exception):
    """Rolls back."""


def test_events_share_the_fate_of_their_transaction(made: Outbox, table: OutboxTable) -> None:
    """Committed or rolled back; alone and many at once."""
    with made.stored() as store:
        store([event(1)])
        store([event(number) for number in range(2, 5)])
    with suppress(ChangedMindError), made.stored() as store:
        store([event(9)])
        raise ChangedMindError

    assert table.counts(now()) == Counts(waiting=4, claimed=0, rejected=0)
    assert [row[0] for row in made.execute("SELECT event_id FROM dd_pa_outbox ORDER BY id")] == [
        f"{number:032x}" for number in range(1, 5)
    ]


@pytest.mark.parametrize("size", [10, 20_000], ids=["small", "large"])
def test_many_events_are_added_in_their_order(made: Outbox, table: OutboxTable, size: int) -> None:
    """However many values, and bytes, the database allows in a statement."""
    table.add([event(number, size=size) for number in range(1234)])
    found = made.execute("SELECT event_id FROM dd_pa_outbox ORDER BY id")

    assert [int(str(row[0]), 16) for row in found] == list(range(1234))


@pytest.mark.parametrize("name", ["bestellung.ausgelöst", "🛒" * 512, "a" * 512], ids=["umlaut", "emoji", "long"])
def test_no_name_spoils_the_transaction(made: Outbox, table: OutboxTable, name: str) -> None:
    """Whatever the column's character set lacks: what it shows is plain, and cut."""
    if made.made.kind == "mariadb":
        made.execute("ALTER TABLE dd_pa_outbox MODIFY name varchar(512) CHARACTER SET latin1")
    table.add([event(name=name)])

    [[kept]] = made.execute("SELECT name FROM dd_pa_outbox")
    assert kept == name.encode("ascii", "backslashreplace").decode()[:512]


def test_rows_are_claimed_once_and_oldest_first(table: OutboxTable) -> None:
    """Until their lease ends or is given up; only their owner renews or releases them."""
    table.add([event(number) for number in range(3)])
    first, second, third = claim(table, "one", 2), claim(table, "two"), claim(table, "three")
    foreign = table.renew(first, owner="two", until=now() - 1)
    table.release(first, owner="two")
    not_theirs = claim(table, "three")
    own = table.renew([*first, *second], owner="one", until=now() - 1)
    table.release(second, owner="two")

    assert (len(first), len(second)) == (2, 1)
    assert first == sorted(first)
    assert first[-1] < second[0]
    assert third == not_theirs == foreign == []
    assert own == first
    assert sorted(claim(table, "three")) == [*first, *second]


def test_a_deliverer_that_stalled_renews_only_what_is_its_own(table: OutboxTable) -> None:
    """What another took meanwhile, or delivered, is not."""
    table.add([event(number) for number in range(4)])
    ids = claim(table, "slow")
    table.renew(ids, owner="slow", until=now() - 1)
    taken = claim(table, "quick", 2)
    table.settle(taken[:1])

    assert table.renew(ids, owner="slow", until=now() + HOUR) == ids[2:]
    assert table.renew(taken, owner="quick", until=now() + HOUR) == taken[1:]


def test_rows_are_settled_rejected_and_pruned(table: OutboxTable) -> None:
    """What is rejected stays, and is not claimed again."""
    table.add([event(number) for number in range(4)])
    ids = claim(table, "one", 3)
    before = table.counts(now())
    table.settle(ids[:1])
    table.reject(ids[1:2], reason="400", detail="no", now=now() - HOUR)
    after = table.counts(now())

    assert before == Counts(waiting=1, claimed=3, rejected=0)
    assert after == Counts(waiting=1, claimed=1, rejected=1)
    assert (table.prune(now() - 2 * HOUR), table.prune(now())) == (0, 1)
    assert table.counts(now()) == Counts(waiting=1, claimed=1, rejected=0)


def test_pruning_goes_by_batches(table: OutboxTable) -> None:
    """To the end, past what is too young."""
    table.add([event(number) for number in range(25)])
    ids = claim(table, "one")
    table.reject(ids[::2], reason="400", detail="", now=now() - 2 * HOUR)
    table.reject(ids[1::2], reason="400", detail="", now=now())

    assert table.prune(now() - HOUR, batch=4) == 13
    assert table.counts(now()) == Counts(waiting=0, claimed=0, rejected=12)


def test_the_oldest_row_is_that_which_waits_longest(table: OutboxTable) -> None:
    """Claimed or not, but no dead letter."""
    empty = table.oldest()
    table.add([event(1, at=5000), event(2, at=6000), event(3, at=7000)])
    ids = claim(table, "one", 2)
    before = table.oldest()
    table.reject(ids[:1], reason="400", detail="", now=now())

    assert (empty, before, table.oldest()) == (None, 5000, 6000)


ANYWHERE = {"occurred_at": ("9223372036854775807", "-9223372036854775808")}
IN_SQLITE = {
    "occurred_at": ("'yesterday'", "x'ff'", "1.5"),
    "body": ("'{}'", "CAST(x'ff' AS TEXT)", "7"),
    "claims": ("'often'",),
    "event_id": ("7", "x'ff'"),
    "name": ("7", "x'ff'"),
}
"""What somebody may have written to a row; SQLite keeps any value in any column."""


def test_one_bad_row_stops_no_batch(made: Outbox, table: OutboxTable) -> None:
    """It is claimed like the others, which are as they were, and is no reason to take the oldest for older."""
    bad = [(column, value) for column, values in ANYWHERE.items() for value in values]
    if made.made.kind == "sqlite":
        bad += [(column, value) for column, values in IN_SQLITE.items() for value in values]
    table.add([event(number, at=1_000_000 + number) for number in range(len(bad) + 2)])
    ids = [row[0] for row in made.execute("SELECT id FROM dd_pa_outbox ORDER BY id")]
    for row, (column, value) in zip(ids, bad, strict=False):
        made.execute(f"UPDATE dd_pa_outbox SET {column} = {value} WHERE id = {row}")  # noqa: S608 - values from here
    found = table.claim(100, owner="a", now=now(), until=now() + HOUR)

    assert [row.id for row in found] == ids
    assert [row.body for row in found[-2:]] == [event().body] * 2
    assert all(isinstance(row.body, bytes) for row in found)
    oldest = table.oldest()
    assert oldest is not None
    assert 0 <= oldest <= 1_000_000 + len(bad)
    assert table.counts(now()) == Counts(waiting=0, claimed=len(ids), rejected=0)


def test_ids_are_never_given_again(made: Outbox, table: OutboxTable) -> None:
    """A deliverer that was slow would settle another event's row."""
    table.add([event(1), event(2)])
    first = claim(table, "one")
    table.settle(first)
    table.add([event(3)])

    assert claim(table, "one") > first


def test_threads_that_claim_at_once_share_the_rows(made: Outbox, table: OutboxTable) -> None:
    """No row is claimed twice, none is left, and nobody fails; SQLite lets one wait for the other."""
    table.add([event(number) for number in range(60)])
    claimed: list[int] = []

    def work(owner: str) -> None:
        own = made.table()
        while ids := claim(own, owner, 5):
            claimed.extend(ids)
        own.reset()

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(claimed) == len(set(claimed)) == 60


@pytest.mark.parametrize("name", [name for name in SERVERS if name.endswith("postgresql")])
def test_deliverers_are_read_committed(name: str, tmp_path: Path) -> None:
    """In a project whose transactions are serializable, theirs would make some of its own fail."""
    with outbox(name, tmp_path, "SERIALIZABLE") as made:
        made.execute("CREATE TABLE seen (level text)")
        note = "INSERT INTO seen VALUES (current_setting('transaction_isolation')); RETURN COALESCE(NEW, OLD);"
        made.execute(f"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note} END $$")
        made.execute("CREATE TRIGGER t BEFORE UPDATE OR DELETE ON dd_pa_outbox FOR EACH ROW EXECUTE FUNCTION note()")
        table = made.table()
        table.add([event(number) for number in range(4)])
        ids = claim(table, "one")
        table.renew(ids, owner="one", until=now() + HOUR)
        table.release(ids[:1], owner="one")
        table.settle(ids[1:2])
        table.reject(ids[2:], reason="400", detail="", now=now() - HOUR)
        table.prune(now())
        found = made.execute("SELECT level, count(*) FROM seen GROUP BY 1")

    assert found == [("read committed", 4 + 4 + 1 + 1 + 2 + 2)]


@pytest.mark.parametrize("name", [name for name in SERVERS if name.endswith("mariadb")])
def test_insert_does_not_wait_for_a_claim(name: str, tmp_path: Path) -> None:
    """Although the project reads repeatably, a deliverer that is slow in its transaction holds up no request."""
    with outbox(name, tmp_path, "REPEATABLE READ") as made:
        made.table().add([event(1), event(2)])
        made.execute(
            "CREATE TRIGGER t BEFORE UPDATE ON dd_pa_outbox FOR EACH ROW BEGIN DO GET_LOCK('gate', 30); "
            "DO RELEASE_LOCK('gate'); END"
        )
        with _mariadb_lock("gate"):
            thread = threading.Thread(target=claim, args=(made.table(), "slow"))
            thread.start()
            wait_until(
                lambda: made.execute("SELECT 1 FROM information_schema.processlist WHERE state = 'User lock'") != []
            )
            with made.stored() as store:
                made.execute("SET SESSION innodb_lock_wait_timeout = 1")
                store([event(3)])
        thread.join(30)

        assert made.table().counts(now()) == Counts(waiting=1, claimed=2, rejected=0)


@contextmanager
def _mariadb_lock(name: str) -> Iterator[None]:
    with pymysql.connect(host="127.0.0.1", user="root") as server, server.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 30)", [name])
        yield


class Time:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_late_commits_and_dead_deliverers_are_found(made: Outbox) -> None:
    """Rows with lower ids than those that were claimed already, after a while although there is much to do."""
    clock = Time()
    table = made.table(clock=clock)
    table.add([event(number) for number in range(9)])
    late = claim(made.table(), "dead", 2)
    ids = range(late[0], late[0] + 9)
    first = claim(table, "one", 2)
    clock.now += 3
    second = claim(table, "one", 2)
    made.table().renew(late, owner="dead", until=now() - 1)
    third = claim(table, "one", 2)
    clock.now += RECHECK
    fourth = claim(table, "one", 2)

    assert [*late, *first, *second, *third] == list(ids[:8])
    assert fourth == late
    assert claim(table, "one", 2) == [ids[8]]
