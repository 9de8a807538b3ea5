"""A view is sent again and again while the page is open: what it is after all that came, in whatever order."""

from __future__ import annotations

from bisect import insort
from typing import Any

_REPLACED = frozenset({"view.custom_timings", "context", "connectivity", "usr", "device", "privacy"})
_APPENDED = frozenset({"_dd.page_states"})


class View:
    """The newest complete version, and the partial updates (`view_update`, SDK v7) that are younger."""

    def __init__(self) -> None:
        self._version = -1
        self._complete: dict[str, Any] | None = None
        self._partial: list[tuple[int, dict[str, Any]]] = []
        self._body: dict[str, Any] = {}

    @property
    def body(self) -> dict[str, Any]:
        """Return the view as one event."""
        return self._body

    def take(self, body: dict[str, Any]) -> bool:
        """Take one version; False when what is known is as new. A partial one may come before what it builds on."""
        version = version_of(body)
        if version <= self._version or any(version == known for known, _ in self._partial):
            return False
        if body.get("type") == "view_update":
            insort(self._partial, (version, body), key=lambda update: update[0])
        else:
            self._version, self._complete = version, body
            self._partial = [update for update in self._partial if update[0] > version]
        self._body = self._merged()
        return True

    def _merged(self) -> dict[str, Any]:
        body = self._complete or {}
        for _, update in self._partial:
            body = _merge(body, update, "")
        return body | {"type": "view"}


def version_of(body: dict[str, Any]) -> int:
    """Return `_dd.document_version`, 0 where there is none."""
    internal = body.get("_dd")
    version = internal.get("document_version") if isinstance(internal, dict) else None
    return version if isinstance(version, int) and not isinstance(version, bool) else 0


def _merge(base: dict[str, Any], update: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return `base` with what the update changes; null takes a key away."""
    merged = dict(base)
    for key, value in update.items():
        path, known = prefix + key, merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(known, dict) and path not in _REPLACED:
            merged[key] = _merge(known, value, f"{path}.")
        elif isinstance(value, list) and isinstance(known, list) and path in _APPENDED:
            merged[key] = [*known, *value]
        else:
            merged[key] = value
    return merged
