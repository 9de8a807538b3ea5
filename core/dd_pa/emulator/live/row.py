"""One request to the intake, as it is kept and shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from dd_pa.emulator.http.answers import Answer
from dd_pa.emulator.live.label import SERVER, labels
from dd_pa.emulator.search.facets import own_attributes, text_of

Summary: TypeAlias = list[object]

_SHOWN_ATTRIBUTES = 3
_SHOWN_TEXT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A request and its answer. Everything derived is computed when asked for: most rows are never looked at."""

    seq: int
    """Rises by one per row, from 1; never used twice, also after a clear."""
    received_ms: int
    """Arrival, epoch milliseconds; it falls from one row to the next only where the clock was set back."""
    status: int
    """HTTP status answered; 0 when the connection was closed without an answer."""
    reason: str | None
    """Why the event was not taken; None for a taken one."""
    reason_path: str | None
    """The offending place in the body, where there is one."""
    body: object
    """The parsed JSON; only an outline of it when `raw` is given."""
    raw: str | None
    """The beginning of a body that is no JSON or too much of it; None when `body` says it all."""
    size: int
    """Bytes of the body after inflating."""
    encoding: str | None
    """Content-Encoding of the request."""
    headers: tuple[tuple[str, str], ...]
    """Request headers, secrets masked."""
    answer: Answer | None
    """What was answered; None when nothing was."""
    kind: str = "server"
    """Type of the event: view, action, error, resource, long_task or vital of a browser, else server."""

    @property
    def accepted(self) -> bool:
        """Say whether the event was taken."""
        return self.reason is None

    @property
    def weight(self) -> int:
        """Return the bytes of body and headers."""
        return self.size + sum(len(name) + len(value) for name, value in self.headers)

    @property
    def name(self) -> str | None:
        """Return event.name, or what the event of a browser is called."""
        if self.kind == SERVER:
            return self._text("event", "name")
        return self._labels()[0]

    def _labels(self) -> tuple[str, str | None]:
        return labels(self.kind, cast("dict[str, Any]", self.body))

    @property
    def event_id(self) -> str | None:
        """Return dd_pa.event_id, which the client gives each event."""
        return self._text("dd_pa", "event_id")

    @property
    def occurred_ms(self) -> int | None:
        """Return dd_pa.occurred_at as epoch milliseconds; a browser's event has its `date`."""
        if self.kind != SERVER and isinstance(self.body, dict):
            return epoch_ms(self.body.get("date"))
        return epoch_ms(self._member("dd_pa", "occurred_at"))

    @property
    def delay_ms(self) -> int | None:
        """Return how long the event was on its way; negative when the clocks disagree, None where it is not known."""
        occurred = self.occurred_ms
        return None if occurred is None or self.seq < 0 else self.received_ms - occurred

    def identity(self) -> tuple[str | None, str | None, str | None]:
        """Return usr.id, account.id and session.id."""
        return self._text("usr", "id"), self._text("account", "id"), self._text("session", "id")

    def summary(self, off_plan: list[str] | None = None) -> Summary:
        """Return the line of the list, in the order of the wire format; `off_plan` is what the plan says of it."""
        head = [self.seq, self.received_ms, self.name, *self.identity(), self.status, self.reason]
        return [*head, self._shown(), self.delay_ms, self.occurred_ms, self.kind, off_plan]

    def _shown(self) -> list[list[str]]:
        if self.kind == SERVER:
            found = own_attributes(self.body, _SHOWN_ATTRIBUTES)
            return [[path, text_of(value)[:_SHOWN_TEXT]] for path, value in found]
        detail = self._labels()[1]
        return [[self.kind, detail[:_SHOWN_TEXT]]] if detail else []

    def _member(self, holder: str, key: str) -> object:
        inner = self.body.get(holder) if isinstance(self.body, dict) else None
        return inner.get(key) if isinstance(inner, dict) else None

    def _text(self, holder: str, key: str) -> str | None:
        value = self._member(holder, key)
        return value if isinstance(value, str) else None


def epoch_ms(value: object) -> int | None:
    """Read a time as epoch milliseconds or as ISO 8601 (UTC unless it says otherwise); None if it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if abs(value) < 1e15 else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
