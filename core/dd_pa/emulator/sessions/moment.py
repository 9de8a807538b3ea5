"""One event of a session, from the browser or the server, as the timeline shows it."""

from __future__ import annotations

from dataclasses import dataclass

from dd_pa.emulator.live.label import SERVER, Json, labels, member, text
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.rum.batch import BrowserEvent
from dd_pa.emulator.rum.view import View

_NANOSECONDS_IN_MS = 1_000_000
_DURATIONS = {"view": "time_spent", "action": "loading_time"}


@dataclass(slots=True, kw_only=True)
class Moment:
    """What is kept of one event. A view's body changes as its updates come."""

    key: int
    """Number in its session, in order of arrival; a view keeps its first."""
    kind: str
    """view, action, error, resource, long_task, vital or server."""
    at: int
    """When it happened, epoch milliseconds: by the browser's clock, or `dd_pa.occurred_at` of a server event."""
    received_ms: int
    """When it came; for a view, its first version."""
    size: int
    """Bytes on the wire, all versions together."""
    body: Json
    """The event."""
    row: int | None = None
    """Number in the live list; negative for an event that is read from the warehouse."""
    view: View | None = None
    """The versions of a view."""
    raw: None = None
    reason: None = None

    @staticmethod
    def of_server(key: int, row: Row) -> Moment:
        """Make one of a server event that was taken."""
        assert isinstance(row.body, dict)  # noqa: S101 - an event that was taken is an object
        occurred = row.occurred_ms
        at = row.received_ms if occurred is None else occurred
        return Moment(
            key=key,
            kind=SERVER,
            at=at,
            received_ms=row.received_ms,
            size=row.size,
            body=row.body,
            row=row.seq,
        )

    @staticmethod
    def of_browser(key: int, event: BrowserEvent) -> Moment:
        """Make one of a line of the browser SDK, the first one if it is a view."""
        view = View() if event.kind in ("view", "view_update") else None
        if view:
            view.take(event.body)
        return Moment(
            key=key,
            kind="view" if view else event.kind,
            at=event.date_ms,
            received_ms=event.received_ms,
            size=event.size,
            body=view.body if view else event.body,
            row=event.row,
            view=view,
        )

    @property
    def end(self) -> int:
        """Return when it was over, as far as it says."""
        return self.at + int(self.duration_ms or 0)

    @property
    def duration_ms(self) -> float | None:
        """Return how long it took; browsers send nanoseconds."""
        value = member(self.body, self.kind, _DURATIONS.get(self.kind, "duration"))
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e18:
            return None
        return value / _NANOSECONDS_IN_MS

    def as_json(self) -> Json:
        """Return the event as the page reads it."""
        name, detail = labels(self.kind, self.body)
        return {
            "key": self.key,
            "kind": self.kind,
            "at": self.at,
            "received_ms": self.received_ms,
            "name": name,
            "detail": detail,
            "duration_ms": self.duration_ms,
            "usr": text(self.body, "usr", "id"),
            "account": text(self.body, "account", "id"),
            "view": text(self.body, "view", "id"),
            "action": _action_id(self.body),
            **_trace(self.body),
            "row": self.row,
            "event_id": text(self.body, "dd_pa", "event_id"),
            "body": self.body,
        }


def _action_id(body: Json) -> str | None:
    """Return the action it is or belongs to; what belongs to several names the first."""
    value = member(body, "action", "id")
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) else None


def _trace(body: Json) -> Json:
    """Return the trace as it is written, and a key that is equal for equal traces however they are written."""
    holder = next((path for path in (("_dd",), ("dd",), ()) if text(body, *path, "trace_id")), ())
    trace, span = text(body, *holder, "trace_id"), text(body, *holder, "span_id")
    return {"trace_id": trace, "span_id": span, "trace_key": trace_key(trace)}


def trace_key(trace: str | None) -> str | None:
    """Return the lower 64 bits as 16 hex digits: browsers write them in decimal, tracers 128 bits in hex."""
    if trace is None or len(trace) > 40 or not trace.isascii():
        return None
    hexadecimal = len(trace) == 32 or not trace.isdigit()
    try:
        return f"{int(trace, 16 if hexadecimal else 10) & (1 << 64) - 1:016x}"
    except ValueError:
        return None
