"""One event of a session, from the browser or the server, as the timeline shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from dd_pa.emulator.row import Row
from dd_pa.emulator.rum.batch import BrowserEvent
from dd_pa.emulator.rum.view import View

Json: TypeAlias = dict[str, Any]

SERVER = "server"
_NANOSECONDS_IN_MS = 1_000_000
_MAX_LABEL = 300
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
    """Number of the request in the live list, for a server event."""
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
            row=row.seq if row.seq > 0 else None,
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
        name, detail = _labels(self)
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


def member(body: Json, *path: str) -> object:
    """Return what stands at the path, None if nothing does."""
    value: object = body
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(body: Json, *path: str) -> str | None:
    """Return the non-empty string at the path, None if there is none."""
    value = member(body, *path)
    return value if isinstance(value, str) and value else None


def _labels(moment: Moment) -> tuple[str, str | None]:
    """Return what the event is called, and a word more about it."""
    name, detail = _LABELS[moment.kind](moment.body)
    return (name or moment.kind)[:_MAX_LABEL], detail[:_MAX_LABEL] if detail else None


def path_of(url: str | None) -> str | None:
    """Return the path of a URL; the URL itself where it has none."""
    if url is None:
        return None
    try:
        return urlsplit(url).path or url
    except ValueError:
        return url


def _view(body: Json) -> tuple[str | None, str | None]:
    url = text(body, "view", "url")
    return text(body, "view", "name") or path_of(url), url


def _action(body: Json) -> tuple[str | None, str | None]:
    return text(body, "action", "target", "name") or text(body, "action", "type"), text(body, "action", "type")


def _error(body: Json) -> tuple[str | None, str | None]:
    return text(body, "error", "message"), text(body, "error", "type") or text(body, "error", "source")


def _resource(body: Json) -> tuple[str | None, str | None]:
    method, status = text(body, "resource", "method"), member(body, "resource", "status_code")
    path = path_of(text(body, "resource", "url"))
    shown = str(status) if isinstance(status, int) and not isinstance(status, bool) else None
    return f"{method} {path}" if method and path else path, shown or text(body, "resource", "type")


def _long_task(body: Json) -> tuple[str | None, str | None]:
    return "long task", text(body, "long_task", "entry_type")


def _vital(body: Json) -> tuple[str | None, str | None]:
    return text(body, "vital", "name"), text(body, "vital", "type")


def _server(body: Json) -> tuple[str | None, str | None]:
    return text(body, "event", "name"), text(body, "service")


_LABELS = {
    "view": _view,
    "action": _action,
    "error": _error,
    "resource": _resource,
    "long_task": _long_task,
    "vital": _vital,
    SERVER: _server,
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
