"""Keeps as many requests in flight as the gate allows, and settles each event by its outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from dd_pa.capture.attributes import MAX_BYTES as MAX_EVENT
from dd_pa.capture.event import BuiltEvent
from dd_pa.delivery.breather import Breather
from dd_pa.delivery.destination_gate import Gate, RetryPolicy
from dd_pa.delivery.event_age import EXPIRED, QUESTION, Ages, prepared
from dd_pa.delivery.event_quarantine import FailedEvent, Quarantine
from dd_pa.delivery.ledger import Ledger
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.network.outlet import DirectOutlet, Outlet, direct
from dd_pa.observe import signals
from dd_pa.store.protocol import Source

logger = logging.getLogger("dd_pa")

RECONNECTS = 4
"""Times that an event is sent again at once after its connection was lost; after that it waits like any failure."""

MAX_IN_FLIGHT = 16 * 1024 * 1024
"""Bytes of bodies that may be in flight."""

SLICE = 256
"""Steps of filling in one turn of the loop; those that expired, say, need no room, and there may be any number."""

OUTLIVED, OUTLIVED_LIMIT = 2, 5
"""So often others pass between two failures of an event, and it is to blame though none passed beside it; a limit
on the rate hits anyone, and asks for more."""

NOT_SET_ASIDE = 60.0
"""Seconds before an event that could not be written to the dead letters is written again."""


class Attempt:
    """One request in flight."""

    __slots__ = ("event", "failed", "passed", "started")

    def __init__(self, event: BuiltEvent, failed: FailedEvent | None, started: float, passed: int) -> None:
        self.event, self.failed = event, failed
        self.started, self.passed = started, passed


class Dispatcher:
    """Lives on the delivery thread's loop; not for other threads."""

    def __init__(
        self,
        store: Source,
        ledger: Ledger,
        outlet: Outlet | DirectOutlet,
        *,
        policy: RetryPolicy,
        max_age: float,
        ages: Ages,
        sender: object,
        on_settled: Callable[[], None],
    ) -> None:
        self._store, self._ledger, self._outlet = store, ledger, direct(outlet)
        self._policy, self._max_age, self._ages, self._sender = policy, max_age, ages, sender
        self._on_settled = on_settled
        self._breather = Breather()
        self._loop = asyncio.get_running_loop()
        self._attempts: set[Attempt] = set()
        self._undated: list[Attempt] = []
        """Those of the attempts that wait for the intake to tell the time."""

        self._asking = False
        self._again = self._bytes = 0
        self._passed = 0
        self._filling = self._ending = self._paced = False
        self._turn = False
        self._dry = False
        """Nothing more was to be had at the last look, though there was room for it."""

        self._recalls = 0
        self.quarantine = Quarantine(policy)
        self.gate = Gate(policy, width=self._outlet.width)

    @property
    def busy(self) -> bool:
        """Requests are in flight, or events wait for another attempt."""
        return bool(self._attempts or self.quarantine)

    @property
    def gathers(self) -> bool:
        """All is well and nothing waits: what comes, and what is answered, may wait for its neighbours."""
        urgent = self.quarantine or self._undated or self.gate.closed or self.gate.hurried or not self.gate.healthy
        return self._dry and self._passed > 0 and not urgent

    def fill(self) -> None:
        """Start as many requests as may be in flight now."""
        self.gate.width = self._outlet.width
        self._dry = False  # unless it turns out to be: where there is no room, nobody looks
        if self._store.recalls != self._recalls:
            self._recalls = self._store.recalls
            self._hand_back(self.quarantine.all_waiting())
        for _ in range(SLICE):
            if self._ending or not self._send(self._loop.time()):
                break
        else:
            self._fill_soon()
        self._ask_if_needed()
        if self.gate.refusal is not None and not self._attempts and not self.gate.closed:
            self._note_pause(self.gate.pause)

    def _send(self, now: float) -> bool:
        """Send an event, or several; return whether there was one and room for it."""
        in_flight = len(self._attempts)
        room = self.gate.room(now) - in_flight
        if room <= 0:
            return self.gate.room_for_fresh(now) > in_flight and self._send_if_room(now)
        if self.gate.rate_limit.is_set:
            room = min(room, self.gate.rate_limit.allowance(now))
            if room < 1:
                self._wait_for_pace(now)
                return False
        return self._send_some(room, now) if self.quarantine else self._send_fresh(room, now)

    def _wait_for_pace(self, now: float) -> None:
        """Fill again when the next event may go, if there is one."""
        if self._store.waiting or self.quarantine:
            wait = self.gate.rate_limit.held(now)
            if not self._paced:
                self._paced = True
                self._loop.call_later(wait, self._go_on)

    def _go_on(self) -> None:
        self._paced = False
        self._fill_soon()

    def _send_fresh(self, limit: int, now: float) -> bool:
        """Send up to `limit` events that have not been tried; return whether there was one and room for it."""
        if self._bytes >= MAX_IN_FLIGHT:
            return False
        events = self._store.take(min(limit, max(1, (MAX_IN_FLIGHT - self._bytes) // MAX_EVENT)))
        self._dry = not events
        for event in events:
            self._start(event, None, now)
        return bool(events)

    def _send_some(self, room: int, now: float) -> bool:
        """Send one event, failed ones and fresh ones in turn: neither may starve the other."""
        self._turn = not self._turn
        if self._turn or (self.gate.closed and self.quarantine.fullness < 1):
            return self._send_if_room(now) or self._send_again(room, now)
        return self._send_again(room, now) or self._send_if_room(now)

    def _send_if_room(self, now: float) -> bool:
        if self.quarantine.fullness >= 1:
            for failed in self.quarantine.most_tried():
                self._make_room(failed)
        fullness = self.quarantine.fullness
        if fullness >= 2 or (fullness >= 1 and len(self._attempts) > self._again):
            return False
        return self._send_fresh(1, now)

    def _make_room(self, failed: FailedEvent) -> None:
        if failed.sentence is None:
            self._give_up(failed)
            return
        self._settle(failed.event)  # it could not be written down for as long as there was room
        self._ledger.count_dropped("not_set_aside", failed.event)

    def _send_again(self, room: int, now: float) -> bool:
        """Send an event that has failed before: those that may be to blame take but a part of the room."""
        width = room + len(self._attempts)
        failed = None
        if self._again < max(1, width // 2):
            failed = self.quarantine.pop_undecided(now)
        if failed is None and self._again < max(1, width // 4):
            failed = self.quarantine.pop_convicted(now)
        if failed is None:
            return False
        if failed.sentence is not None:
            self._set_aside(failed.event, failed.sentence)
        else:
            self._start(failed.event, failed, now)
        return True

    def _start(self, event: BuiltEvent, failed: FailedEvent | None, now: float) -> None:
        self._breather.step()
        age = self._ages.of(event)
        body = prepared(event, age, self._max_age) if age is not None else QUESTION.body
        if isinstance(body, Outcome):
            self._set_aside(event, body)
            return
        attempt = Attempt(event, failed, now, self._passed)
        self._attempts.add(attempt)
        self._bytes += len(event.body)
        self._again += failed is not None
        if age is None:
            self._undated.append(attempt)
            return
        if failed is None:
            self.gate.started_fresh(now)
        if self.gate.rate_limit.is_set:
            self.gate.rate_limit.spend()
        self._begin(event, body, lambda outcome: self._done(attempt, outcome))

    def _begin(self, event: BuiltEvent, body: bytes, done: Callable[[Outcome], None]) -> None:
        try:
            self._outlet.start(event, body, done)
        except BaseException as error:  # of an outlet that is not ours
            done(Outcome(verdict=Verdict.RETRY, reason=type(error).__name__))

    def _ask_if_needed(self) -> None:
        """Ask for the time, unless another answer is about to tell it."""
        if self._asking or not self._undated:
            return
        if self._ages.of(self._undated[0].event) is not None:
            self._date_all()
        elif len(self._undated) == len(self._attempts):
            self._asking = True
            self._begin(QUESTION, QUESTION.body, self._told)

    def _told(self, outcome: Outcome) -> None:
        if not self._asking:  # an outlet that calls twice
            return
        self._asking = False
        if outcome.verdict in (Verdict.RETRY, Verdict.LOST) and self._ages.of(self._undated[0].event) is None:
            undated, self._undated = self._undated, []
            for attempt in undated:
                self._done(attempt, outcome)
            return
        self._ages.go_by_the_wall_clock()
        self._date_all()

    def _date_all(self) -> None:
        undated, self._undated = self._undated, []
        for attempt in undated:
            self._over(attempt)
            self._start(attempt.event, attempt.failed, self._loop.time())
        self._fill_soon()

    def _over(self, attempt: Attempt) -> None:
        self._attempts.discard(attempt)
        self._bytes -= len(attempt.event.body)
        self._again -= attempt.failed is not None

    def _done(self, attempt: Attempt, outcome: Outcome) -> None:
        if attempt not in self._attempts:  # an outlet that calls twice
            return
        self._breather.step()
        self._over(attempt)
        try:
            self._conclude(attempt, outcome)
        except BaseException as failure:  # a bug of ours, or a receiver of a signal that calls exit()
            self._ledger.say("delivery", "delivery failed: %s", type(failure).__name__)
        self._fill_soon()

    def _fill_soon(self) -> None:
        """Fill once for all that is answered in this turn of the loop.

        Where nothing waited at the last look, what came since waits for the next one and leaves with its neighbours:
        an event by itself costs several times as much, as each is a packet, and a turn of the loop, of its own.
        """
        if not self._filling and not self._ending:
            self._filling = True
            self._loop.call_soon(self._fill_again)

    def _fill_again(self) -> None:
        self._filling = False
        if not self.gathers:
            self.fill()
        self._on_settled()

    def _conclude(self, attempt: Attempt, outcome: Outcome) -> None:
        match outcome.verdict:
            case Verdict.DELIVERED:
                self._settle(attempt.event)
                self.gate.accepted()
                self._pass(attempt)
                self._ledger.count_delivered(attempt.event)
            case Verdict.REJECT:
                self._judge_rejection(attempt, outcome)
                self._set_aside(attempt.event, outcome)
            case _ if not self._ending:
                self._judge_failure(attempt, outcome)

    def _settle(self, event: BuiltEvent) -> None:
        self._store.settle(event)
        if self.quarantine:
            self.quarantine.forget(event)

    def _pass(self, attempt: Attempt) -> None:
        """Note that the destination is well."""
        self._passed += 1
        paused = self.gate.paused_by
        if self.gate.rate_limit.is_set:
            self.gate.rate_limit.succeeded(self._loop.time())
        if alone := self.gate.succeeded(attempt.started):
            for failed in self.quarantine.waiting(alone):
                self._convict(failed)
        if paused and not self.gate.paused_by:
            logger.warning("the intake takes events again; delivery goes on")
            signals.send(signals.delivery_resumed, self._sender)

    def _judge_rejection(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take a rejection for a sign of life, unless everything is rejected."""
        refusal = self.gate.rejected(outcome)
        if refusal is None:
            self._pass(attempt)
        else:
            self._blame_destination(attempt, refusal)

    def _judge_failure(self, attempt: Attempt, outcome: Outcome) -> None:
        """Find out who is to blame: the event, the destination, or nobody knows."""
        self._ledger.count_retried(outcome.reason)
        failed = self.quarantine.note(attempt.event, outcome)
        if self._hand_back([failed]):
            return
        others_passed = self._passed > (failed.passed if failed.convictions else attempt.passed)
        failed.outlived += failed.failures > 1 and self._passed > failed.passed
        failed.passed = self._passed
        if failed.convictions:
            self._convict(failed, counts=others_passed and not self.gate.hurried)
        elif outcome.verdict is Verdict.LOST and failed.failures <= RECONNECTS and not self.gate.closed:
            self.quarantine.add(failed, self._loop.time())
        elif self._is_to_blame(failed, outcome, others_passed=others_passed):
            self._convict(failed)
        else:
            self._blame_destination(attempt, outcome)
            self._wait_undecided(failed, outcome)

    def _hand_back(self, failures: Iterable[FailedEvent]) -> int:
        """Forget events that are not this process's to deliver any more; return how many those are."""
        handed_back = [failed.event for failed in failures if self._store.hand_back(failed.event)]
        for event in handed_back:
            self.quarantine.forget(event)
        return len(handed_back)

    def _is_to_blame(self, failed: FailedEvent, outcome: Outcome, *, others_passed: bool) -> bool:
        """Tell by those that passed beside it or, with little traffic, between its failures."""
        if outcome.verdict is Verdict.LIMIT:
            return failed.outlived >= OUTLIVED_LIMIT
        return others_passed or failed.outlived >= OUTLIVED

    def _blame_destination(self, attempt: Attempt, outcome: Outcome) -> None:
        was_closed = self.gate.closed
        self._note_pause(
            lambda: self.gate.failed(attempt.event.id, outcome, self._loop.time(), attempt.started),
        )
        if self.gate.closed and not was_closed:  # those that failed first are no longer suspected
            self.quarantine.release(self._loop.time())

    def _wait_undecided(self, failed: FailedEvent, outcome: Outcome) -> None:
        if self.gate.closed:  # the gate says when
            self.quarantine.add(failed, self._loop.time())
            return
        pauses = outcome.verdict is Verdict.PAUSE
        wait = self._policy.pause_wait(failed.failures) if pauses else self._policy.wait(failed.failures)
        self._wait(failed, max(wait, outcome.wait or 0.0))

    def _wait(self, failed: FailedEvent, seconds: float) -> None:
        self.quarantine.add(failed, self._loop.time() + min(seconds, self.gate.longest_wait))

    def _convict(self, failed: FailedEvent, *, counts: bool = True) -> None:
        """Let an event wait by itself, or give it up if it had its tries."""
        if counts and self.quarantine.convict(failed, self._loop.time()):
            self._give_up(failed)
        else:
            self._wait(failed, self.quarantine.own_wait(failed))

    def _give_up(self, failed: FailedEvent) -> None:
        last = failed.outcome or EXPIRED
        detail = f"given up after {failed.failures} failures while others passed: {last.detail}"
        self._set_aside(failed.event, Outcome(verdict=Verdict.REJECT, reason=last.reason, detail=detail))

    def _set_aside(self, event: BuiltEvent, why: Outcome) -> None:
        """Hand an event to the dead letters; one for which there is no room now stays, and is handed over later."""
        if not self._store.reject(event, why.reason, why.detail):
            failed = self.quarantine.get(event) or self.quarantine.note(event, why)
            failed.sentence = why
            self._wait(failed, NOT_SET_ASIDE)
            return
        self.quarantine.forget(event)
        if why is EXPIRED:
            self._ledger.count_dropped("expired", event)
        else:
            self._ledger.count_rejected(event, why.reason, why.detail)

    def _note_pause(self, change: Callable[[], None]) -> None:
        """Do what may pause the delivery, and say so if it does."""
        was_paused = self.gate.paused_by
        change()
        if self.gate.paused_by and not was_paused:
            logger.error(
                "delivery is paused: the answer is %s; check API_KEY, SITE, INTAKE_URL and RELAY_URL. Events are kept.",
                self.gate.paused_by,
            )
            signals.send(signals.delivery_paused, self._sender, reason=self.gate.paused_by)

    def hurry(self) -> None:
        """Try everything once more now, and soon again: the process is about to end."""
        self.gate.hurry()
        self.quarantine.all_due_now()
        self.fill()

    async def close(self) -> None:
        """Send nothing more and end the requests in flight; their events stay unsettled in the store."""
        self._ending = True
        await self._outlet.aclose()
