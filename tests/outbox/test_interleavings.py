"""Whatever order writers and deliverers act in, stall and die, exactly the committed events are delivered.

One seed decides everything; `OUTBOX_SEEDS=2000 pytest tests/outbox/test_interleavings.py` tries many.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from dd_pa import BuiltEvent
from dd_pa.outbox.lessee import Lessee
from dd_pa.outbox.outbox_store import OutboxStore
from tests.outbox.tables import Outbox

SEEDS = int(os.environ.get("OUTBOX_SEEDS", "2"))
STEPS = 80
LEASE = 60.0
BATCH = 6
"""Few, so that there is often more to do than a claim gives."""

WIDTH = 4
"""Requests of one deliverer that may be in flight."""


class Clock:
    """Simulated time, in seconds since any moment."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> int:
        return int(self.now * 1000)


class Deliverer:
    """One process; what it has taken is in flight until it answers, stalls or dies."""

    def __init__(self, made: Outbox, clock: Clock, name: str) -> None:
        self.store = OutboxStore("shop", bound=WIDTH, on_settled=lambda: None, clock=clock)
        table = made.table(clock=clock)
        self.lessee = Lessee(table, self.store, owner=name, lease=LEASE, batch=BATCH, clock=clock, wall=clock.wall)
        self.in_flight: list[BuiltEvent] = []


class Story:
    """Everything that happens to one outbox."""

    def __init__(self, made: Outbox, seed: int) -> None:
        self.made = made
        self.chance = random.Random(seed)
        self.clock = Clock()
        self.committed: set[str] = set()
        self.arrived: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.tracked = self.born = 0
        self.deliverers = [self.new_deliverer() for _ in range(3)]

    def new_deliverer(self) -> Deliverer:
        self.born += 1
        return Deliverer(self.made, self.clock, f"deliverer-{self.born}")

    def new_events(self) -> list[BuiltEvent]:
        made = []
        for _ in range(self.chance.choice([1, 1, 1, 5, 30])):
            self.tracked += 1
            ours = {"event_id": f"{self.tracked:032x}", "occurred_at": self.clock.wall()}
            body = msgspec.json.encode({"application": {"id": "shop"}, "event": {"name": "a.b"}, "dd_pa": ours})
            made.append(BuiltEvent(id=ours["event_id"], name="a.b", occurred_at=self.clock.wall(), body=body))  # type: ignore[arg-type]
        return made

    def commit(self) -> None:
        """Commit events at once, or beside others that take the ids before and commit later, or never."""
        events, late = self.new_events(), self.new_events()
        if self.made.made.kind == "sqlite" or self.chance.random() < 0.5:
            self._store(events, commits=self.chance.random() < 0.8)
            return
        with self.made.beside() as (store, end):  # its ids are lower than those of what commits meanwhile
            store(late)
            self._store(events, commits=True)
            for deliverer in self.deliverers:
                deliverer.lessee.claim()
            commits = self.chance.random() < 0.7
            end(commits)
        if commits:
            self.committed.update(event.id for event in late)

    def _store(self, events: list[BuiltEvent], *, commits: bool) -> None:
        try:
            with self.made.stored() as store:
                store(events)
                if not commits:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            return
        self.committed.update(event.id for event in events)

    def send(self, deliverer: Deliverer) -> None:
        deliverer.in_flight += deliverer.store.take(WIDTH - len(deliverer.in_flight))

    def answer(self, deliverer: Deliverer) -> None:
        self.chance.shuffle(deliverer.in_flight)
        while deliverer.in_flight and self.chance.random() < 0.8:
            event = deliverer.in_flight.pop()
            if self.chance.random() < 0.05 and not self.arrived[event.id]:
                self.refused.add(event.id)
                deliverer.store.reject(event, "400", "no")
            else:
                self.arrived[event.id] += 1
                deliverer.store.settle(event)

    def stall(self, deliverer: Deliverer) -> None:
        """Let time pass for all, and one of them renew too late."""
        self.clock.now += self.chance.choice([1.0, LEASE / 3, LEASE + 1])
        for other in self.deliverers:
            if other is not deliverer and self.clock() >= other.lessee.renew_at:
                other.lessee.renew()

    def kill(self, deliverer: Deliverer) -> None:
        self.deliverers[self.deliverers.index(deliverer)] = self.new_deliverer()

    def leave(self, deliverer: Deliverer) -> None:
        """End in order: what was not sent is given back."""
        unsent = deliverer.store.let_go()
        deliverer.lessee.write()
        deliverer.lessee.release([*unsent, *deliverer.store.rows])
        self.kill(deliverer)

    def step(self) -> None:
        deliverer = self.chance.choice(self.deliverers)
        actions: list[tuple[Callable[[], object], int]] = [
            (self.commit, 4),
            (deliverer.lessee.claim, 6),
            (lambda: self.send(deliverer), 8),
            (lambda: self.answer(deliverer), 8),
            (deliverer.lessee.write, 6),
            (deliverer.lessee.renew, 3),
            (lambda: self.stall(deliverer), 2),
            (lambda: self.kill(deliverer), 1),
            (lambda: self.leave(deliverer), 1),
        ]
        self.chance.choices([act for act, _ in actions], [weight for _, weight in actions])[0]()

    def finish(self) -> None:
        """Let those who are left deliver the rest."""
        for _ in range(200):
            self.clock.now += LEASE / 2
            for deliverer in self.deliverers:
                deliverer.lessee.renew()
                deliverer.lessee.claim()
                self.send(deliverer)
                self.answer(deliverer)
                deliverer.lessee.write()
            if self.made.table().counts(self.clock.wall())[:2] == (0, 0):
                return
        raise AssertionError(f"rows are left: {self.made.table().counts(self.clock.wall())}")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_exactly_what_was_committed_arrives(made: Outbox, seed: int) -> None:
    """At least once, unless the intake refused it; and no row is left but the dead letters."""
    story = Story(made, seed)
    for _ in range(STEPS):
        story.step()
    story.finish()

    assert set(story.arrived) | story.refused == story.committed
    assert story.made.table().counts(story.clock.wall()).rejected <= len(story.refused)
