"""Keeps as many requests in flight as the gate allows; what becomes of their events says the retry decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dd_pa.capture.attributes import MAX_BYTES as MAX_EVENT
from dd_pa.capture.event import BuiltEvent
from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.delivery.breather import Breather
from dd_pa.delivery.destination_gate import Gate
from dd_pa.delivery.event_age import QUESTION, Ages, prepared
from dd_pa.delivery.event_quarantine import FailedEvent, Quarantine
from dd_pa.delivery.ledger import Ledger
from dd_pa.delivery.retry_decision import Attempt, RetryDecision
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.network.outlet import DirectOutlet, Outlet, direct
from dd_pa.store.protocol import Source

MAX_IN_FLIGHT = 16 * 1024 * 1024
"""Bytes of bodies that may be in flight."""

SLICE = 256
"""Steps of filling in one turn of the loop; those that expired, say, need no room, and there may be any number."""


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
        self._max_age, self._ages = max_age, ages
        self._on_settled = on_settled
        self._breather = Breather()
        self._loop = asyncio.get_running_loop()
        self._attempts: set[Attempt] = set()
        self._undated: list[Attempt] = []
        """Those of the attempts that wait for the intake to tell the time."""

        self._asking = False
        self._again = self._bytes = 0
        self._filling = self._ending = self._paced = False
        self._turn = False
        self._dry = False
        """Nothing more was to be had at the last look, though there was room for it."""

        self._recalls = 0
        self.quarantine = Quarantine(policy)
        self.gate = Gate(policy, width=self._outlet.width)
        self.decision = RetryDecision(store, ledger, self.gate, self.quarantine, policy=policy, sender=sender)

    @property
    def busy(self) -> bool:
        """Requests are in flight, or events wait for another attempt."""
        return bool(self._attempts or self.quarantine)

    @property
    def gathers(self) -> bool:
        """All is well and nothing waits: what comes, and what is answered, may wait for its neighbours."""
        urgent = self.quarantine or self._undated or self.gate.closed or self.gate.hurried or not self.gate.healthy
        return self._dry and self.decision.passed > 0 and not urgent

    def fill(self) -> None:
        """Start as many requests as may be in flight now."""
        self.gate.width = self._outlet.width
        self._dry = False  # unless it turns out to be: where there is no room, nobody looks
        if self._store.recalls != self._recalls:
            self._recalls = self._store.recalls
            self.decision.hand_back(self.quarantine.all_waiting())
        for _ in range(SLICE):
            if self._ending or not self._send(self._loop.time()):
                break
        else:
            self._fill_soon()
        self._ask_if_needed()
        if self.gate.refusal is not None and not self._attempts and not self.gate.closed:
            self.decision.note_pause(self.gate.pause)

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
                self.decision.make_room(failed)
        fullness = self.quarantine.fullness
        if fullness >= 2 or (fullness >= 1 and len(self._attempts) > self._again):
            return False
        return self._send_fresh(1, now)

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
            self.decision.set_aside(failed.event, failed.sentence)
        else:
            self._start(failed.event, failed, now)
        return True

    def _start(self, event: BuiltEvent, failed: FailedEvent | None, now: float) -> None:
        self._breather.step()
        age = self._ages.of(event)
        body = prepared(event, age, self._max_age) if age is not None else QUESTION.body
        if isinstance(body, Outcome):
            self.decision.set_aside(event, body)
            return
        attempt = Attempt(event, failed, now, self.decision.passed)
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
            self.decision.conclude(attempt, outcome)
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

    def hurry(self) -> None:
        """Try everything once more now, and soon again: the process is about to end."""
        self.gate.hurry()
        self.quarantine.all_due_now()
        self.fill()

    async def close(self) -> None:
        """Send nothing more and end the requests in flight; their events stay unsettled in the store."""
        self._ending = self.decision.is_ending = True
        await self._outlet.aclose()
