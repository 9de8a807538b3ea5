"""What the intake answers: Datadog's documented bodies with the headers recorded from its intake hosts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Send

Headers = tuple[tuple[str, str], ...]

# zstd stands in the recorded list too, but Python 3.11 cannot read it: we promise only what we take.
RECORDED_HEADERS: Headers = (
    ("content-type", "application/json"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("x-content-type-options", "nosniff"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("accept-encoding", "identity,gzip,x-gzip,deflate,x-deflate"),
)


class Refusal(Exception):  # noqa: N818 - it is an answer to the client, not an error of ours
    """The request is answered with an error status; carried from the check that found it to the answer."""

    def __init__(self, status: int, reason: str, *, path: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response of the intake."""

    status: int
    """HTTP status."""
    headers: Headers
    """All headers but those of the server itself (date, connection)."""
    body: bytes
    """The whole body."""


async def respond(send: Send, answer: Answer) -> None:
    """Send an answer to an ASGI server."""
    # Statuses without a body by definition: no length either, or the client waits for one.
    empty = answer.status in (204, 304)
    headers = [
        (name.encode(), value.encode()) for name, value in answer.headers if not empty or name != "content-length"
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if empty else answer.body})


@cache
def title_of(status: int) -> str:
    """Return the status phrase, or "Unknown" for a number that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def error_body(status: int, detail: str) -> bytes:
    """Encode Datadog's error document; ASCII only, so that any detail can be encoded."""
    return json.dumps({"errors": [{"status": str(status), "title": title_of(status), "detail": detail}]}).encode()


def refused(status: int, detail: str, extra: Headers = ()) -> Answer:
    """Return an error answer; `extra` headers replace recorded ones of the same name."""
    return _answer(status, error_body(status, detail), extra)


def _answer(status: int, body: bytes, extra: Headers = ()) -> Answer:
    replaced = {name.lower() for name, _ in extra}
    kept = tuple(pair for pair in RECORDED_HEADERS if pair[0] not in replaced)
    return Answer(status=status, headers=(*kept, *extra, ("content-length", str(len(body)))), body=body)


ACCEPTED = _answer(202, b"{}")


def reply(content: object, status: int = 200) -> Response:
    """Answer with JSON; ASCII only, as events may hold text that UTF-8 cannot carry."""
    return Response(encoded(content), status, media_type="application/json")


def encoded(content: object) -> bytes:
    """Encode compactly."""
    return json.dumps(content, separators=(",", ":"), check_circular=False).encode()


def refusal(status: int, detail: str) -> Response:
    """Answer with Datadog's error document."""
    return Response(error_body(status, detail), status, media_type="application/json")
