"""Datadog's flattening rule: a nested value becomes a facet whose path joins the keys with dots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

STRUCTURE = frozenset(
    {"type", "application", "event", "usr", "account", "session", "service", "env", "version", "dd_pa"}
)
"""First segments that are not a caller's own attributes."""


def flatten(body: object) -> Iterator[tuple[str, Scalar]]:
    """Yield (path, scalar) in document order; an array yields each of its elements under its own path."""
    stack: list[tuple[str, object]] = [("", body)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            prefix = f"{path}." if path else ""
            stack.extend((prefix + key, member) for key, member in reversed(value.items()))
        elif isinstance(value, list):
            stack.extend((path, element) for element in reversed(value))
        else:
            yield path, value  # type: ignore[misc]  # what json.loads gives is a scalar here


class Facet:
    """One path, prepared to look up its values in many events.

    Keys that contain dots count as nested, as both spellings become the same facet.
    """

    def __init__(self, path: str) -> None:
        parts = path.split(".")
        self._path = path
        self._length = len(parts)
        self._steps = [
            [(".".join(parts[start:end]), end) for end in range(start + 1, len(parts) + 1)]
            for start in range(len(parts))
        ]

    def values(self, body: object) -> list[Scalar]:
        """Return its values, those of array elements one by one, else those of the tag of this name.

        null counts as absent.
        """
        values: list[Scalar] = []
        self._collect(body, 0, values)
        return values or list(tags_of(body).get(self._path, ()))

    def _collect(self, node: object, start: int, values: list[Scalar]) -> None:
        if isinstance(node, dict):
            if start < self._length:
                for key, end in self._steps[start]:
                    self._take(node.get(key), end, values)
        elif isinstance(node, list):
            for element in node:
                self._take(element, start, values)

    def _take(self, node: object, start: int, values: list[Scalar]) -> None:
        if isinstance(node, dict | list):
            self._collect(node, start, values)
        elif node is not None and start == self._length:
            values.append(node)  # type: ignore[arg-type]  # what json.loads gives is a scalar here


def tags_of(body: object) -> dict[str, list[str]]:
    """Return the tags of an event: the browser SDK joins them with commas in `ddtags`. A tag without a value has ""."""
    joined = body.get("ddtags") if isinstance(body, dict) else None
    found: dict[str, list[str]] = {}
    for tag in joined.split(",") if isinstance(joined, str) else ():
        key, _, value = tag.strip().partition(":")
        if key:
            found.setdefault(key, []).append(value)
    return found


def own_attributes(body: object, count: int) -> list[tuple[str, Scalar]]:
    """Return the first `count` facets that the caller added to the event."""
    if not isinstance(body, dict):
        return []
    own = {key: value for key, value in body.items() if key.split(".", 1)[0] not in STRUCTURE}
    facets = flatten(own)
    return [facet for facet, _ in zip(facets, range(count), strict=False)]


def text_of(value: Scalar) -> str:
    """Return the string form in which Datadog compares and shows a value."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
