"""The browser SDK's intake: POST /rum?ddforward=… and POST /api/v2/rum, open to every web page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from starlette.types import Receive, Scope, Send

from dd_pa.emulator.http.answers import ACCEPTED, Answer, Headers, Refusal, refused, respond
from dd_pa.emulator.http.rum_target import target_of
from dd_pa.emulator.intake.request_body import Disconnected, inflate, read_body
from dd_pa.emulator.rum.batch import BrowserEvent, Sender, read_batch

Sink: TypeAlias = Callable[[Sequence[BrowserEvent]], None]

# Any page may send, none may read: no credentials, and nothing in the answer.
_CORS: Headers = (("access-control-allow-origin", "*"),)
_PREFLIGHT: Headers = (
    *_CORS,
    ("access-control-allow-methods", "POST"),
    ("access-control-allow-headers", "content-type, content-encoding"),
    ("access-control-max-age", "600"),
    ("content-length", "0"),
)
_MAX_SHOWN = 200


class BrowserIntake:
    """The ASGI endpoint for browsers. It checks no key: the client token in a page is public."""

    def __init__(self, sink: Sink, body_timeout: float, clock: Callable[[], float]) -> None:
        self._sink = sink
        self._body_timeout = body_timeout
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one POST or preflight."""
        if scope["method"] == "OPTIONS":
            await respond(send, Answer(status=204, headers=_PREFLIGHT, body=b""))
            return
        try:
            answer = await self._take(scope, receive)
        except Refusal as refusal:
            extra: Headers = (("connection", "close"),) if refusal.status in (408, 413) else ()
            answer = refused(refusal.status, refusal.reason, extra)
        except Disconnected:
            return
        await respond(send, Answer(status=answer.status, headers=(*answer.headers, *_CORS), body=answer.body))

    async def _take(self, scope: Scope, receive: Receive) -> Answer:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        encoding = headers.get(b"content-encoding", "")
        raw = await read_body(receive, encoding, self._body_timeout)
        track, parameters = target_of(scope)
        if track == "rum":
            version, agent = parameters.get("dd-evp-origin-version"), headers.get(b"user-agent")
            sender = Sender(int(self._clock() * 1000), _cut(version), _cut(agent))
            self._take_lines(_plain(raw, encoding), sender)
        return ACCEPTED

    def _take_lines(self, raw: bytes, sender: Sender) -> None:
        batch = read_batch(raw, sender)
        if batch.refusals and not batch.events and not batch.others:
            raise batch.refusals[0]
        if batch.events:
            self._sink(batch.events)


def _plain(raw: bytes, encoding: str) -> bytes:
    """Inflate what the SDK compressed: it says so in the query, but only the first bytes are sure to be true."""
    compressed = len(raw) > 1 and raw[0] == 0x78 and (raw[0] << 8 | raw[1]) % 31 == 0
    if not compressed:
        return raw
    if encoding.strip().lower() not in ("", "identity"):
        raise Refusal(400, "the request body is compressed twice")
    return inflate(raw, "deflate")


def _cut(text: str | None) -> str | None:
    return text[:_MAX_SHOWN] if text else None
