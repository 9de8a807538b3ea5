from __future__ import annotations

import json
from typing import Any

import httpx

INTAKE = "/api/v2/prodlytics"
KEY = "0123456789abcdef0123456789abcdef"


def event(**changes: Any) -> dict[str, Any]:
    """A complete event; keyword arguments replace or add top-level members."""
    whole = {
        "application": {"id": "123abcde-123a-123b-1234-123456789abc"},
        "event": {"name": "payment.processed"},
        "type": "server",
        "usr": {"id": "123"},
    }
    return whole | changes


def without(name: str) -> dict[str, Any]:
    """A complete event but for one top-level member."""
    return {key: value for key, value in event().items() if key != name}


def error(status: int, title: str, detail: str) -> dict[str, Any]:
    """Datadog's error document."""
    return {"errors": [{"status": str(status), "title": title, "detail": detail}]}


class Client:
    """Talks to an emulator as a careful client would."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(self, body: Any, **headers: str) -> httpx.Response:
        """Post bytes as they are, else JSON; `headers` (in snake_case) replace the usual ones, "" removes one."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        usual = {"dd-api-key": KEY, "content-type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {name: value for name, value in (usual | named).items() if value}
        return self.http.post(INTAKE, content=content, headers=fields)

    def get(self, path: str, **query: Any) -> Any:
        """Read one of the page's routes."""
        return self.http.get(f"/api/emulator/{path}", params=query).raise_for_status().json()

    def command(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Use one of the page's routes that change something."""
        headers = {"content-type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        return self.http.request(method, f"/api/emulator/{path}", content=content, headers=headers)
