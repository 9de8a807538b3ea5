"""What the API requires of an event, and the documented limits of Datadog's intake."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeAlias

from dd_pa.emulator.http.answers import Refusal

MAX_ATTRIBUTES = 1_000
"""Facets of one event, its structure included."""
MAX_DEPTH = 20
"""Keys in the path of one facet; an array directly inside an array counts as one more."""
MAX_EVENT = 1_000_000
"""Bytes of one event, the smaller reading of 1 MB."""

Found: TypeAlias = tuple[str, int, object]

_IDENTITY = ("usr", "account", "session")
_JSON_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def check_limits(body: object, raw: bytes) -> None:
    """Check size, depth, number of attributes and text that UTF-8 cannot carry. Raises Refusal (400)."""
    if len(raw) > MAX_EVENT:
        raise Refusal(400, f"the event has {len(raw):,} bytes, more than {MAX_EVENT:,}")
    escaped = b"\\u" in raw
    if not escaped and _is_small(raw):
        return
    attributes = 0
    for path, level, value in _walk(body):
        if level > MAX_DEPTH:
            raise Refusal(400, f"{path[:200]} is nested deeper than {MAX_DEPTH} levels", path=path)
        attributes += not isinstance(value, dict | list) or not value
        if escaped:
            _check_text(path, value)
    if attributes > MAX_ATTRIBUTES:
        raise Refusal(400, f"the event has {attributes:,} attributes, more than {MAX_ATTRIBUTES:,}")


def _is_small(raw: bytes) -> bool:
    """Say without looking at the values that they are neither too deep nor too many: true for most events."""
    openings = raw.count(b"{") + raw.count(b"[")
    return openings <= MAX_DEPTH and openings + raw.count(b",") <= MAX_ATTRIBUTES


def _walk(body: object) -> Iterator[Found]:
    """Yield every value once, the scalars of an array as one: they are one attribute."""
    stack: list[Found] = [("", 0, body)]
    while stack:
        path, level, value = found = stack.pop()
        yield found
        if isinstance(value, dict):
            prefix = f"{path}." if path else ""
            stack.extend([(prefix + key, level + 1, member) for key, member in value.items()])
        elif isinstance(value, list):
            stack.extend(_elements(path, level, value))


def _elements(path: str, level: int, array: list[object]) -> Iterator[Found]:
    scalars = [element for element in array if not isinstance(element, dict | list)]
    if scalars:
        yield path, level, "".join(element for element in scalars if isinstance(element, str))
    for element in array:
        if isinstance(element, dict):
            yield path, level, element
        elif isinstance(element, list):
            yield path, level + 1, element


def _check_text(path: str, value: object) -> None:
    """Refuse half a surrogate pair, which only an escape can bring in: the raw body was valid UTF-8."""
    if not _encodable(path):
        raise Refusal(400, f"Malformed payload: the key {path[:200]!a} holds a lone surrogate")
    if isinstance(value, str) and not _encodable(value):
        raise Refusal(400, f"Malformed payload: {path[:200]} holds a lone surrogate", path=path)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def check_event(body: object) -> None:
    """Check the documented schema: types and required fields. Raises Refusal (400)."""
    if not isinstance(body, dict):
        raise Refusal(400, f"Malformed payload: one JSON object is expected, not {_json_name(body)}")
    _require_text(body, "application", "id")
    _require_text(body, "event", "name")
    for name in _IDENTITY:
        if name in body:
            _require_text(body, name, "id")
    if "type" not in body:
        raise Refusal(400, "type is missing", path="type")
    if body["type"] != "server":
        raise Refusal(400, 'type must be "server"', path="type")


def check_meaning(body: object, application_ids: Collection[str] | None) -> None:
    """Check what is required in prose only: a known application, and somebody to link to. Raises Refusal (400)."""
    assert isinstance(body, dict)  # noqa: S101 - check_event came first
    if application_ids is not None and body["application"]["id"] not in application_ids:
        reason = "application.id is not an application with Product Analytics"
        raise Refusal(400, reason, path="application.id")
    if not any(body.get(name) for name in _IDENTITY):
        raise Refusal(400, "none of usr, account and session is given: the event cannot be linked")


def _require_text(body: dict[str, object], name: str, key: str) -> None:
    if name not in body:
        raise Refusal(400, f"{name}.{key} is missing", path=name)
    holder = body[name]
    if not isinstance(holder, dict):
        raise Refusal(400, f"{name} must be an object, not {_json_name(holder)}", path=name)
    path = f"{name}.{key}"
    if key not in holder:
        raise Refusal(400, f"{path} is missing", path=path)
    if not isinstance(holder[key], str):
        raise Refusal(400, f"{path} must be a string, not {_json_name(holder[key])}", path=path)
    if not holder[key]:
        raise Refusal(400, f"{path} must not be empty", path=path)


def _json_name(value: object) -> str:
    return _JSON_NAMES.get(type(value), "a number")
