"""Deliverers and writers of the release before on the same table: what either stores, either delivers."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from dd_pa.outbox import OutboxTable
from tests.outbox.tables import Outbox
from tests.outbox.test_table import event

LEASE = 60_000
STEP = 900
"""Milliseconds."""


class OldDeliverer:
    """What a deliverer of that release, and a `track()` of it, ask of the database: frozen, so no code of ours."""

    def __init__(self, made: Outbox, owner: str) -> None:
        self._execute, self._kind, self._owner = made.execute, made.made.kind, owner
        self.holds: list[int] = []

    def add(self, event_id: str, body: bytes) -> None:
        data = f"decode('{body.hex()}', 'hex')" if self._kind == "postgresql" else f"x'{body.hex()}'"
        self._execute(
            "INSERT INTO dd_pa_outbox (event_id, name, occurred_at, body)"  # noqa: S608
            f" VALUES ('{event_id}', 'order.placed', 1795450898269, {data})"
        )

    def claim(self, limit: int, now: int) -> None:
        locks = "" if self._kind == "sqlite" else " FOR UPDATE SKIP LOCKED"
        found = self._execute(
            f"SELECT id FROM dd_pa_outbox WHERE state = 'waiting' AND claimed_until <= {now}"  # noqa: S608
            f" ORDER BY id LIMIT {limit}{locks}"
        )
        self._change([int(row[0]) for row in found], self._lease(now) + ", claims = claims + 1")
        self.holds += [int(row[0]) for row in found]

    def renew(self, now: int) -> None:
        self._change(self.holds, self._lease(now), f" AND claimed_by = '{self._owner}'")

    def _lease(self, now: int) -> str:
        return f"claimed_by = '{self._owner}', claimed_until = {now + LEASE}"

    def release(self) -> None:
        self._change(self.holds, "claimed_by = '', claimed_until = 0", f" AND claimed_by = '{self._owner}'")
        self.holds = []

    def settle(self, count: int) -> list[int]:
        done, self.holds = self.holds[:count], self.holds[count:]
        if done:
            self._execute(f"DELETE FROM dd_pa_outbox WHERE id IN ({_listed(done)})")  # noqa: S608
        return done

    def _change(self, ids: list[int], values: str, where: str = "") -> None:
        if ids:
            self._execute(f"UPDATE dd_pa_outbox SET {values} WHERE id IN ({_listed(ids)}){where}")  # noqa: S608


def _listed(ids: list[int]) -> str:
    return ", ".join(map(str, ids))


def test_what_either_release_stores_the_other_reads(made: Outbox, table: OutboxTable) -> None:
    """Row by row, with the defaults of the columns that it does not name."""
    old, body = OldDeliverer(made, "old"), bytes(range(256))
    old.add("0" * 32, body)
    table.add([event(1)])
    [first, second] = table.claim(10, owner="new", now=1, until=2)

    assert (first.body, second.body) == (body, event(1).body)
    table.release([first.id, second.id], owner="new")
    old.claim(10, now=1)
    assert old.holds == [first.id, second.id]
    assert table.claim(10, owner="new", now=1, until=2) == []


class Deploy:
    """A deliverer of each release over one table, in an order that a seed draws."""

    def __init__(self, made: Outbox, seed: int) -> None:
        self._made, self._draws = made, random.Random(seed)
        self._steps, self.moment = 0, 1_000_000
        self.table = made.table(clock=lambda: self.moment / 1000)
        self.old, self.holds = OldDeliverer(made, "old"), list[int]()
        self.sent: Counter[int] = Counter()
        self.stored = 0

    def step(self) -> None:
        """Have one of them do one thing."""
        self._steps += 1
        self.moment += STEP
        do = (self.store, self.store, self.deliver_old, self.deliver_new, self.old.release, self.release, self.kill)
        self._draws.choice(do)()
        assert not set(self.old.holds) & set(self.holds)

    def store(self) -> None:
        """Track an event in each."""
        self.table.add([event(self._steps)])
        self.old.add(f"{self._steps + 1000:032x}", b"{}")
        self.stored += 2

    def deliver_old(self) -> None:
        """Deliver some."""
        self.old.renew(self.moment)
        self.old.claim(4, self.moment)
        self.sent.update(self.old.settle(2))

    def deliver_new(self) -> None:
        """Deliver some."""
        until = self.moment + LEASE
        self.holds = self.table.renew(self.holds, owner="new", until=until)
        self.holds += [row.id for row in self.table.claim(4, owner="new", now=self.moment, until=until)]
        done, self.holds = self.holds[:2], self.holds[2:]
        self.table.settle(done)
        self.sent.update(done)

    def release(self) -> None:
        """Give back what waits here."""
        self.table.release(self.holds, owner="new")
        self.holds = []

    def kill(self) -> None:
        """Have another take the place of the old one, whose rows wait for the end of its lease."""
        self.old = OldDeliverer(self._made, f"old-{self._steps}")

    def end(self) -> list[int]:
        """Have one more deliver what is left."""
        self.moment += LEASE * 2
        left = self.table.claim(1000, owner="last", now=self.moment, until=self.moment + LEASE)
        self.sent.update(row.id for row in left)
        return [row.id for row in left]


@pytest.mark.parametrize("seed", range(3))
def test_both_at_once_lose_nothing_and_double_nothing(made: Outbox, seed: int) -> None:
    """In any order of claims, renewals, releases and kills; nothing is set aside, and nothing stuck."""
    deploy = Deploy(made, seed)
    for _ in range(60):
        deploy.step()
    left = deploy.end()

    assert deploy.sent.total() == len(deploy.sent) == deploy.stored
    assert deploy.table.counts(deploy.moment) == (0, len(left), 0)
