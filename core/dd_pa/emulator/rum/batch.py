"""One batch of the browser SDK: a JSON object per line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from dd_pa.emulator.http.answers import Refusal
from dd_pa.emulator.intake.requirements import check_limits
from dd_pa.emulator.intake.strict_json import parse

MAX_LINES = 10_000
MAX_ID = 256

KINDS = frozenset({"view", "action", "error", "resource", "long_task", "vital", "view_update"})
"""Types that belong to a session; others (telemetry) are the SDK's own business and left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserEvent:
    """One line, checked."""

    body: dict[str, Any]
    """As the SDK sent it."""
    kind: str
    """Its type, `view_update` among them."""
    session_id: str
    """The session it belongs to."""
    date_ms: int
    """When it happened, by the browser's clock."""
    size: int
    """Bytes of the line."""
    received_ms: int
    """When it came, epoch milliseconds."""
    sdk_version: str | None = None
    """Version of the SDK."""
    user_agent: str | None = None
    """The browser, as its request said."""
    row: int | None = None
    """Number in the live list."""


class Sender(NamedTuple):
    """What the request says about all its lines."""

    received_ms: int
    sdk_version: str | None = None
    user_agent: str | None = None


class Batch(NamedTuple):
    """What became of the lines of one request."""

    events: list[BrowserEvent]
    refusals: list[Refusal]
    others: int
    """Well-formed lines of other types."""


def read_batch(raw: bytes, sender: Sender) -> Batch:
    """Read all lines; broken ones do not spoil their neighbours. Raises Refusal (413) above MAX_LINES."""
    batch = Batch([], [], 0)
    for line in _lines(raw):
        try:
            event = _event(line, sender)
        except Refusal as refusal:
            batch.refusals.append(refusal)
            continue
        if event is None:
            batch = batch._replace(others=batch.others + 1)
        else:
            batch.events.append(event)
    return batch


def _lines(raw: bytes) -> Iterator[bytes]:
    if raw.count(b"\n") >= MAX_LINES:
        raise Refusal(413, f"there are more than {MAX_LINES:,} lines")
    return (line for line in raw.split(b"\n") if line.strip())


def _event(line: bytes, sender: Sender) -> BrowserEvent | None:
    body = parse(line)
    check_limits(body, line)
    if not isinstance(body, dict):
        raise Refusal(400, "Malformed payload: a line must be one JSON object")
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    if kind in ("view", "view_update"):
        _identifier(body, "view")
    return BrowserEvent(
        body=body,
        kind=kind,
        session_id=_identifier(body, "session"),
        date_ms=_date(body),
        size=len(line),
        received_ms=sender.received_ms,
        sdk_version=sender.sdk_version,
        user_agent=sender.user_agent,
    )


def _identifier(body: dict[str, Any], holder: str) -> str:
    inner = body.get(holder)
    value = inner.get("id") if isinstance(inner, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        raise Refusal(400, f"{holder}.id must be a string of 1 to {MAX_ID} characters", path=f"{holder}.id")
    return value


def _date(body: dict[str, Any]) -> int:
    date = body.get("date")
    if not isinstance(date, int | float) or isinstance(date, bool) or not 0 <= date < 1e15:
        raise Refusal(400, "date must be a time in epoch milliseconds", path="date")
    return int(date)
