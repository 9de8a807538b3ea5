"""JSON answers of the page's own routes."""

from __future__ import annotations

import json

from starlette.responses import Response

from dd_pa.emulator.http.answers import error_body


def reply(content: object, status: int = 200) -> Response:
    """Answer with JSON; ASCII only, as events may hold text that UTF-8 cannot carry."""
    return Response(encoded(content), status, media_type="application/json")


def encoded(content: object) -> bytes:
    """Encode compactly."""
    return json.dumps(content, separators=(",", ":"), check_circular=False).encode()


def refusal(status: int, detail: str) -> Response:
    """Answer with Datadog's error document."""
    return Response(error_body(status, detail), status, media_type="application/json")
