"""Read query strings and JSON bodies of the page's own routes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import QueryParams

from dd_pa.emulator.intake.faults import Fault
from dd_pa.emulator.live.selection import Filter, Source, Status, Wanted
from dd_pa.emulator.search.search import compile_search

_STATUSES: Mapping[str, Status] = {"all": "all", "accepted": "accepted", "rejected": "rejected"}
_FAULT_FIELDS = frozenset({"status", "times", "delay", "headers", "action", "on", "query_status"})
_MAX_INTEGER = 2**53
_SOURCES: Mapping[str, Source] = {"server": "server", "all": "all"}


class ParameterError(ValueError):
    """A parameter is not understood; the text says which and why."""


def wanted_of(query: QueryParams) -> Wanted:
    """Read what `filter_of` reads, `from` and `to`. Raises ParameterError and SearchError."""
    return Wanted(filter_of(query), (integer(query, "from"), integer(query, "to")))


def filter_of(query: QueryParams) -> Filter:
    """Read `q`, `status` and `source`. Raises ParameterError and SearchError."""
    status, source = _STATUSES.get(query.get("status", "all")), _SOURCES.get(query.get("source", "server"))
    if status is None:
        raise ParameterError(f"status must be one of {', '.join(_STATUSES)}")
    if source is None:
        raise ParameterError(f"source must be one of {', '.join(_SOURCES)}")
    return Filter(search=compile_search(query.get("q", "")), status=status, source=source)


def integer(query: QueryParams, name: str, low: int = 0, high: int = _MAX_INTEGER) -> int | None:
    """Read a whole number, None when it is not given. Raises ParameterError."""
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
        raise ParameterError(f"{name} must be a whole number from {low} to {high}")
    return int(text)


def json_object(body: bytes) -> dict[str, Any]:
    """Read a body. Raises ParameterError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ParameterError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise ParameterError("the body must be a JSON object")
    return found


def fault_of(body: bytes) -> Fault:
    """Read a fault. Raises ParameterError."""
    asked = json_object(body)
    unknown = asked.keys() - _FAULT_FIELDS
    if unknown:
        raise ParameterError(f"{min(unknown)[:100]!r} is unknown: a fault has {', '.join(sorted(_FAULT_FIELDS))}")
    if asked.get("action") not in (None, "close"):
        raise ParameterError('action can only be "close"')
    try:
        return Fault(
            status=_whole(asked.get("status"), "status"),
            times=_whole(asked.get("times", 1), "times"),
            delay=_seconds(asked.get("delay", 0)),
            headers=_headers(asked.get("headers")),
            close=asked.get("action") == "close",
            on=asked.get("on", "intake"),
            query_status=asked.get("query_status"),
        )
    except ValueError as error:
        raise ParameterError(str(error)) from None


def _whole(value: object, name: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ParameterError(f"{name} must be a whole number or null")


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e9 else math.inf
    raise ParameterError("delay must be a number of seconds")


def _headers(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ParameterError("headers must be an object of strings")
    return value


def as_json(fault: Fault) -> dict[str, object]:
    """Return a fault as the routes show it."""
    shown: dict[str, object] = {"times": fault.times}
    if fault.status is not None:
        shown["status"] = fault.status
    if fault.delay:
        shown["delay"] = fault.delay
    if fault.headers is not None:
        shown["headers"] = dict(fault.headers)
    if fault.close:
        shown["action"] = "close"
    if fault.on != "intake":
        shown["on"] = fault.on
    if fault.query_status is not None:
        shown["query_status"] = fault.query_status
    return shown
