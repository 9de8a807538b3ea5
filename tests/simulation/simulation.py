"""One simulation: trouble, recovery, quiet and the final account."""

from __future__ import annotations

import gc
import hashlib
import importlib
from collections.abc import Iterable
from dataclasses import dataclass

from dd_pa import Settings
from dd_pa.delivery import alarm
from dd_pa.delivery.warmup import warm_up
from tests.simulation import invariants as hold
from tests.simulation.intake import KEY
from tests.simulation.plan import Errand, make_plan
from tests.simulation.shop import START, URL, Place, Shop
from tests.simulation.trouble import arrange, heal

SAMPLE = 5.0
"""Seconds between two looks at the bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a seed."""

    seed: str
    kinds: list[str]
    violations: list[str]
    log: list[str]
    events: int
    digest: str
    """Of the whole log: the same seed gives the same."""


def prepare() -> None:
    """Import what is imported late, once for all seeds."""
    warm_up(Settings(application_id="shop", api_key=KEY, intake_url=URL))
    importlib.import_module("dd_pa.store.spool")


def simulate(seed: str, only: Iterable[str] | None = None) -> Result:
    """Run one seed from its beginning to its end."""
    shop = Shop(make_plan(seed, only))
    plan = shop.plan
    shop.places = [Place(name=f"worker{number}", errands=errands) for number, errands in enumerate(plan.errands)]
    arrange(shop)
    for place in list(shop.places):
        shop.open(place)
    _run(shop, plan.lasts)
    hold.check_lateness(shop)
    _recover(shop)
    _rest(shop)
    _finish(shop)
    for check in hold.FINAL:
        check(shop)
    log = [f"{at:9.3f} {about:8} {text}" for at, about, text in shop.log]
    return Result(
        seed=seed,
        kinds=sorted(plan.kinds),
        violations=shop.violations,
        log=log,
        events=len(shop.books.tracked),
        digest=hashlib.sha256("\n".join(log).encode()).hexdigest()[:16],
    )


def _run(shop: Shop, until: float) -> None:
    ends = START + until
    while shop.scheduler.now < ends:
        shop.scheduler.run(min(ends, shop.scheduler.now + SAMPLE))
        if shop.scheduler.failure is not None:
            raise shop.scheduler.failure
        hold.check_disk(shop)
        if int(shop.time()) % 60 < SAMPLE:
            gc.collect()


def _recover(shop: Shop) -> None:
    heal(shop)
    alarm.TICK = 2.0
    until = shop.time() + hold.HEAL
    for place in shop.places:
        if not place.delivers_for_all:
            moments = [shop.time() + 12.0 * number for number in range(int(hold.HEAL / 12) - 3)]
            place.errands += [Errand(at=moment, name="good", size=10) for moment in moments]
    _run(shop, until)
    hold.check_recovery(shop)


def _rest(shop: Shop) -> None:
    living = shop.living
    calls, wakes = sum(one.calls for one in living), sum(one.wakes for one in living)
    _run(shop, shop.time() + hold.QUIET)
    hold.check_litter(shop)
    hold.check_quiet(
        shop, sum(one.calls for one in living) - calls, sum(one.wakes for one in living) - wakes, len(living)
    )


def _finish(shop: Shop) -> None:
    """End all processes; one that starts afterwards delivers what they left."""
    places, shop.places = shop.places, []
    for place in places:
        place.ends_in_order = True
    _run(shop, shop.time() + 20)
    for process in shop.living:  # forked children
        shop.killed(process)
    last = Place(name="last", errands=[Errand(at=shop.time(), name="good", size=10)])
    shop.places = [last]
    shop.open(last)
    _run(shop, shop.time() + hold.SETTLED)
    shop.places = []
    last.ends_in_order = True
    _run(shop, shop.time() + 20)
