"""An event as it is to be sent now, which depends on how long ago it occurred.

Datadog's browser SDK ends a session after 4 hours, and its source says that the backend ignores events of sessions
that began 4 to 24 hours ago and would open a dead session again after that. So a late event claims no session.
"""

from __future__ import annotations

import msgspec

from dd_pa.capture.event import BuiltEvent
from dd_pa.network.outcome import Outcome, Verdict

LATE_AFTER = 4 * 3600.0
"""Seconds after which an event may no longer carry `session.id`."""

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


def prepared(event: BuiltEvent, age: float, max_age: float) -> bytes | Outcome:
    """Return the body to send so many seconds after the event, or why it cannot be sent. Never raises."""
    try:
        if age <= LATE_AFTER and age <= max_age:
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
