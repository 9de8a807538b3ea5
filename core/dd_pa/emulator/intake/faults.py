"""Faults on demand: what the intake does wrong for the next requests."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

MAX_DELAY = 3600.0
MAX_ARMED = 100

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e]{0,1000}")
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "set-cookie"})

RATE_LIMITED = (
    ("x-ratelimit-limit", "100"),
    ("x-ratelimit-period", "1"),
    ("x-ratelimit-remaining", "0"),
    ("x-ratelimit-reset", "1"),
    ("x-ratelimit-name", "prodlytics"),
)
"""What a 429 says when no headers are asked for: the fields Datadog documents."""

QUERY_RATE_LIMITED = (*RATE_LIMITED[:4], ("x-ratelimit-name", "product_analytics_query"))

On: TypeAlias = Literal["intake", "query"]
QueryStatus: TypeAlias = Literal["running", "timeout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to fail, for a number of requests. Raises ValueError where a field makes no sense."""

    status: int | None = None
    """Answer this instead of taking the event; None answers as usual (after `delay`)."""
    times: int | None = 1
    """How many requests; None until cleared."""
    delay: float = 0.0
    """Seconds to wait before the answer."""
    headers: Mapping[str, str] | None = None
    """More headers for the answer; None gives a 429 Datadog's rate limit headers."""
    close: bool = False
    """Close the connection without an answer (after `delay`)."""

    on: On = "intake"
    """Which requests it is for: events that come, or queries."""
    query_status: QueryStatus | None = None
    """Answer a query with this in `meta.status`, and no result."""

    def __post_init__(self) -> None:
        self._check_numbers()
        if self.on not in get_args(On):
            raise ValueError(f"on must be one of {', '.join(get_args(On))}")
        if self.query_status is not None:
            self._check_query_status()
        elif self.status is None and not self.delay and not self.close:
            raise ValueError("a fault needs a status, a delay or close")
        if self.close and self.status is not None:
            raise ValueError("a closed connection has no status: give close or status, not both")
        for name, value in (self.headers or {}).items():
            if not _NAME.fullmatch(name) or name.lower() in _OWN_HEADERS or not _VALUE.fullmatch(value):
                raise ValueError(f"header {name[:100]!r} cannot be sent")

    def _check_numbers(self) -> None:
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status must be between 200 and 599, not {self.status}")
        if self.times is not None and self.times < 1:
            raise ValueError(f'times must be at least 1, or nothing for "until cleared", not {self.times}')
        if not 0 <= self.delay <= MAX_DELAY:
            raise ValueError(f"delay must be between 0 and {MAX_DELAY:g} seconds, not {self.delay}")

    def _check_query_status(self) -> None:
        if self.query_status not in get_args(QueryStatus):
            raise ValueError(f"query_status must be one of {', '.join(get_args(QueryStatus))}")
        if self.on != "query" or self.status is not None or self.close:
            raise ValueError('query_status is for queries that are answered: give it with on="query" alone')

    def answer_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers its answer carries besides the recorded ones."""
        if self.headers is None:
            return RATE_LIMITED if self.status == 429 else ()
        return tuple((name.lower(), value) for name, value in self.headers.items())


class Faults:
    """The armed faults, used up one after the other. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        """Put a fault behind those already armed. Raises ValueError when there are too many."""
        with self._lock:
            if len(self._armed) >= MAX_ARMED:
                raise ValueError(f"{MAX_ARMED} faults are armed already: clear them first")
            self._armed.append(fault)

    def take(self, on: On = "intake") -> Fault | None:
        """Return what happens to this request, counting it."""
        with self._lock:
            place = next((number for number, fault in enumerate(self._armed) if fault.on == on), None)
            if place is None:
                return None
            fault = self._armed[place]
            if fault.times is not None:
                rest = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                self._armed[place : place + 1] = rest
            return fault

    def armed(self) -> list[Fault]:
        """Return what is left, first to come first; `times` counts what is left of each."""
        with self._lock:
            return list(self._armed)

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed.clear()
