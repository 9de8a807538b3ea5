"""One bad event never spoils the rest, whatever is bad about it. On a virtual loop; the intake judges by event."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dd_pa import BuiltEvent, RetryPolicy
from dd_pa.delivery import dispatcher as dispatching
from dd_pa.delivery.dispatcher import Dispatcher
from dd_pa.delivery.event_age import Ages
from dd_pa.delivery.event_quarantine import LONGEST, TRIES
from dd_pa.delivery.ledger import Ledger
from dd_pa.network.outcome import DELIVERED, Outcome, Verdict, judge
from dd_pa.network.outlet import Done
from dd_pa.store.memory import MemoryStore
from tests.core.virtual_loop import run

DAY = 24 * 3600.0
EPOCH = 1_700_000_000.0
Answer = Callable[[BuiltEvent, int], Outcome]
"""What the intake says to an event at its n-th attempt, from 1."""

LOST = Outcome(verdict=Verdict.LOST, reason="WriteError")
TIMEOUT = Outcome(verdict=Verdict.RETRY, reason="ReadTimeout")
BAD = {
    "403": judge(403, {}),
    "302": judge(302, {}),
    "404": judge(404, {}),
    "407": judge(407, {}),
    "421": judge(421, {}),
    "425": judge(425, {}),
    "500": judge(500, {}),
    "503 in 15 minutes": judge(503, {"retry-after": "900"}),
    "429 in 15 minutes": judge(429, {"retry-after": "900"}),
    "a lost connection": LOST,
    "no answer": TIMEOUT,
}


class KeepingStore(MemoryStore):
    """Remembers what was set aside, and may have no room for it."""

    def __init__(self) -> None:
        super().__init__(
            size=1_000_000,
            max_bytes=1 << 40,
            drop_newest=False,
            on_overflow=lambda event: None,
            uptime=lambda: asyncio.get_running_loop().time(),
        )
        self.set_aside: list[tuple[str, str, str]] = []
        self.full = False
        self.makes_way = False
        self.knows_ages = True
        self.foreign: dict[str, BuiltEvent] = {}
        """Events of other processes."""

    def age(self, event: BuiltEvent) -> float | None:
        return super().age(event) if self.knows_ages else None

    @property
    def recalls(self) -> int:  # type: ignore[override]
        return int(self.makes_way)

    def hand_back(self, event: BuiltEvent) -> bool:
        if not self.makes_way or event.id not in self.foreign:
            return False
        self.settle(event)
        return True

    def reject(self, event: BuiltEvent, reason: str, detail: str) -> bool:
        if self.full:
            return False
        self.set_aside.append((event.name, reason, detail))
        return super().reject(event, reason, detail)


@dataclass(kw_only=True)
class Bench:
    """A dispatcher over an intake that answers a moment later."""

    answer: Answer
    width: int = 100
    store: KeepingStore = field(default_factory=KeepingStore)
    attempts: Counter[str] = field(default_factory=Counter)
    delivered_at: dict[str, float] = field(default_factory=dict)
    sent: set[bytes] = field(default_factory=set)
    step: float = 0.0
    """Seconds by which the wall clock was set since the start."""

    date: float | None = None
    """What the intake's answers say of the time, at the start."""

    def __post_init__(self) -> None:
        self.ledger = Ledger(self)
        self.loop = asyncio.get_running_loop()
        self.started = self.loop.time()
        self.ages = Ages(self.store, max_age=7 * DAY, wall=lambda: EPOCH + self.loop.time() + self.step)
        self.dispatcher = Dispatcher(
            self.store,
            self.ledger,
            self,
            policy=RetryPolicy(draw=random.Random(7).uniform),
            max_age=7 * DAY,
            ages=self.ages,
            sender=self,
            on_settled=lambda: None,
        )

    def start(self, event: BuiltEvent, body: bytes, done: Done) -> None:
        self.attempts[event.id] += 1
        self.sent.add(body)
        outcome = self.answer(event, self.attempts[event.id])
        self.loop.call_later(10.0 if outcome is TIMEOUT else 0.05, self._finish, event, outcome, done)

    def _finish(self, event: BuiltEvent, outcome: Outcome, done: Done) -> None:
        if outcome is DELIVERED:
            self.delivered_at.setdefault(event.id, self.loop.time() - self.started)
        if self.date is not None:
            self.ages.heard({"date": formatdate(self.date + self.loop.time() - self.started, usegmt=True)})
        done(outcome)

    async def aclose(self) -> None:
        """Nothing is open."""

    def put(self, events: Iterable[BuiltEvent]) -> None:
        for event in events:
            self.store.put(event)

    async def pass_time(self, seconds: float) -> None:
        """Look at the store as the worker does."""
        until = self.loop.time() + seconds
        while self.loop.time() < until and self.store.pending:
            self.dispatcher.fill()
            busy = self.store.waiting and not self.dispatcher.gate.closed
            await asyncio.sleep(0.05 if busy else 1.0 if seconds < 600 else 10.0)

    @property
    def good_ones(self) -> int:
        return sum(event_id.startswith("good") for event_id in self.delivered_at)


def make(name: str, count: int, **changes: object) -> list[BuiltEvent]:
    """Return events that occurred just now."""
    usual = {"occurred_at": int((EPOCH + 1000) * 1000), "body": b"{}"}
    return [BuiltEvent(**{"id": f"{name}-{n}", "name": name, **usual, **changes}) for n in range(count)]  # type: ignore[arg-type]


def bad_ones_get(outcome: Outcome) -> Answer:
    """Return an intake that takes all but the bad."""
    return lambda event, attempt: outcome if event.name == "bad" else DELIVERED


@pytest.mark.parametrize("outcome", BAD.values(), ids=BAD)
@pytest.mark.parametrize("width", [1, 32, 100])
def test_one_bad_event_does_not_slow_the_others(outcome: Outcome, width: int) -> None:
    """Whatever it is answered with, also when it is the first of all; it is set aside in the end, and counted."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(outcome), width=width)
        bench.put([*make("bad", 1), *make("good", 1000)])
        await bench.pass_time(60 + 1000 * 0.05 / width + (70 if width == 1 else 0))

        assert bench.good_ones == 1000
        assert bench.dispatcher.gate.healthy
        for event in make("good", 1000 + 24 * 6)[1000:]:  # others pass from time to time
            bench.put([event])
            await bench.pass_time(600)
        assert [name for name, _, _ in bench.store.set_aside] == ["bad"]
        assert (bench.ledger.rejected, bench.store.pending) == (1, 0)
        assert bench.attempts["bad-0"] <= 2 * TRIES

    run(deliver())


@pytest.mark.parametrize("outcome", [BAD["500"], BAD["403"], BAD["503 in 15 minutes"]], ids=["500", "403", "503"])
@pytest.mark.parametrize("mix", [3, 1], ids=["one of four", "every second"])
def test_many_bad_events_among_good_ones_do_not_starve_them(outcome: Outcome, mix: int) -> None:
    """More than ten times the width of them, and then new ones."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(outcome))
        good = iter(make("good", 2000 * mix))
        for bad in make("bad", 2000):
            bench.put([bad, *(next(good) for _ in range(mix))])
        await bench.pass_time(60)

        assert bench.good_ones == 2000 * mix
        assert bench.dispatcher.quarantine.convicted > 1000

    run(deliver())


def test_many_bad_events_in_front_hide_the_good_ones_for_a_while_only() -> None:
    """Nobody can tell that from an outage at first; the probes go deeper and deeper."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(BAD["500"]))
        bench.put([*make("bad", 1500), *make("good", 500)])
        await bench.pass_time(600)

        assert bench.good_ones == 500

    run(deliver())


@pytest.mark.parametrize("outcome", [LOST, BAD["500"]], ids=["lost", "500"])
@pytest.mark.parametrize("width", [1, 4, 100])
def test_a_burst_of_bad_events_costs_the_good_ones_behind_it_a_minute_at_most(outcome: Outcome, width: int) -> None:
    """Whatever `CONCURRENCY` is: what was never tried is tried ever faster while all fails."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(outcome), width=width)
        bench.put([*make("bad", 200), *make("good", 20)])
        await bench.pass_time(60)

        assert bench.good_ones == 20

    run(deliver())


@pytest.mark.parametrize("width", [1, 4, 100])
def test_an_outage_sees_each_event_once_and_few_again(width: int) -> None:
    """A few attempts a second are the most that a process adds to it, however much waits; and none is forgotten."""

    async def deliver() -> None:
        works = False
        bench = Bench(answer=lambda event, attempt: DELIVERED if works else BAD["500"], width=width)
        bench.put(make("good", 5000))
        await bench.pass_time(1200)

        assert bench.attempts.total() < 1200 * 8
        assert bench.attempts.total() - len(bench.attempts) < 1200 * 4
        works = True
        await bench.pass_time(120 + 5000 * 0.06 / width)
        assert bench.good_ones == 5000

    run(deliver())


@pytest.mark.parametrize("outcome", [LOST, TIMEOUT, BAD["500"]], ids=["lost", "no answer", "500"])
def test_bad_events_are_found_out_with_little_traffic_too(outcome: Outcome) -> None:
    """They fail in a row and close the gate before a good one passes, so that none ever passes beside them."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(outcome), width=1)
        bench.put(make("bad", 6))
        for event in make("good", 20):
            bench.put([event])
            await bench.pass_time(60)

        assert bench.good_ones == 20
        assert bench.dispatcher.quarantine.convicted == 6

    run(deliver())


def test_a_full_quarantine_sets_aside_the_most_tried() -> None:
    """Its room is bounded, so that memory is, and what is set aside is counted."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(BAD["500"]))
        bench.dispatcher.quarantine._max_events = 300
        good = iter(make("good", 1000))
        for bad in make("bad", 1000):
            bench.put([bad, next(good)])
        await bench.pass_time(600)

        assert bench.good_ones == 1000
        assert len(bench.dispatcher.quarantine) <= 600
        assert bench.ledger.rejected == len(bench.store.set_aside) > 0

    run(deliver())


def test_an_outage_of_a_day_gives_nothing_up() -> None:
    """What fails with the destination is not to blame, and arrives when that is well."""

    async def deliver() -> None:
        fails = BAD["503 in 15 minutes"]
        bench = Bench(answer=lambda event, attempt: DELIVERED if bench.loop.time() > DAY else fails)
        bench.put(make("good", 3000))
        await bench.pass_time(DAY - 1100)
        assert (bench.good_ones, bench.store.set_aside) == (0, [])
        await bench.pass_time(1200)

        assert (bench.good_ones, bench.store.set_aside) == (3000, [])

    run(deliver())


@pytest.mark.parametrize("status", [401, 403, 404, 405, 407, 410, 421, 425, 307])
def test_answers_about_the_way_pause_and_keep_everything(status: int) -> None:
    """Not one event is lost, however long it takes until somebody mends the address."""

    async def deliver() -> None:
        wrong = judge(status, {})
        bench = Bench(answer=lambda event, attempt: DELIVERED if bench.loop.time() > 4 * 3600 else wrong)
        bench.put(make("good", 3000))
        await bench.pass_time(4 * 3600 - 1000)
        assert (bench.dispatcher.gate.paused_by, bench.ledger.rejected) == (str(status), 0)
        assert bench.attempts.total() < 100 + 4 * 60 * 12 * 2
        await bench.pass_time(2000)

        assert (bench.good_ones, bench.store.pending) == (3000, 0)

    run(deliver())


def test_a_storm_of_rejections_pauses() -> None:
    """A hundred different events in a row, and none taken: the rest is kept."""

    async def deliver() -> None:
        bench = Bench(answer=lambda event, attempt: judge(400, {}), width=10)
        bench.put(make("good", 5000))
        await bench.pass_time(600)

        assert bench.dispatcher.gate.paused_by == "400"
        assert bench.ledger.rejected == len(bench.store.set_aside) < 150

    run(deliver())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"occurred_at": 10**400}, id="no moment"),
        pytest.param({"occurred_at": 0}, id="expired"),
        pytest.param({"occurred_at": int((EPOCH - 5 * 3600) * 1000), "body": b'{"usr":{},"session":"x"}'}, id="text"),
        pytest.param({"occurred_at": int((EPOCH - 5 * 3600) * 1000), "body": b"[" * 9}, id="no object"),
        pytest.param({"occurred_at": int((EPOCH - 5 * 3600) * 1000), "body": b'{"session":{"id":"s"}}'}, id="late"),
    ],
)
def test_what_cannot_be_looked_at_is_set_aside(changes: dict[str, object]) -> None:
    """The rest goes on; a thousand of them take several turns of the loop."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(DELIVERED))
        bench.store.knows_ages = False
        bench.put([*make("bad", 1000, **changes), *make("good", 10)])
        await bench.pass_time(10)

        assert (bench.good_ones, len(bench.store.set_aside)) == (10, 1000)
        assert bench.ledger.rejected + bench.ledger.dropped["expired"] == 1000

    run(deliver())


def test_what_cannot_be_written_down_is_neither_settled_nor_in_the_way() -> None:
    """A full disk while the intake rejects: the events stay, and are set aside when there is room."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(judge(400, {})))
        bench.store.full = True
        bench.put([*make("bad", 50), *make("good", 1000)])
        await bench.pass_time(120)
        assert (bench.good_ones, bench.store.pending, bench.ledger.rejected) == (1000, 50, 0)
        bench.store.full = False
        await bench.pass_time(3599)

        assert (bench.store.pending, bench.ledger.rejected, len(bench.store.set_aside)) == (0, 50, 50)
        assert bench.attempts["bad-0"] == 1

    run(deliver())


def test_a_day_of_the_monotonic_clock_is_enough() -> None:
    """An event whose tries come rarely is not kept for ever."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(judge(503, {"retry-after": "900"})))
        bench.put(make("bad", 1))
        for number in range(int(LONGEST / 3600) + 12):
            bench.put(
                [BuiltEvent(id=f"good-{number}", name="good", occurred_at=int((EPOCH + 1000) * 1000), body=b"{}")]
            )
            await bench.pass_time(3599)

        assert [reason for _, reason, _ in bench.store.set_aside] == ["503"]

    run(deliver())


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt()], ids=repr)
def test_an_outlet_that_raises_spoils_one_event_only(error: BaseException) -> None:
    """It is a failure like any other."""

    async def deliver() -> None:
        def answer(event: BuiltEvent, attempt: int) -> Outcome:
            if event.name == "bad":
                raise error
            return DELIVERED

        bench = Bench(answer=answer)
        bench.put([*make("bad", 3), *make("good", 300)])
        await bench.pass_time(30)

        assert bench.good_ones == 300
        assert bench.ledger.last_error == type(error).__name__

    run(deliver())


ANSWERS = st.sampled_from([*BAD.values(), judge(400, {}), judge(408, {}), judge(503, {}), DELIVERED])


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.lists(ANSWERS, min_size=1, max_size=4)), min_size=1, max_size=60),
    st.sampled_from([1, 3, 100]),
    st.integers(0, 3),
)
def test_good_events_arrive_whatever_the_bad_ones_do(
    plan: list[tuple[bool, list[Outcome]]], width: int, good_between: int
) -> None:
    """Each bad event repeats its own answers for ever; each good one is taken whenever it is sent.

    A good event needs one attempt, all arrive, and every bad one is delivered, set aside, or waits.
    """

    async def deliver() -> None:
        scripts = {f"bad-{number}": script for number, (_, script) in enumerate(plan)}

        def answer(event: BuiltEvent, attempt: int) -> Outcome:
            script = scripts.get(event.id, [DELIVERED])
            return script[(attempt - 1) % len(script)]

        bench = Bench(answer=answer, width=width)
        good, bad = iter(make("good", 1000)), make("bad", len(plan))
        total = 0
        for event, (surrounded, _) in zip(bad, plan, strict=True):
            some = [next(good) for _ in range(good_between + 5 * surrounded)]
            total += len(some)
            bench.put([event, *some])
        bench.put(last := [next(good) for _ in range(3)])
        total += len(last)
        # Where nothing passes between them, each bad one may cost the wait that it asks for.
        await bench.pass_time(600 + 900 * len(plan) / width)

        assert bench.good_ones == total
        assert max(n for event_id, n in bench.attempts.items() if event_id.startswith("good")) == 1
        arrived = {event_id for event_id in bench.delivered_at if event_id.startswith("bad")}
        assert len(arrived) + bench.ledger.rejected + bench.store.pending == len(plan)
        assert bench.ledger.rejected == len(bench.store.set_aside)
        assert len(bench.dispatcher.quarantine) <= bench.store.pending

    run(deliver())


def test_bytes_in_flight_are_bounded() -> None:
    """A hundred events of a megabyte are not sent at once; small ones are."""

    async def deliver() -> None:
        bench = Bench(answer=bad_ones_get(DELIVERED))
        bench.put(make("good", 100, body=b"x" * 1_000_000))
        bench.dispatcher.fill()
        assert 1 <= bench.attempts.total() <= dispatching.MAX_IN_FLIGHT // 1_000_000 + 1
        await bench.pass_time(60)

        assert bench.good_ones == 100

    run(deliver())


@pytest.mark.parametrize("step", [12 * 365 * DAY, 8 * DAY, 6 * 3600.0, -6 * 3600.0, -30 * DAY])
def test_a_wall_clock_that_is_set_expires_nothing(step: float) -> None:
    """Neither what waits nor what comes; nor does anything lose its session."""
    body = b'{"session":{"id":"s"},"usr":{"id":"u"},"dd_pa":{}}'

    async def deliver() -> None:
        bench = Bench(answer=lambda event, attempt: DELIVERED)
        bench.put(make("good", 500, body=body))
        bench.step = step
        await bench.pass_time(60)

        assert (bench.good_ones, bench.store.set_aside, bench.ledger.dropped) == (500, [], {})
        assert bench.sent == {body}

    run(deliver())


def test_what_this_process_could_not_deliver_for_long_expires_by_both_clocks() -> None:
    """A clock that went on as it should decides as before: set aside with its reason, and counted."""

    async def deliver() -> None:
        bench = Bench(answer=lambda event, attempt: DELIVERED)
        bench.put(make("late", 1))
        await asyncio.sleep(7 * DAY + 2000)
        await bench.pass_time(60)

        assert [reason for _, reason, _ in bench.store.set_aside] == ["expired"]
        assert bench.ledger.dropped == {"expired": 1}

    run(deliver())


@pytest.mark.parametrize("wrong", [12 * 365 * DAY, 8 * DAY, 5 * 3600.0])
@pytest.mark.parametrize("question", [judge(400, {}), judge(503, {}), judge(403, {})], ids=lambda one: one.reason)
def test_what_seems_old_waits_until_the_intake_tells_the_time(wrong: float, question: Outcome) -> None:
    """The clock was ahead when the process started, and nobody else knows how old the events are."""
    body = b'{"session":{"id":"s"},"usr":{"id":"u"},"dd_pa":{}}'

    async def deliver() -> None:
        bench = Bench(answer=lambda event, attempt: DELIVERED if event.id else question, step=wrong)
        bench.store.knows_ages = False
        bench.date = EPOCH + 1000
        bench.put(make("good", 500, body=body))
        await bench.pass_time(60)

        assert (bench.good_ones, bench.store.set_aside, bench.ledger.dropped) == (500, [], {})
        assert bench.sent == {body, b"{}"}
        assert bench.attempts[""] == 1

    run(deliver())


def test_an_answer_that_is_about_to_come_tells_the_time_too() -> None:
    """Nothing is asked for where an event is on its way."""

    async def deliver() -> None:
        bench = Bench(answer=lambda event, attempt: DELIVERED)
        bench.store.knows_ages = False
        bench.date = EPOCH + 1000
        bench.put([*make("good", 1), *make("late", 5, occurred_at=int((EPOCH - 8 * DAY) * 1000))])
        await bench.pass_time(60)

        assert [reason for _, reason, _ in bench.store.set_aside] == ["expired"] * 5
        assert "" not in bench.attempts

    run(deliver())


def test_an_intake_that_tells_no_time_leaves_it_to_this_machine() -> None:
    """It is asked once; while nothing answers, nothing is set aside."""

    async def deliver() -> None:
        bench = Bench(answer=lambda event, attempt: TIMEOUT if bench.loop.time() < 3000 else judge(400, {}))
        bench.store.knows_ages = False
        bench.put(make("late", 500, occurred_at=int((EPOCH - 8 * DAY) * 1000)))
        await bench.pass_time(1500)

        assert bench.store.set_aside == []

        await bench.pass_time(1000)

        assert [reason for _, reason, _ in bench.store.set_aside] == ["expired"] * 500
        assert bench.sent == {b"{}"}

    run(deliver())


@pytest.mark.parametrize("outcome", [TIMEOUT, BAD["403"]], ids=["in flight", "waiting"])
def test_what_failed_here_goes_to_a_process_that_may_deliver(outcome: Outcome) -> None:
    """Events of others, as soon as the store makes way or they end their flight; not this process's own."""

    async def deliver() -> None:
        bench = Bench(answer=lambda event, attempt: outcome, width=20)
        others = make("another's", 10)
        bench.put([*others, *make("own", 10)])
        bench.store.foreign = {event.id: event for event in others}
        await bench.pass_time(5)
        bench.store.makes_way = True
        await bench.pass_time(30)

        assert {event.id for event in bench.store.drain()} == {f"own-{n}" for n in range(10)}
        assert len(bench.dispatcher.quarantine) == 10

    run(deliver())
