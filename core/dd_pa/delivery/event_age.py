"""How long ago events were tracked, and what may still be sent of them.

The wall clock may be wrong when they are tracked, and again when they are delivered. So their store tells, by the clock
that runs since the machine was started. Of what is older than that run, or comes from another machine, the intake
does, by the `Date` of its answers; this machine's wall clock only where those have none.

Datadog's browser SDK ends a session after 4 hours, and its source says that the backend ignores events of sessions
that began 4 to 24 hours ago and would open a dead session again after that. So a late event claims no session.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import msgspec

from dd_pa.capture.event import BuiltEvent
from dd_pa.capture.rum_cookie import SESSION_LASTS
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.process.uptime import uptime
from dd_pa.store.protocol import Source

LATE_SESSION = Outcome(
    verdict=Verdict.REJECT,
    reason="late_session",
    detail="delivered over 4 hours late, and only its browser session linked it",
)
EXPIRED = Outcome(
    verdict=Verdict.REJECT,
    reason="expired",
    detail="it was not delivered for MAX_AGE seconds",
)

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

QUESTION = BuiltEvent(id="", name="", occurred_at=0, body=b"{}")
"""What is sent to learn the time: no event, which any intake refuses."""

EVERY = 60.0
"""Seconds between two answers whose dates are read."""


class Ages:
    """The ages of one store's events. For the delivery thread."""

    def __init__(self, store: Source, *, max_age: float, wall: Callable[[], float] = time.time) -> None:
        self._store, self._wall = store, wall
        self._old = min(SESSION_LASTS, max_age)
        self._date: str | None = None
        self._heard_at = -math.inf
        self._started: float | None = None
        """When the machine was started, in epoch seconds, by the intake's clock."""

        self._began = wall() - uptime()
        self._by_wall = False

    def heard(self, fields: Mapping[str, str]) -> None:
        """Note the header fields of an answer."""
        if uptime() - self._heard_at > EVERY and (date := fields.get("date")) is not None:
            self._date, self._heard_at = date, uptime()

    def go_by_the_wall_clock(self) -> None:
        """Take this machine's clock for right, as the intake tells no time."""
        self._by_wall = True

    def of(self, event: BuiltEvent) -> float | None:
        """Return the age of a taken event in seconds, or None if it seems old and the intake is to be asked first."""
        age = self._store.age(event)
        if age is not None:
            return age
        try:
            age = self._now() - event.occurred_at / 1000
        except OverflowError:  # what no clock ever showed
            return math.inf
        return age if age <= self._old or self._started is not None or self._by_wall else None

    def _now(self) -> float:
        if self._date is not None:
            self._read_date(self._date)
        if self._started is not None:
            return self._started + uptime()
        # The lesser of two: a clock that steps forward does not make all that waits too old.
        return min(self._wall(), self._began + uptime())

    def _read_date(self, date: str) -> None:
        self._date = None
        with contextlib.suppress(ValueError, OverflowError):
            self._started = parsedate_to_datetime(date).timestamp() - self._heard_at


def prepared(event: BuiltEvent, age: float, max_age: float) -> bytes | Outcome:
    """Return the body to send so many seconds after the event, or why it cannot be sent. Never raises."""
    try:
        if age <= SESSION_LASTS and age <= max_age:
            return event.body
        return EXPIRED if age > max_age else without_session(event.body) or LATE_SESSION
    except Exception as error:  # a record of another version, or of a relay: nobody else's event waits for it
        return Outcome(
            verdict=Verdict.REJECT, reason="unreadable", detail=f"it cannot be prepared: {type(error).__name__}"
        )


def without_session(body: bytes) -> bytes | None:
    """Return the event with `session.id` moved to `dd_pa.session_id`, or None if nothing else links it."""
    event = _decode(body)
    session = event.pop("session", None)
    if session is None:
        return body
    if "usr" not in event and "account" not in event:
        return None
    ours = _decode_object(event["dd_pa"])
    ours["session_id"] = _decode_object(session)["id"]
    event["dd_pa"] = msgspec.Raw(msgspec.json.encode(ours))
    return msgspec.json.encode(event)
