"""A fleet of deliverers before an intake with a limit on its rate: the real dispatchers, on one virtual clock.

`python -m tests.simulation.fleet --seed 3 --consumers 300 --limit 1000` prints a table of what came in each second.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dd_pa import BuiltEvent, RetryPolicy
from dd_pa.delivery.dispatcher import Dispatcher
from dd_pa.delivery.event_age import Ages
from dd_pa.delivery.ledger import Ledger
from dd_pa.network.outcome import DELIVERED, judge
from dd_pa.network.outlet import Done
from tests.core.virtual_loop import run

LOOK = 0.5
"""Seconds between two looks of a consumer at what waits. The real one looks more often; what it waits for wakes it."""

START = 1000.0
"""Of the virtual clock."""


class Limit(Protocol):
    """What the intake takes."""

    rate: float
    """Events a second."""

    def asks(self, now: float) -> float | None:
        """Return None if it takes an event now, else the seconds that it asks to wait."""
        ...


@dataclass
class Bucket:
    """Refills all the time: what comes at once beyond it is refused, and the next moment something passes again."""

    rate: float
    _tokens: float = 0.0
    _counted_at: float = START

    def asks(self, now: float) -> float | None:
        self._tokens = min(self._tokens + (now - self._counted_at) * self.rate, self.rate)
        self._counted_at = now
        if self._tokens < 1:
            return 1.0
        self._tokens -= 1
        return None


@dataclass
class Window:
    """So many in each window of some seconds; what is refused is told when the next begins, and all hear the same."""

    rate: float
    lasts: float
    _begun: int = -1
    _taken: int = 0

    def asks(self, now: float) -> float | None:
        number = int(now // self.lasts)
        if number != self._begun:
            self._begun, self._taken = number, 0
        if self._taken >= self.rate * self.lasts:
            return (number + 1) * self.lasts - now
        self._taken += 1
        return None


@dataclass(kw_only=True)
class Account:
    """What came, by the second since the start."""

    taken: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    by_consumer: Counter[int] = field(default_factory=Counter)
    """Taken in all, of each consumer."""

    set_aside: list[str] = field(default_factory=list)
    """Events that were given up; nothing is wrong with any."""

    log: list[str] = field(default_factory=list)

    def offered(self, second: int) -> int:
        return self.taken[second] + self.refused[second]

    def share_refused(self, seconds: range) -> float:
        """Return the part of what came that was answered 429."""
        refused = sum(self.refused[second] for second in seconds)
        return refused / max(1, sum(self.offered(second) for second in seconds))

    def utilisation(self, seconds: range, rate: float) -> float:
        """Return the part of what the intake would have taken that came."""
        return sum(self.taken[second] for second in seconds) / (rate * len(seconds))

    def peak(self, seconds: range) -> int:
        """Return the most events that came in one second."""
        return max(map(self.offered, seconds))

    @property
    def digest(self) -> str:
        """The same for each run of a seed."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()[:16]


class Backlog:
    """A broker that never runs empty, as one consumer sees it."""

    durable, recalls, patience = True, 0, None

    def __init__(self, name: int, account: Account) -> None:
        self._account = account
        self._names = (f"{name}-{number}" for number in itertools.count())
        self.waiting = 1

    def take(self, limit: int) -> list[BuiltEvent]:
        names = itertools.islice(self._names, limit if self.waiting else 0)
        return [BuiltEvent(id=name, name="order.paid", occurred_at=0, body=b"{}") for name in names]

    def age(self, event: BuiltEvent) -> float:
        return 0.0

    def settle(self, event: BuiltEvent) -> None:
        """Nothing is kept."""

    def reject(self, event: BuiltEvent, reason: str, detail: str) -> bool:
        self._account.set_aside.append(f"{event.id}: {reason}, {detail}")
        return True

    def hand_back(self, event: BuiltEvent) -> bool:
        return False

    def reclaim(self) -> None:
        """Nothing is kept."""

    def tend(self) -> None:
        """There is no disk."""

    def mark(self) -> None:
        """Nobody flushes."""

    def passed(self, mark: object) -> bool:
        return False

    @property
    def pending(self) -> int:
        return self.waiting


class Line:
    """The way of one consumer to the intake."""

    def __init__(self, fleet: Fleet, number: int, width: int) -> None:
        self._fleet, self._number, self.width = fleet, number, width

    def start(self, event: BuiltEvent, body: bytes, done: Done) -> None:
        self._fleet.arrive(self._number, event, done)

    async def aclose(self) -> None:
        """Nothing is open."""


class Fleet:
    """Some consumers, each with a dispatcher of its own, and one intake."""

    def __init__(self, limit: Limit, *, seed: int, consumers: int, width: int) -> None:
        self.limit, self.account = limit, Account()
        self._draws = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self.consumers = [self._consumer(number, width) for number in range(consumers)]

    def _consumer(self, number: int, width: int) -> Dispatcher:
        store = Backlog(number, self.account)
        return Dispatcher(
            store,
            Ledger(self),
            Line(self, number, width),
            policy=RetryPolicy(draw=random.Random(self._draws.random()).uniform),
            max_age=1e9,
            ages=Ages(store, max_age=1e9),
            sender=self,
            on_settled=lambda: None,
        )

    def arrive(self, number: int, event: BuiltEvent, done: Done) -> None:
        """Answer after a while; the limit is looked at when it comes."""
        self._loop.call_later(self._draws.uniform(0.01, 0.04), self._judge, number, event, done)

    def _judge(self, number: int, event: BuiltEvent, done: Done) -> None:
        account, now = self.account, self._loop.time()
        wait = self.limit.asks(now)
        second = int(now - START)
        (account.taken if wait is None else account.refused)[second] += 1
        account.by_consumer[number] += wait is None
        account.log.append(f"{now:.6f} {event.id} {wait}")
        outcome = DELIVERED if wait is None else judge(429, {"retry-after": f"{wait:.3f}"})
        self._loop.call_later(self._draws.uniform(0.01, 0.04), done, outcome)

    async def deliver(self, seconds: float) -> None:
        """Let the consumers work, each with a phase of its own."""
        ends = self._loop.time() + seconds
        for consumer in self.consumers:
            self._loop.call_later(self._draws.uniform(0.0, LOOK), self._look, consumer, ends)
        await asyncio.sleep(seconds)

    def _look(self, consumer: Dispatcher, ends: float) -> None:
        if self._loop.time() < ends:
            consumer.fill()
            self._loop.call_later(LOOK, self._look, consumer, ends)


def simulate(
    limit: Limit,
    *,
    seed: int,
    consumers: int = 300,
    width: int = 100,
    seconds: float = 60.0,
    then: Callable[[Fleet], float] | None = None,
) -> Account:
    """Run a fleet from its start; `then` changes something and returns for how many seconds it goes on."""

    async def work() -> Account:
        fleet = Fleet(limit, seed=seed, consumers=consumers, width=width)
        await fleet.deliver(seconds)
        if then is not None:
            await fleet.deliver(then(fleet))
        return fleet.account

    return run(work())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.fleet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--consumers", type=int, default=300)
    parser.add_argument("--limit", type=float, default=1000.0, help="events a second")
    parser.add_argument("--window", type=float, help="seconds; without: a bucket that refills all the time")
    parser.add_argument("--seconds", type=int, default=120)
    arguments = parser.parse_args()
    limit: Limit = Window(arguments.limit, arguments.window) if arguments.window else Bucket(arguments.limit)
    account = simulate(limit, seed=arguments.seed, consumers=arguments.consumers, seconds=arguments.seconds)
    for second in range(arguments.seconds):
        print(f"{second:4} {account.offered(second):6} came, {account.refused[second]:6} of them answered 429")
    rest = range(arguments.seconds // 4, arguments.seconds)
    print(f"after the first quarter: {account.utilisation(rest, limit.rate):.0%} of the limit used", end=", ")
    shares = [account.by_consumer[number] for number in range(arguments.consumers)]
    print(f"{account.share_refused(rest):.1%} answered 429, at most {account.peak(rest)} in a second;", end=" ")
    print(f"each consumer {min(shares)} to {max(shares)} in all; {len(account.set_aside)} set aside;", end=" ")
    print(f"digest {account.digest}")


if __name__ == "__main__":
    main()
