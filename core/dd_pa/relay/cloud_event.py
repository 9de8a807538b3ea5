"""An event as a broker's message: a CloudEvent 1.0 in binary mode, its data the body of the request.

The attributes are those of the specification (github.com/cloudevents/spec, v1.0.2): each protocol's binding gives them
a prefix of its own, and brokers that no binding describes get that of HTTP's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
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

    name: str
    source: str
    time: str
    body: bytes
    """The event as it is to be sent now."""


class Messages:
    """Makes the messages of one application's events."""

    def __init__(self, application_id: str) -> None:
        self._source = f"/dd-pa/applications/{quote(application_id, safe='')}"

    def of(self, event: BuiltEvent, body: bytes) -> Message:
        """Return the message of an event. `body` is the event as it is to be sent now."""
        second, rest = divmod(event.occurred_at, 1000)
        return Message(event.id, event.name, self._source, f"{_second(second)}.{rest:03d}Z", body)


@lru_cache(maxsize=64)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


class Binding:
    """How a protocol writes the attributes: with a prefix, but for the content type, which has a name of its own.

    `write` returns a value as the protocol takes it.
    """

    def __init__(self, prefix: str, write: Callable[[str], str] = str) -> None:
        names = ("specversion", "id", "type", "source", "time", "ddpaformat")
        self._version, self._id, self._type, self._source, self._time, self._format = (
            f"{prefix}{name}" for name in names
        )
        self._write = lru_cache(maxsize=1024)(write)

    def headers(self, message: Message) -> dict[str, str]:
        """Return what stands beside an event."""
        return {
            self._version: "1.0",
            self._id: message.id,
            self._type: self._write(message.name),
            self._source: self._write(message.source),
            self._time: message.time,
            "content-type": CONTENT_TYPE,
            self._format: FORMAT,
        }


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


def escaped(value: str) -> str:
    """Return a value for a protocol that knows ASCII only, as HTTP's binding writes it."""
    return quote(value, safe=_SAFE)


_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def unescaped(value: str) -> str:
    """Return what was `escaped`."""
    return unquote(value)
