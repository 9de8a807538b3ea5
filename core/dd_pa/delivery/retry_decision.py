"""What becomes of an event once its attempt is answered: settled, sent again at once or later, or set aside.

That asks who is to blame for a failure. Of the destination the gate learns, of the event the quarantine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from dd_pa.capture.event import BuiltEvent
from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.delivery.destination_gate import Gate
from dd_pa.delivery.event_age import EXPIRED
from dd_pa.delivery.event_quarantine import FailedEvent, Quarantine
from dd_pa.delivery.ledger import Ledger
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.observe import signals
from dd_pa.store.protocol import Source

logger = logging.getLogger("dd_pa")

RECONNECTS = 4
"""Times that an event is sent again at once after its connection was lost; after that it waits like any failure."""

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


class RetryDecision:
    """Of one dispatcher; lives on its loop."""

    def __init__(
        self,
        store: Source,
        ledger: Ledger,
        gate: Gate,
        quarantine: Quarantine,
        *,
        policy: RetryPolicy,
        sender: object,
    ) -> None:
        self._store, self._ledger, self._gate, self._quarantine = store, ledger, gate, quarantine
        self._policy, self._sender = policy, sender
        self._now = asyncio.get_running_loop().time
        self.passed = 0
        """Answers that were signs of life."""

        self.is_ending = False
        """What fails now is left in the store."""

    def make_room(self, failed: FailedEvent) -> None:
        """Give up an event, as others need its place."""
        if failed.sentence is None:
            self._give_up(failed)
            return
        self._settle(failed.event)  # it could not be written down for as long as there was room
        self._ledger.count_dropped("not_set_aside", failed.event)

    def conclude(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take up the outcome of an attempt that is over."""
        match outcome.verdict:
            case Verdict.DELIVERED:
                self._settle(attempt.event)
                self._gate.accepted()
                self._pass(attempt)
                self._ledger.count_delivered(attempt.event)
            case Verdict.REJECT:
                self._judge_rejection(attempt, outcome)
                self.set_aside(attempt.event, outcome)
            case _ if not self.is_ending:
                self._judge_failure(attempt, outcome)

    def _settle(self, event: BuiltEvent) -> None:
        self._store.settle(event)
        if self._quarantine:
            self._quarantine.forget(event)

    def _pass(self, attempt: Attempt) -> None:
        """Note that the destination is well."""
        self.passed += 1
        paused = self._gate.paused_by
        if self._gate.rate_limit.is_set:
            self._gate.rate_limit.succeeded(self._now())
        if alone := self._gate.succeeded(attempt.started):
            for failed in self._quarantine.waiting(alone):
                self._convict(failed)
        if paused and not self._gate.paused_by:
            logger.warning("the intake takes events again; delivery goes on")
            signals.send(signals.delivery_resumed, self._sender)

    def _judge_rejection(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take a rejection for a sign of life, unless everything is rejected."""
        refusal = self._gate.rejected(outcome)
        if refusal is None:
            self._pass(attempt)
        else:
            self._blame_destination(attempt, refusal)

    def _judge_failure(self, attempt: Attempt, outcome: Outcome) -> None:
        """Find out who is to blame: the event, the destination, or nobody knows."""
        self._ledger.count_retried(outcome.reason)
        failed = self._quarantine.note(attempt.event, outcome)
        if self.hand_back([failed]):
            return
        others_passed = self.passed > (failed.passed if failed.convictions else attempt.passed)
        failed.outlived += failed.failures > 1 and self.passed > failed.passed
        failed.passed = self.passed
        if failed.convictions:
            self._convict(failed, counts=others_passed and not self._gate.hurried)
        elif outcome.verdict is Verdict.LOST and failed.failures <= RECONNECTS and not self._gate.closed:
            self._quarantine.add(failed, self._now())
        elif self._is_to_blame(failed, outcome, others_passed=others_passed):
            self._convict(failed)
        else:
            self._blame_destination(attempt, outcome)
            self._wait_undecided(failed, outcome)

    def hand_back(self, failures: Iterable[FailedEvent]) -> int:
        """Forget events that are not this process's to deliver any more; return how many those are."""
        handed_back = [failed.event for failed in failures if self._store.hand_back(failed.event)]
        for event in handed_back:
            self._quarantine.forget(event)
        return len(handed_back)

    def _is_to_blame(self, failed: FailedEvent, outcome: Outcome, *, others_passed: bool) -> bool:
        """Tell by those that passed beside it or, with little traffic, between its failures."""
        if outcome.verdict is Verdict.LIMIT:
            return failed.outlived >= OUTLIVED_LIMIT
        return others_passed or failed.outlived >= OUTLIVED

    def _blame_destination(self, attempt: Attempt, outcome: Outcome) -> None:
        was_closed = self._gate.closed
        self.note_pause(
            lambda: self._gate.failed(attempt.event.id, outcome, self._now(), attempt.started),
        )
        if self._gate.closed and not was_closed:  # those that failed first are no longer suspected
            self._quarantine.release(self._now())

    def _wait_undecided(self, failed: FailedEvent, outcome: Outcome) -> None:
        if self._gate.closed:  # the gate says when
            self._quarantine.add(failed, self._now())
            return
        pauses = outcome.verdict is Verdict.PAUSE
        wait = self._policy.pause_wait(failed.failures) if pauses else self._policy.wait(failed.failures)
        self._wait(failed, max(wait, outcome.wait or 0.0))

    def _wait(self, failed: FailedEvent, seconds: float) -> None:
        self._quarantine.add(failed, self._now() + min(seconds, self._gate.longest_wait))

    def _convict(self, failed: FailedEvent, *, counts: bool = True) -> None:
        """Let an event wait by itself, or give it up if it had its tries."""
        if counts and self._quarantine.convict(failed, self._now()):
            self._give_up(failed)
        else:
            self._wait(failed, self._quarantine.own_wait(failed))

    def _give_up(self, failed: FailedEvent) -> None:
        last = failed.outcome or EXPIRED
        detail = f"given up after {failed.failures} failures while others passed: {last.detail}"
        self.set_aside(failed.event, Outcome(verdict=Verdict.REJECT, reason=last.reason, detail=detail))

    def set_aside(self, event: BuiltEvent, why: Outcome) -> None:
        """Hand an event to the dead letters; one for which there is no room now stays, and is handed over later."""
        if not self._store.reject(event, why.reason, why.detail):
            failed = self._quarantine.get(event) or self._quarantine.note(event, why)
            failed.sentence = why
            self._wait(failed, NOT_SET_ASIDE)
            return
        self._quarantine.forget(event)
        if why is EXPIRED:
            self._ledger.count_dropped("expired", event)
        else:
            self._ledger.count_rejected(event, why.reason, why.detail)

    def note_pause(self, change: Callable[[], None]) -> None:
        """Do what may pause the delivery, and say so if it does."""
        was_paused = self._gate.paused_by
        change()
        if self._gate.paused_by and not was_paused:
            logger.error(
                "delivery is paused: the answer is %s; check API_KEY, SITE, INTAKE_URL and RELAY_URL. Events are kept.",
                self._gate.paused_by,
            )
            signals.send(signals.delivery_paused, self._sender, reason=self._gate.paused_by)
