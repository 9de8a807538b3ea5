"""What a seed means: which kinds of trouble there are, when, and what the shop does meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

BAD = {
    "bad_403": ("403", "401"),
    "bad_302": ("302",),
    "bad_wait": ("503 wait", "429 wait"),
    "bad_500": ("500", "502"),
    "bad_404": ("404", "405", "407", "421", "425"),
    "bad_400": ("400", "413"),
    "bad_hang": ("hang",),
    "bad_cut": ("cut",),
    "bad_panic": ("panic",),
}
"""Kinds of events that fail whatever happens, and the answers that they get."""

INTAKE = ("flaky", "outage", "lost", "lost_answer", "revoked", "no_date")
DISK = ("eio", "enospc", "bad_file", "bad_block", "letters_fail", "list_fail", "descriptors", "nfs", "slow_disk", "rot")
PROCESSES = ("kill", "kill_within", "ends", "stall", "fork", "scripts", "deliverer", "memory", "clock", "reboot")
NEIGHBOURS = ("alien", "other_version", "orphans")
SIZES = ("tight", "big", "storm")

KINDS = (*BAD, *INTAKE, *DISK, *PROCESSES, *NEIGHBOURS, *SIZES)
"""All kinds of trouble."""

PAUSING = frozenset({"bad_403", "bad_302", "bad_404", "bad_wait"})
"""Kinds whose answers ask for a pause; more than a few in a row cannot be told from an intake that wants one."""

OUTAGES = ("503", "503 wait", "403", "302", "404", "hang", "refused", "500")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which all events get the same answer."""

    begins: float
    ends: float
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One event that the shop tracks."""

    at: float
    name: str
    """`good`, or `bad.` and the answer that it gets."""

    size: int
    """Bytes of filling."""


@dataclass(kw_only=True)
class Plan:
    """Everything that is drawn in advance."""

    seed: str
    kinds: frozenset[str]
    lasts: float
    """Seconds of trouble."""

    workers: int
    concurrency: int
    max_bytes: int
    buffer_size: int
    tick: float
    orphans: int
    errands: list[list[Errand]] = field(default_factory=list)
    """For each worker, in order."""

    outages: list[Outage] = field(default_factory=list)

    def draws(self, about: str) -> random.Random:
        """Return a source of chance of its own, so that leaving out one kind of trouble does not change the others."""
        return random.Random(f"{self.seed} {about}")

    def has(self, kind: str) -> bool:
        return kind in self.kinds


def make_plan(seed: str, only: Iterable[str] | None = None) -> Plan:
    """Return what a seed means; `only` replaces its kinds of trouble."""
    draws = random.Random(f"{seed} plan")
    kinds = {kind for kind in KINDS if draws.random() < draws.choice((0.05, 0.15, 0.3))}
    if draws.random() < 0.3:
        kinds = set(draws.sample(KINDS, draws.randint(1, 2)))
    kept = frozenset(kinds if only is None else only)
    sizes, rooms, orphans = draws.choice((128, 512)), draws.choice((30, 10_000)), draws.choice((20, 60, 150))
    plan = Plan(
        seed=seed,
        kinds=kept,
        lasts=draws.uniform(40, 150),
        workers=max(draws.randint(1, 3), 2 if "memory" in kept else 1),  # one at least has the spool
        concurrency=draws.choice((2, 4, 10, 50)),
        max_bytes=sizes * 1024 if "tight" in kept else 16 << 20,
        buffer_size=rooms if "tight" in kept else 10_000,
        tick=draws.choice((0.05, 0.5, 0.5, 1.0)),
        orphans=orphans if "orphans" in kept else 0,
    )
    plan.errands = [_errands(plan, number) for number in range(plan.workers)]
    if plan.has("outage"):
        plan.outages = list(_outages(plan))
    return plan


def _errands(plan: Plan, worker: int) -> list[Errand]:
    draws = plan.draws(f"errands {worker}")
    moments = sorted(draws.uniform(0.1, plan.lasts) for _ in range(draws.randint(20, 80)))
    if draws.random() < 0.3:
        burst = draws.uniform(1, plan.lasts)
        moments = sorted([*moments, *(burst + 0.001 * number for number in range(100))])
    found = [Errand(at=moment, name="good", size=_size(plan, draws)) for moment in moments]
    for kind, answers in BAD.items():
        if plan.has(kind):
            found += _bad(plan, worker, kind, answers)
    return sorted(found, key=lambda errand: errand.at)


def _bad(plan: Plan, worker: int, kind: str, answers: tuple[str, ...]) -> list[Errand]:
    draws = plan.draws(f"{kind} {worker}")
    many = plan.has("storm") and draws.random() < 0.7
    usual = draws.choice((1, 1, 2)) if kind in PAUSING else draws.choice((1, 1, 2, 5, 20))
    count = draws.randint(60, 250) if many else usual
    size = 0 if not many else draws.choice((0, 200, 2000) if kind == "bad_400" else (0, 200))
    begins = draws.uniform(0.1, plan.lasts / 2)
    lasts = draws.uniform(0.1, plan.lasts / 2)
    return [
        Errand(at=draws.uniform(begins, begins + lasts), name=f"bad.{draws.choice(answers)}", size=size)
        for _ in range(count)
    ]


def _size(plan: Plan, draws: random.Random) -> int:
    return draws.choice((10, 1000, 30_000, 120_000)) if plan.has("big") else draws.choice((10, 10, 200, 1500))


def _outages(plan: Plan) -> Iterable[Outage]:
    draws = plan.draws("outages")
    for _ in range(draws.randint(1, 3)):
        begins = draws.uniform(0, plan.lasts)
        ends = min(plan.lasts, begins + draws.choice((1, 5, 30, 100)))
        yield Outage(begins=begins, ends=ends, answer=draws.choice(OUTAGES))
