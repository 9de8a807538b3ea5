"""What an event must look like on the wire, written down without the code that makes it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from dd_pa import Settings

APPLICATION_ID = "51419fd9-a73f-4508-9f74-ad07d6669a47"
STRUCTURE = ("type", "application", "event", "usr", "account", "session", "dd_pa")
TAGS = ("service", "env", "version")


def settings(**changes: Any) -> Settings:
    """Return settings that are complete; `changes` win."""
    return Settings(**({"application_id": APPLICATION_ID, "api_key": "k", "spool_dir": None} | changes))


def parsed(body: bytes) -> dict[str, Any]:
    """Parse a request body as strictly as anybody may: UTF-8, one object, no NaN, no key twice; numbers exactly."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "a key is given twice"
        return dict(pairs)

    text = body.decode("utf-8", "strict")
    event = json.loads(text, parse_constant=refuse, object_pairs_hook=once, parse_float=Decimal)
    assert isinstance(event, dict)
    event_id, occurred_at = event["dd_pa"]["event_id"], event["dd_pa"]["occurred_at"]
    assert re.fullmatch("[0-9a-f]{32}", event_id)
    assert isinstance(occurred_at, int)
    return event


def event(name: str, attributes: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return what a body must parse to, without `dd_pa`."""
    start = {"type": "server", "application": {"id": APPLICATION_ID}, "event": {"name": name}}
    return start | {key: {"id": value} for key, value in members.items()} | (attributes or {})


def without_ids(body: bytes) -> dict[str, Any]:
    """Return a parsed body without what differs each time."""
    found = parsed(body)
    assert set(found.pop("dd_pa")) == {"event_id", "occurred_at"}
    return found


def size(value: Any) -> int:
    """Count the members and items of a parsed value, at all levels."""
    if isinstance(value, dict):
        return len(value) + sum(size(item) for item in value.values())
    return len(value) + sum(size(item) for item in value) if isinstance(value, list) else 0


def depth(value: Any) -> int:
    """Count the levels of a parsed value; a scalar has none."""
    if isinstance(value, dict):
        return 1 + max((depth(item) for item in value.values()), default=0)
    return 1 + max((depth(item) for item in value), default=0) if isinstance(value, list) else 0
