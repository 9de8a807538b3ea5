"""Keeps as many requests in flight as the gate allows, and settles each event by its outcome."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from dd_pa import signals
from dd_pa.capture.event import Event
from dd_pa.delivery.gate import Gate, RetryPolicy
from dd_pa.delivery.late import LATE_AFTER, without_session
from dd_pa.delivery.ledger import Ledger
from dd_pa.delivery.outcome import Outcome, Verdict
from dd_pa.delivery.outlet import Outlet
from dd_pa.delivery.retries import Retries
from dd_pa.store.protocol import Source

logger = logging.getLogger("dd_pa")

RECONNECTS = 2
"""Times that an event is sent again at once after its connection was lost; after that it waits like any failure."""

HELD = 10
"""Times the width: so many events may wait for another attempt before no new ones are taken from the store."""

LATE_SESSION = Outcome(
    verdict=Verdict.REJECT,
    reason="late_session",
    detail="delivered over 4 hours late, and only its browser session linked it",
)


class Dispatcher:
    """Lives on the delivery thread's loop; not for other threads."""

    def __init__(
        self,
        store: Source,
        ledger: Ledger,
        outlet: Outlet,
        *,
        policy: RetryPolicy,
        max_age: float,
        sender: object,
        on_settled: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._ledger, self._outlet = store, ledger, outlet
        self._policy, self._max_age, self._sender = policy, max_age, sender
        self._on_settled = on_settled
        self._clock = clock
        self._retries = Retries()
        self._sends: set[asyncio.Task[None]] = set()
        self._again: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._ending = False
        self.gate = Gate(policy, width=outlet.width)

    @property
    def busy(self) -> bool:
        """Requests are in flight, or events wait for another attempt."""
        return bool(self._sends or self._retries)

    def fill(self) -> None:
        """Start as many requests as may be in flight now."""
        now = self._loop.time()
        while not self._ending and len(self._sends) < self.gate.room(now):
            event = self._next(now)
            if event is None:
                return
            self._start(event)

    def _next(self, now: float) -> Event | None:
        """Return the event to send next: one that is due again, but in at most half of the room, else a fresh one.

        Events that failed may be why the intake fails, or hangs: they must never take all the room.
        """
        full = len(self._retries) >= HELD * self._outlet.width
        if full or len(self._again) < self.gate.room(now) // 2:
            due = self._retries.pop(now)
            if due is not None or full:
                return due
        return self._fresh() or (None if self._again else self._retries.pop(now))

    def _fresh(self) -> Event | None:
        return next(iter(self._store.take(1)), None)

    def _start(self, event: Event) -> None:
        age = self._clock() - event.occurred_at / 1000
        if age > self._max_age:
            self._settle(event)
            self._ledger.count_dropped("expired", event)
            return
        body = event.body if age <= LATE_AFTER else without_session(event.body)
        if body is None:
            self._reject(event, LATE_SESSION)
            return
        task = self._loop.create_task(self._send(event, body))
        self._sends.add(task)
        if self._retries.knows(event):
            self._again.add(task)
        task.add_done_callback(self._sent)

    async def _send(self, event: Event, body: bytes) -> None:
        started = self._loop.time()
        outcome = await self._attempt(event, body)
        match outcome.verdict:
            case Verdict.DELIVERED:
                self._settle(event)
                self._ledger.count_delivered(event)
                self._answered(started)
            case Verdict.REJECT:
                self._reject(event, outcome)
                self._answered(started)
            case _:
                self._failed(event, outcome, started)

    async def _attempt(self, event: Event, body: bytes) -> Outcome:
        try:
            return await self._outlet.send(event, body)
        except BaseException as error:  # the worst a transport does (a panic is no Exception) must not lose the event
            if self._ending:
                raise
            return Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        self._again.discard(task)
        if task.cancelled():
            return
        if (failure := task.exception()) is not None:  # a bug of ours, or a receiver of a signal that calls exit()
            self._ledger.say("delivery", "delivery failed: %s", type(failure).__name__)
        self.fill()
        self._on_settled()

    def _reject(self, event: Event, outcome: Outcome) -> None:
        self._store.reject(event, outcome.reason, outcome.detail)
        self._retries.forget(event)
        self._ledger.count_rejected(event, outcome.reason, outcome.detail)

    def _settle(self, event: Event) -> None:
        self._store.settle(event)
        self._retries.forget(event)

    def _answered(self, started: float) -> None:
        paused = self.gate.paused_by
        self.gate.succeeded(started)
        if paused and not self.gate.paused_by:
            logger.warning("the intake takes events again; delivery goes on")
            signals.send(signals.delivery_resumed, self._sender)

    def _failed(self, event: Event, outcome: Outcome, started: float) -> None:
        now = self._loop.time()
        self._ledger.count_retried(outcome.reason)
        failures, alone = self._retries.failed(event, self._ledger.delivered)
        if outcome.verdict is Verdict.LOST and self.gate.healthy and failures <= RECONNECTS:
            self._retries.add(event, now)
            return
        for_all = bool(outcome.wait) or outcome.verdict is Verdict.PAUSE
        if for_all or not alone:  # what fails again and again while others arrive must not slow them down
            self._close_gate(outcome, now, started)
        wait = 0.0 if for_all else min(self._policy.wait(failures), self.gate.longest_wait)
        self._retries.add(event, now + wait)

    def _close_gate(self, outcome: Outcome, now: float, started: float) -> None:
        was_paused = self.gate.paused_by
        self.gate.failed(outcome, now, started)
        if self.gate.paused_by and not was_paused:
            self._say_paused(outcome)

    def _say_paused(self, outcome: Outcome) -> None:
        logger.error(
            "delivery is paused: the intake answers %s %r; check API_KEY, SITE and INTAKE_URL. Events are kept.",
            outcome.reason,
            outcome.detail,
        )
        signals.send(signals.delivery_paused, self._sender, reason=outcome.reason)

    def hurry(self) -> None:
        """Try everything once more now, and soon again: the process is about to end."""
        self.gate.hurry()
        self._retries.all_due_now()
        self.fill()

    async def cancel(self) -> None:
        """Send nothing more and end the requests in flight; their events stay unsettled in the store."""
        self._ending = True
        sends = list(self._sends)
        for task in sends:
            task.cancel()
        await asyncio.gather(*sends, return_exceptions=True)
