"""An event: checked and encoded once, on the thread that tracks it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from sys import modules
from typing import Any

import msgspec

from dd_pa.capture.attributes import MAX_BYTES, AttributeCleaner, is_plain
from dd_pa.capture.identity import Identity
from dd_pa.capture.trace import current_trace
from dd_pa.errors import EventError
from dd_pa.settings import Settings

MAX_NAME = 512
"""Longest event name, in characters. Datadog names no limit; longer ones are a mistake."""


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as it will be sent: what was passed to `track()` can change without changing it."""

    id: str
    """`dd_pa.event_id`: 32 hexadecimal digits, the same in each attempt to deliver it."""

    name: str
    """`event.name`."""

    occurred_at: int
    """`dd_pa.occurred_at`: when it was tracked, in epoch milliseconds. Datadog itself goes by the time of arrival."""

    body: bytes
    """The JSON object of the request."""


@dataclass(slots=True, kw_only=True)
class EventDraft:
    """An event before it is checked and encoded, as `BEFORE_SEND` sees it; may be changed in place."""

    name: str
    """`event.name`, dotted and in the past tense: `checkout.completed`."""

    attributes: dict[str, Any] = field(default_factory=dict)
    """A shallow copy of the attributes given to `track()`."""

    usr: str | None = None
    """`usr.id`."""

    account: str | None = None
    """`account.id`."""

    session: str | None = None
    """`session.id`."""


class _Named(msgspec.Struct, gc=False):
    name: str


class _Linked(msgspec.Struct, gc=False):
    id: str


class _Ours(msgspec.Struct, omit_defaults=True, gc=False):
    event_id: str
    occurred_at: int
    trace_id: str | None = None
    span_id: str | None = None


class _Structure(msgspec.Struct, omit_defaults=True, gc=False):
    """What differs from event to event, besides the attributes."""

    event: _Named
    dd_pa: _Ours
    usr: _Linked | None = None
    account: _Linked | None = None
    session: _Linked | None = None


class EventBuilder:
    """Builds the events of one application in one process. Safe to share between threads.

    An event is joined from three encoded objects: what all events have in common, its structure and its attributes.
    Those cannot clash with the structure, as they are checked against its names first.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._strict = settings.strict
        self._clock = clock
        self._has_trace_ids = settings.trace_ids
        self._random = random.Random()  # noqa: S311 - ids need to differ, not to be unguessable
        self._encode = msgspec.json.Encoder(decimal_format="number").encode
        tags = {"service": settings.service, "env": settings.env, "version": settings.version}
        known = {name: value for name, value in tags.items() if value}
        self._common = self._encode({"type": "server", "application": {"id": settings.application_id}, **known})[:-1]

    def build(self, name: str, attributes: Mapping[str, Any] | None, identity: Identity) -> tuple[Event, list[str]]:
        """Return the event and what had to be repaired; raise `EventError` for one that cannot be sent.

        In strict mode nothing is repaired. `identity` must hold at least one id.
        """
        name = checked_name(name)
        details, repairs = (b"{}", []) if attributes is None else self._details(attributes)
        now = self._clock()
        # Random alone would repeat in processes forked without Python's knowledge (uWSGI); a system call costs more.
        event_id, occurred_at = (self._random.getrandbits(128) ^ now).to_bytes(16).hex(), now // 1_000_000
        ours = _Ours(event_id, occurred_at)
        if self._has_trace_ids and ("ddtrace" in modules or "opentelemetry.trace" in modules):
            ours.trace_id, ours.span_id = current_trace()
        usr, account, session = identity.usr, identity.account, identity.session
        structure = self._encode(
            _Structure(
                _Named(name),
                ours,
                _Linked(usr) if usr else None,
                _Linked(account) if account else None,
                _Linked(session) if session else None,
            )
        )
        end = b"}" if details == b"{}" else b"," + details[1:]
        body = b"".join((self._common, b",", structure[1:-1], end))
        if len(body) > MAX_BYTES:
            raise EventError("", f"the event has {len(body):,} bytes; the limit is {MAX_BYTES:,}")
        return Event(id=event_id, name=name, occurred_at=occurred_at, body=body), repairs

    def _details(self, attributes: Mapping[str, Any]) -> tuple[bytes, list[str]]:
        if type(attributes) is dict and is_plain(attributes):
            try:
                return self._encode(attributes), []
            except UnicodeEncodeError:
                pass  # half of a surrogate pair: the cleaner finds it and says where
        cleaner = AttributeCleaner(strict=self._strict)
        return self._encode(cleaner.clean(attributes)), cleaner.repairs


def checked_name(name: str) -> str:
    """Return an event name as plain text; raise `EventError` for one that is empty, too long or unprintable."""
    if type(name) is str and 0 < len(name) <= MAX_NAME and name.isprintable() and not name.isspace():
        return name
    if not isinstance(name, str):
        raise EventError("name", f"must be a text, not {type(name).__name__}")
    if type(name) is not str:
        return checked_name(str.__str__(name))
    raise EventError("name", f"must have 1 to {MAX_NAME} printable characters")


def shown_name(name: Any) -> str:
    """Return an event's name as it may be logged: quoted and cut; of what is no text, the type only."""
    return repr(str.__str__(name)[:200]) if issubclass(type(name), str) else f"<{type(name).__name__}>"
