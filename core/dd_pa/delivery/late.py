"""Events that are delivered long after they occurred.

Datadog's browser SDK ends a session after 4 hours, and its source says that the backend ignores events of sessions
that began 4 to 24 hours ago and would open a dead session again after that. So a late event claims no session.
"""

from __future__ import annotations

import msgspec

LATE_AFTER = 4 * 3600.0
"""Seconds after which an event may no longer carry `session.id`."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


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
