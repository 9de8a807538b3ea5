"""Keep other web pages out: what every request must show before anything else is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from dd_pa.emulator.http.rum_target import is_open

API = "/api/emulator"
QUERIES = "/api/v2/product-analytics"
AGENTS = "/mcp"
"""Where coding agents are answered."""

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_OWN_SITE = ("same-origin", "none")


def reason_to_refuse(scope: Scope, allowed_hosts: frozenset[str]) -> str | None:
    """Return why this request is none of ours, None if it is welcome."""
    host = _single(scope, b"host")
    if host is None or host.lower() not in _own_hosts(_server(scope), scope["scheme"], allowed_hosts):
        shown = ascii(host[:100]) if host else "a missing or double Host header"
        return f"{shown} is not a name of this emulator: start it with --allow-host (allowed_hosts=) to use that name"
    if not is_open(scope) and _is_foreign(scope, host):
        return "requests from other web pages are refused"
    if scope["method"] not in ("GET", "HEAD") and scope["path"].startswith(API) and not _is_json(scope):
        return "this route needs Content-Type: application/json"
    return None


def _server(scope: Scope) -> tuple[str, int | None]:
    host, port = scope.get("server") or ("127.0.0.1", None)
    return host, port


@lru_cache(maxsize=256)
def _own_hosts(server: tuple[str, int | None], scheme: str, allowed: frozenset[str]) -> frozenset[str]:
    """Return every Host value that means us.

    A real server gives the address of its socket, which a rebound name never equals; an in-process transport gives the
    host of the URL, where rebinding does not exist. So both may be trusted, and tests can use any name.
    """
    address, port = server
    own = f"[{address}]" if ":" in address else address
    names = {*_LOOPBACK, own.lower(), *(name for name in allowed if not _has_port(name))}
    bare = names if port is None or port == _DEFAULT_PORTS.get(scheme) else ()
    return frozenset({*bare, *(f"{name}:{port}" for name in names), *allowed})


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdigit() and not name.endswith("]")


def _is_foreign(scope: Scope, host: str) -> bool:
    """Say whether another web page sent it; to follow a link to the page is fine, it reads nothing back."""
    site = _values(scope, b"sec-fetch-site")
    if any(value not in _OWN_SITE for value in site) and not _is_visit(scope):
        return True
    origins = _values(scope, b"origin")
    return any(origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}") for origin in origins)


def _is_visit(scope: Scope) -> bool:
    mode = _values(scope, b"sec-fetch-mode")
    return scope["method"] == "GET" and mode == ["navigate"] and not scope["path"].startswith("/api/")


def _is_json(scope: Scope) -> bool:
    value = _single(scope, b"content-type")
    return value is not None and value.partition(";")[0].strip().lower() == "application/json"


def _single(scope: Scope, name: bytes) -> str | None:
    values = _values(scope, name)
    return values[0] if len(values) == 1 else None


def _values(scope: Scope, name: bytes) -> list[str]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1") for key, value in headers if key == name]


def guarded(send: Send) -> Send:
    """Add the headers that keep a browser from leaking, framing or guessing what we answer."""

    async def add_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = CSP
            headers["x-content-type-options"] = "nosniff"
            headers["cross-origin-resource-policy"] = "same-origin"
            headers["referrer-policy"] = "no-referrer"
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return add_headers
