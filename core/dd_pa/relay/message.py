"""An event as a broker's message: a CloudEvent 1.0 in binary mode, its data the body of the request.

The attributes are those of the specification (github.com/cloudevents/spec, v1.0.2): each protocol's binding gives them
a prefix of its own, and brokers that no binding describes get that of HTTP's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, unquote

from dd_pa.capture.event import BuiltEvent

FORMAT = "1"
"""Version of the messages. What is of a later one is set aside, not guessed at."""

CONTENT_TYPE = "application/json"


class Message(NamedTuple):
    """What is published."""

    id: str
    """The event's id: the same in each attempt, so that a broker may tell a second one."""

    attributes: Mapping[str, str]
    """CloudEvents' attributes, `datacontenttype` among them, without a prefix."""

    body: bytes


def message_of(event: BuiltEvent, body: bytes, application_id: str) -> Message:
    """Return the message of an event. `body` is the event as it is to be sent now."""
    occurred = datetime.fromtimestamp(event.occurred_at / 1000, UTC)
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "type": event.name,
        "source": f"/dd-pa/applications/{quote(application_id, safe='')}",
        "time": occurred.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": CONTENT_TYPE,
        "ddpaformat": FORMAT,
    }
    return Message(event.id, attributes, body)


def is_understood(headers: Mapping[str, str]) -> bool:
    """Tell whether a message is of a version that this one reads. One that names none is somebody else's attempt."""
    told = [value for name, value in headers.items() if name.endswith("ddpaformat")]
    return told in ([], [FORMAT])


def milliseconds(time: str) -> int | None:
    """Return the epoch milliseconds of a message's `time`, or None if it says none."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    return None if moment.tzinfo is None else int(moment.timestamp() * 1000)


def prefixed(prefix: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Return headers: the content type under its own name, the others with the binding's prefix."""
    return {
        f"{prefix}{name}" if name != "datacontenttype" else "content-type": value for name, value in attributes.items()
    }


def escaped(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers for a protocol that knows ASCII only, as HTTP's binding writes them."""
    return {name: quote(value, safe=_SAFE) for name, value in headers.items()}


_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def unescaped(value: str) -> str:
    """Return what was `escaped`."""
    return unquote(value)
