"""What an event is called, from a browser or a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Json: TypeAlias = dict[str, Any]

SERVER = "server"
_MAX_LABEL = 300


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


def labels(kind: str, body: Json) -> tuple[str, str | None]:
    """Return what an event of this kind is called, and a word more about it."""
    name, detail = _LABELS[kind](body) if kind in _LABELS else (None, None)
    return (name or kind)[:_MAX_LABEL], detail[:_MAX_LABEL] if detail else None


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


_LABELS: dict[str, Callable[[Json], tuple[str | None, str | None]]] = {
    "view": _view,
    "action": _action,
    "error": _error,
    "resource": _resource,
    "long_task": _long_task,
    "vital": _vital,
    SERVER: _server,
}
