"""An event: checked and encoded once, on the thread that tracks it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from sys import modules
from typing import Any

import msgspec

from dd_pa.capture.attributes import MAX_BYTES, AttributeCleaner
from dd_pa.capture.fast_path import GoodNames, plain, plain_column
from dd_pa.capture.person import Identity, Traits
from dd_pa.capture.sampling import Sampling
from dd_pa.capture.trace import current_trace
from dd_pa.errors import EventError
from dd_pa.settings.settings import Settings

MAX_NAME = 512
"""Longest event name, in characters. Datadog names no limit; longer ones are a mistake."""

MOST_FRAGMENTS = 2_000
"""Names, and people, whose encoded fragments are remembered; all are forgotten when there are more."""


class BuiltEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as it will be sent: what was passed to `track()` can change without changing it."""

    id: str
    """`dd_pa.event_id`: 32 hexadecimal digits, the same in each attempt to deliver it."""

    name: str
    """`event.name`."""

    occurred_at: int
    """`dd_pa.occurred_at`: when it was tracked, in epoch milliseconds. Datadog itself goes by the time of arrival."""

    body: bytes
    """The JSON object of the request."""


_NO_TRAITS = Traits()
_NO_REPAIRS: Sequence[str] = ()
_NONE = b"{}"
_BEHIND_BRACE = slice(1, None)


class EventBuilder:
    """Builds the events of one application in one process. Safe to share between threads.

    An event is joined from encoded fragments. That of its name, with what all events have in common, and that of its
    person are made once and remembered; its id, its time and its attributes are its own. Attributes cannot clash with
    the rest, as they are checked against its names first.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._strict = settings.strict
        self.clock = clock
        self._has_trace_ids = settings.trace_ids
        self._random_bits = random.Random().getrandbits  # noqa: S311 - ids need to differ, not to be unguessable
        encoder = msgspec.json.Encoder(decimal_format="number")
        self._encode, self._encode_lines = encoder.encode, encoder.encode_lines
        tags = {"service": settings.service, "env": settings.env, "version": settings.version}
        known = {name: value for name, value in tags.items() if value}
        self._common = self._encode({"type": "server", "application": {"id": settings.application_id}, **known})[:-1]
        self.starts: dict[str, bytes] = {}
        """What `start` returned before, by names that are texts and nothing else."""

        self.links: dict[Identity, bytes] = {}
        """What `link` returned before. Only who may be sent events of is asked for there."""

        self._names = GoodNames()
        self._sampling = Sampling(settings.sample_rates) if settings.sample_rates else None

    def build(
        self, name: str, attributes: Mapping[str, Any] | None, identity: Identity, details: bytes | None = None
    ) -> tuple[BuiltEvent, Sequence[str]]:
        """Return the event and what had to be repaired; raise `EventError` for one that cannot be sent.

        In strict mode nothing is repaired. `identity` must hold at least one id. `details` are attributes that are
        encoded already.
        """
        repairs: list[str] = []
        start, whose = self.start(name), self.link(identity)
        event = self.join(str.__str__(name), attributes, start, whose, lambda *found: repairs.extend(found), details)
        return event, repairs

    def join(
        self,
        name: str,
        attributes: Mapping[str, Any] | None,
        start: bytes,
        whose: bytes,
        on_problem: Callable[..., object],
        details: bytes | None = None,
    ) -> BuiltEvent:
        """Return an event of which `start` and `link` are known already, and tell what had to be repaired."""
        encode, clock, random_bits = self._encode, self.clock, self._random_bits  # quicker to call than as attributes
        members, repairs = None, _NO_REPAIRS
        if type(attributes) is dict and attributes:
            try:
                members = encode(plain(attributes, self._names))
            except Exception:  # whatever is wrong with them, the cleaner finds it again and says it
                members = None
        if members is None:
            members, repairs = self._cleaned(attributes) if details is None else (details, _NO_REPAIRS)
            if members == _NONE:
                whose = whose[:-1]  # no comma
        now = clock()
        # Random alone would repeat in processes forked without Python's knowledge (uWSGI); a system call costs more.
        event_id, occurred_at = (random_bits(128) ^ now).to_bytes(16).hex(), now // 1_000_000
        moment = encode(occurred_at)
        if ("opentelemetry.trace" in modules or "ddtrace" in modules) and self._has_trace_ids:
            moment += self._trace()
        # A third of what formatting costs.
        body = b"".join((start, event_id.encode(), b'","occurred_at":', moment, whose, members[_BEHIND_BRACE]))
        if len(body) > MAX_BYTES:
            raise EventError("", f"the event has {len(body):,} bytes; the limit is {MAX_BYTES:,}")
        event = BuiltEvent(id=event_id, name=name, occurred_at=occurred_at, body=body)
        if repairs:
            on_problem(*repairs)
        return event

    def _cleaned(self, attributes: object) -> tuple[bytes, Sequence[str]]:
        """Return attributes encoded, and what had to be repaired."""
        if attributes is None:
            return _NONE, _NO_REPAIRS
        cleaner = AttributeCleaner(strict=self._strict)
        return self._encode(cleaner.clean(attributes)), cleaner.repairs

    def link(self, identity: Identity) -> bytes:
        """Return what stands between an event's own fields and its attributes; the identity has at least one id."""
        return self.links.get(identity) or self._link(identity)

    def start(self, name: str) -> bytes:
        """Return an event of this name up to its id."""
        return (self.starts.get(name) if type(name) is str else None) or self._start(checked_name(name))

    def trace(self) -> bytes:
        """Return the members of the trace that is open now, if any."""
        return self._trace() if self._has_trace_ids else b""

    def members(self, attributes: dict[str, Any]) -> bytes:
        """Return attributes without braces. Raises if they are to be looked at by `build`."""
        return self._encode(plain(attributes, self._names))[1:-1]

    def column(self, values: Sequence[Any]) -> list[bytes]:
        """Return scalars of many events. Raises if they are to be looked at by `build`."""
        return self._encode_lines(plain_column(values)).splitlines()

    def _start(self, name: str) -> bytes:
        rate = 100.0 if self._sampling is None else self._sampling.rate(name)
        rated = b'"sample_rate":%b,' % self._encode(rate) if rate < 100 else b""
        made = b'%b,"event":{"name":%b},"dd_pa":{%b"event_id":"' % (self._common, self._encode(name), rated)
        return _remember(self.starts, name, made)

    def _link(self, identity: Identity) -> bytes:
        traits = identity.traits or _NO_TRAITS
        visitor = b'"anonymous_id":%b' % self._encode(traits.anonymous_id) if traits.anonymous_id else b""
        members = (
            (b"usr", identity.usr, b",".join(filter(None, (visitor, traits.usr)))),
            (b"account", identity.account, traits.account),
            (b"session", identity.session, b""),
        )
        made = b",".join(
            b'"%b":{"id":%b%b}' % (member, self._encode(found), b"," + known if known else b"")
            for member, found, known in members
            if found
        )
        return _remember(self.links, identity, b"},%b," % made)

    def _trace(self) -> bytes:
        members = zip((b"trace_id", b"span_id"), current_trace(), strict=True)
        return b"".join(b',"%b":%b' % (member, self._encode(found)) for member, found in members if found is not None)


def _remember(known: dict[Any, bytes], key: object, made: bytes) -> bytes:
    if len(known) >= MOST_FRAGMENTS:
        known.clear()
    known[key] = made
    return made


def checked_name(name: str) -> str:
    """Return an event name as plain text; raise `EventError` for one that is empty, too long or unprintable."""
    if type(name) is str and 0 < len(name) <= MAX_NAME and name.isprintable() and not name.isspace():
        return name
    if not isinstance(name, str):
        fix = f"is a class of events: track({name.__name__}(…))" if hasattr(name, "__schema__") else ""
        raise EventError("name", fix or f"must be a text, not {type(name).__name__}")
    if type(name) is not str:
        return checked_name(str.__str__(name))
    raise EventError("name", f"must have 1 to {MAX_NAME} printable characters")


def shown_name(name: Any) -> str:
    """Return an event's name as it may be logged: quoted and cut; of what is no text, the type only."""
    return repr(str.__str__(name)[:200]) if issubclass(type(name), str) else f"<{type(name).__name__}>"
