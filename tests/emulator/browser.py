from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx

SESSION = "f98319f4-12fa-40c5-9e4b-326234eb91ea"
VIEW = "09039166-d26e-4a4c-a0fb-6f7d2a4a3a55"
APPLICATION = "11111111-2222-4333-8444-555555555555"
PARAMETERS = "ddsource=browser&dd-api-key=pubTESTTOKEN&dd-evp-origin-version=7.16.2&dd-evp-origin=browser&_dd.api=fetch"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def line(kind: str, date: Any = 1_795_424_019_126, **members: Any) -> dict[str, Any]:
    """An event as the browser SDK sends it; keyword arguments add or replace top-level members."""
    whole = {
        "type": kind,
        "date": date,
        "application": {"id": APPLICATION},
        "session": {"id": SESSION, "type": "user"},
        "view": {"id": VIEW, "url": "http://shop.test/basket?x=1"},
        "usr": {"anonymous_id": "1380af20-b3a3-45a5-a016-4bae046e2537"},
        "service": "shop",
    }
    return whole | members


def view(version: int, date: int = 1_795_424_019_126, kind: str = "view", **members: Any) -> dict[str, Any]:
    """A version of a view."""
    return line(kind, date, **{"_dd": {"document_version": version}, **members})


def ndjson(*events: Any) -> bytes:
    """Lines without one at the end, as the SDK sends them."""
    return b"\n".join(json.dumps(event).encode() for event in events)


def forwarded(target: str = f"/api/v2/rum?{PARAMETERS}") -> str:
    """The path that the SDK's proxy option makes."""
    return f"/rum?ddforward={quote(target, safe='')}"


def send(http: httpx.Client, *events: Any, path: str | None = None, **headers: str) -> httpx.Response:
    """Post lines as the browser SDK does."""
    usual = {"content-type": "text/plain;charset=UTF-8", "user-agent": CHROME, "origin": "https://shop.test"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = events[0] if len(events) == 1 and isinstance(events[0], bytes) else ndjson(*events)
    return http.post(path or forwarded(), content=content, headers=usual | named)
