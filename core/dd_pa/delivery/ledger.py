"""What became of each event: counted, signalled, and said once per interval."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from dd_pa.capture.event import BuiltEvent, shown_name
from dd_pa.observe import log, panel_log, signals
from dd_pa.process.atomic_counter import Tally

DropReason = Literal[
    "invalid",
    "consent",
    "sampled",
    "unlinked",
    "before_send",
    "overflow",
    "expired",
    "shutdown",
    "closed",
    "damaged",
    "failed",
    "dead_letters",
    "not_set_aside",
    "test_run",
]

LostIdentityReason = Literal["forged", "expired", "session_over", "too_long", "no_secret", "not_found"]

_WHY_LOST: dict[LostIdentityReason, str] = {
    "forged": "its header was not signed with our secret for this very job",
    "expired": "it was queued more than MAX_AGE seconds ago",
    "session_over": "it was queued 4 hours ago, and no browser session lasts longer; user and account are kept",
    "too_long": "an id was left out of its header, which can hold 1 KiB",
    "no_secret": "nothing to sign its header with; set JOB_SECRET",
    "not_found": "an id could not be found out when it was queued; a log line says why",
}

DROP_MEANING: dict[str, str] = {
    "invalid": "it cannot be sent as it was given; set STRICT to see where",
    "unlinked": (
        "no login, no identify() block, and no live session of the browser SDK to link it to; "
        "sign in, name somebody (usr=) or load the browser SDK"
    ),
    "before_send": "BEFORE_SEND dropped it or failed",
    "overflow": "there was no room (BUFFER_SIZE, BUFFER_MAX_BYTES, SPOOL_MAX_BYTES)",
    "expired": "it could not be delivered for MAX_AGE seconds; the spool and the outbox keep it as a dead letter",
    "damaged": "it is damaged, or another application's; it is among the dead letters",
    "failed": "it could not be stored, for a reason that should not exist; please report it",
    "closed": "it was tracked after close()",
    "dead_letters": "a dead letter gave way to a newer one: they take a 16th of SPOOL_MAX_BYTES (dd-pa spool list)",
    "not_set_aside": "it was rejected, and could not be written to the dead letters",
}


class Ledger:
    """Thread-safe; shared by the emitter and its delivery thread."""

    def __init__(
        self,
        sender: object,
        *,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str, object], None] | None = None,
    ) -> None:
        """`report` is told the reason and the name of each drop."""
        self._sender = sender
        self._report = report
        self._complaints = log.Complaints(clock)
        self.delivered = 0
        self.retried = 0
        self.rejected = 0
        self._repaired = Tally()
        self._off_plan = Tally()
        self._dropped: dict[str, Tally] = {}
        self._lost_identities: dict[str, Tally] = {}
        self.last_error: str | None = None

    @property
    def repaired(self) -> int:
        """Events that went without something."""
        return self._repaired.value

    @property
    def off_plan(self) -> int:
        """Typed events that went although they are not as their classes say."""
        return self._off_plan.value

    @property
    def dropped(self) -> Counter[str]:
        """Events that were given up, by reason."""
        return Counter({reason: tally.value for reason, tally in list(self._dropped.items())})

    @property
    def lost_identities(self) -> Counter[str]:
        """Jobs that ran for nobody, by reason."""
        return Counter({reason: tally.value for reason, tally in list(self._lost_identities.items())})

    def count_delivered(self, event: BuiltEvent) -> None:
        self.delivered += 1  # only the delivery thread writes this one
        signals.send(signals.event_delivered, self._sender, event=event)

    def count_retried(self, error: str) -> None:
        self.retried += 1  # only the delivery thread writes this one
        self.last_error = error

    def count_rejected(self, event: BuiltEvent, reason: str, detail: str) -> None:
        self.rejected += 1  # only the delivery thread writes this one
        self.last_error = reason
        signals.send(signals.event_rejected, self._sender, event=event, reason=reason, detail=detail)
        # What the intake says may quote the event.
        self.say("rejected", "an event was set aside: %s (event %s); event_rejected has the details", reason, event.id)

    def count_repaired(self, problem: str, *more: str) -> None:
        """Count an event that goes without something; the first problem is said."""
        if panel_log.watching:
            panel_log.repaired([problem, *more])
        self._repaired.add()
        self.say("repaired", "an event was sent without what is wrong in it: %r; set STRICT to raise", problem[:200])

    def count_off_plan(self, name: str, problem: str) -> None:
        """Count a typed event that is sent although it is not as its class says; the first difference is said."""
        if panel_log.watching:
            panel_log.repaired([problem])
        self._off_plan.add()
        self.say("off plan", "event %s is off the plan: %r; set STRICT to raise", shown_name(name), problem[:200])

    def count_dropped(self, reason: DropReason, event: BuiltEvent | None, name: object = None) -> None:
        so_far = self._dropped.setdefault(reason, Tally()).add()
        name = event.name if event else name
        signals.send(signals.event_dropped, self._sender, event=event, name=name, reason=reason)
        if self._report is not None:
            self._report(reason, name)
        if reason in DROP_MEANING:
            shown = shown_name(name)
            self.say(reason, "event %s dropped (%s, %d so far): %s", shown, reason, so_far, DROP_MEANING[reason])

    def count_lost_identity(self, reason: LostIdentityReason) -> None:
        so_far = self._lost_identities.setdefault(reason, Tally()).add()
        self.say(f"identity {reason}", "a job lacks identity (%s, %d so far): %s", reason, so_far, _WHY_LOST[reason])

    def say(self, about: str, message: str, *values: object) -> None:
        """Log a warning, unless one about the same thing was logged within the interval."""
        self._complaints.say(about, message, *values)
