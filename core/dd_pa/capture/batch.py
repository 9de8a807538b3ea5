"""The events of one operation on many rows: what they have in common is checked and encoded once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import cached_property
from itertools import repeat
from typing import Any, TypeAlias

import msgspec

from dd_pa.capture.event import BuiltEvent, EventBuilder
from dd_pa.capture.person import Identity
from dd_pa.errors import EventError

SHORT = 900
"""Most bytes of a part that is joined: events of two have neither too many bytes then, nor too many attributes."""

_IDS = 64
"""Ids that are made at once."""

Build = Callable[..., BuiltEvent | None]
"""Builds an event of a name and attributes, and perhaps ids; see `Integration.batch`."""


class EventFrame:
    """What the events of one person have in common that are made at one moment."""

    def __init__(
        self, builder: EventBuilder, identity: Identity, on_built: Callable[[BuiltEvent], object] | None = None
    ) -> None:
        self.builder, now = builder, builder.clock()
        self._on_built = on_built
        self._occurred_at = now // 1_000_000
        self._between = b'","occurred_at":%d%b%b' % (self._occurred_at, builder.trace(), builder.link(identity))
        self._starts: dict[str, bytes] = {}
        self._ids = _ids(now)

    def start(self, name: str) -> bytes:
        """Return how the events of a name begin. Raises `EventError` if none can have it."""
        start = self._starts.get(name)
        if start is None:
            start = self._starts[name] = self.builder.start(name)
        return start

    def event(self, start: bytes, name: str, first: bytes, rest: bytes) -> BuiltEvent:
        """Join an event of a name, of which the start is known, and of encoded attributes."""
        event_id = next(self._ids)
        body = b"".join((start, event_id.encode(), self._between, first, rest))
        event = BuiltEvent(id=event_id, name=name, occurred_at=self._occurred_at, body=body)
        if self._on_built is not None:
            self._on_built(event)
        return event


def _ids(now: int) -> Iterator[str]:
    """Yield ids as `EventBuilder` makes them: random, and never those of a process that was forked unnoticed."""
    moments, bits = int.from_bytes(now.to_bytes(16) * _IDS), 128 * _IDS
    random_bits = random.Random().getrandbits  # noqa: S311 - as there
    while True:
        digits = (random_bits(bits) ^ moments).to_bytes(16 * _IDS).hex()
        yield from (digits[start : start + 32] for start in range(0, 32 * _IDS, 32))


class Part(msgspec.Struct, frozen=True):
    """Attributes that several events have in common."""

    attributes: Mapping[str, Any]
    members: bytes | None
    """They encoded, without braces; None if they cannot be joined."""


NO_PART = Part({}, b"")
"""Nothing."""


class Columns:
    """What the events of some rows say of their columns: each `{"order": {"id": 1, "total": 2}}`, if there are any."""

    def __init__(self, label: str, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        self._label, self._names, self._columns = label, names, columns
        self._members: Sequence[bytes] | None = None

    def attributes(self, row: int) -> dict[str, Any]:
        """Return them for one row."""
        if not self._names:
            return {}
        return {self._label: {name: column[row] for name, column in zip(self._names, self._columns, strict=True)}}

    def encode(self, builder: EventBuilder) -> None:
        """Encode them, column by column. Raises if they are to be looked at row by row."""
        if not self._names:
            return
        builder.members({self._label: dict.fromkeys(self._names)})  # raises if a name is wrong
        label, *names = builder.column([self._label, *self._names])
        openings = [label + b":{", *repeat(b",", len(self._names) - 1)]
        cells: list[Iterable[bytes]] = []
        for opening, name, values in zip(openings, names, self._columns, strict=True):
            cells += repeat(opening + name + b":"), builder.column(values)
        self._members = list(map(b"".join, zip(*cells, repeat(b"}"), strict=False)))

    def members(self, row: int) -> bytes | None:
        """Return those of one row encoded, without the outer braces; None if they cannot be joined."""
        if not self._names:
            return b""
        found = None if self._members is None else self._members[row]
        return found if found is not None and len(found) <= SHORT else None


DueEvent: TypeAlias = tuple[str, Columns, int, Part]
"""An event to be built: its name, what it says of a row by that row's number, and what else it says."""


class BatchBuilder:
    """Builds the events of one operation; see `Integration.batch`. For one thread or task."""

    def __init__(self, build: Build, frame: Callable[[], EventFrame | None]) -> None:
        self.build = build
        """Builds any event."""

        self._find_frame = frame

    @cached_property
    def _frame(self) -> EventFrame | None:
        """None if each event is to be built by itself."""
        return self._find_frame()

    def part(self, attributes: dict[str, Any]) -> Part:
        """Return attributes that several events will have."""
        if self._frame is None:
            return Part(attributes, None)
        try:
            members = self._frame.builder.members(attributes)
        except Exception:  # whatever is wrong with them, each event that has them says it
            return Part(attributes, None)
        return Part(attributes, members if len(members) <= SHORT else None)

    def columns(self, label: str, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> Columns:
        """Return what the events of some rows say, given by column."""
        found = Columns(label, names, columns)
        if self._frame is not None:
            with suppress(Exception):  # as above
                found.encode(self._frame.builder)
        return found

    def events(self, due: Iterable[DueEvent]) -> Iterator[BuiltEvent]:
        """Build the events of rows, of who acts; what cannot be built is dropped."""
        frame = self._frame
        start = joined_name = joined_part = None
        second = b""
        for name, columns, row, part in due:
            if frame is not None and (part is not joined_part or name is not joined_name):
                start = None if part.members is None else _start(frame, name)  # else as for the row before
                second, joined_name, joined_part = part.members or b"", name, part
            first = columns.members(row)
            if frame is not None and start is not None and first is not None and (first or second):
                yield frame.event(start, name, first, b",%b}" % second if first and second else second + b"}")
                continue
            event = self.build(name, {**columns.attributes(row), **_own(part.attributes)})
            if event is not None:
                yield event


def _start(frame: EventFrame, name: str) -> bytes | None:
    """Return how events of a name begin; None if there can be none: what is wrong with it, each of them says."""
    try:
        return frame.start(name)
    except EventError:
        return None


def _own(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return attributes of one event alone: BEFORE_SEND may change them in place."""
    try:
        return deepcopy(attributes)
    except Exception:  # a value of the application's own, which then is changed for all
        return attributes
