"""Hundreds of deliverers and one limit: together they come to it, and none of them knows how many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from tests.simulation.fleet import START, Bucket, Fleet, Limit, Window, simulate

CONSUMERS = 200
RATE = 300.0


@dataclass
class Closed(Bucket):
    """A bucket that takes nothing for a while, in seconds since the start."""

    begins: float = 0.0
    ends: float = 0.0

    def asks(self, now: float) -> float | None:
        return 1.0 if self.begins <= now - START < self.ends else super().asks(now)


fleet = partial(simulate, consumers=CONSUMERS, width=8)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("limit", [Bucket, partial(Window, lasts=1.0)], ids=["bucket", "window"])
def test_a_fleet_settles_around_the_limit(limit: Callable[[float], Limit], seed: int) -> None:
    """Without the pace 19 of 20 answers are 429 here, and thirty times the limit comes in the worst second."""
    account = fleet(limit(RATE), seed=seed, seconds=40.0)
    settled = range(15, 40)

    assert account.share_refused(settled) < 0.08
    assert account.utilisation(settled, RATE) > 0.85
    assert account.peak(settled) < 1.5 * RATE
    assert min(account.by_consumer.values()) > 0
    assert len(account.by_consumer) == CONSUMERS
    assert not account.set_aside


def test_pauses_that_end_together_begin_slowly() -> None:
    """A long window: everybody is told the same moment. It costs a window or two to learn what fits into one."""
    account = fleet(Window(RATE, 10.0), seed=3, seconds=70.0)

    assert account.peak(range(10, 70)) < 8 * RATE
    assert account.peak(range(30, 70)) < 2 * RATE
    assert account.share_refused(range(30, 70)) < 0.08
    assert account.utilisation(range(30, 70), RATE) > 0.75


def test_after_an_outage_the_fleet_does_not_stampede() -> None:
    """For half a minute everything is answered 429, and then all is well."""
    account = fleet(Closed(RATE, begins=30.0, ends=60.0), seed=4, seconds=110.0)

    assert account.peak(range(35, 60)) < RATE
    assert account.peak(range(60, 110)) < 2 * RATE
    assert account.utilisation(range(80, 110), RATE) > 0.7


def test_a_wider_limit_is_found() -> None:
    """Somebody asked Datadog for more."""

    def widen(fleet: Fleet) -> float:
        fleet.limit.rate = 4 * RATE
        return 60.0

    account = fleet(Bucket(RATE), seed=5, seconds=30.0, then=widen)
    assert account.utilisation(range(70, 90), 4 * RATE) > 0.7


def test_who_is_never_answered_429_is_not_held_back() -> None:
    """As many in flight as the outlet takes, from the first moment to the last."""
    account = simulate(Bucket(1e9), seed=6, consumers=1, width=50, seconds=10.0)

    assert min(account.taken[second] for second in range(1, 9)) > 50 * 10  # 100 ms there and back, at most


def test_a_seed_replays() -> None:
    first, second, other = (fleet(Bucket(RATE), seed=seed, seconds=5.0).digest for seed in (7, 7, 8))

    assert first == second != other
