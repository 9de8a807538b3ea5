"""POST /api/v2/prodlytics: read, judge, keep and answer one event."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection
from functools import lru_cache, partial
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from dd_pa.emulator.http.answers import ACCEPTED, Answer, Headers, Refusal, refused, respond
from dd_pa.emulator.http.connection import drop
from dd_pa.emulator.intake.faults import Fault, Faults
from dd_pa.emulator.intake.request_body import Disconnected, read_body
from dd_pa.emulator.intake.requirements import check_event, check_limits, check_meaning
from dd_pa.emulator.intake.strict_json import parse
from dd_pa.emulator.live.history import History
from dd_pa.emulator.live.row import Row

PATH = "/api/v2/prodlytics"
_MAX_RAW = 64 * 1024
_MAX_SHOWN = 1_000
_SECRET = frozenset({b"dd-api-key", b"dd-application-key", b"authorization", b"cookie", b"proxy-authorization"})
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_CLIENT_TOKEN = re.compile(r"pub[0-9a-f]{32}")
_ON_DEMAND = "fault on demand"


class Verdict(NamedTuple):
    """What becomes of one request."""

    status: int
    reason: str | None = None
    path: str | None = None
    body: object = None
    raw: str | None = None


class Rules:
    """Who may send, and what is checked. May be changed while the emulator runs."""

    def __init__(self, api_keys: set[str] | None, application_ids: Collection[str] | None, *, strict: bool) -> None:
        self.api_keys = api_keys
        self.application_ids = application_ids
        self.strict = strict

    def check_key(self, key: str | None) -> None:
        """Raise Refusal (401, 403) unless the key may send."""
        if not key:
            raise Refusal(401, "API key is missing")
        if _CLIENT_TOKEN.fullmatch(key):
            raise Refusal(403, "API key is invalid: this is a client token (pub…), which is for browsers only")
        if not _KEY.fullmatch(key) or (self.api_keys is not None and key not in self.api_keys):
            raise Refusal(403, "API key is invalid")

    def knows(self, key: str) -> bool:
        """Say whether a key may ask queries."""
        return _KEY.fullmatch(key) is not None and (self.api_keys is None or key in self.api_keys)

    def check_body(self, body: object) -> None:
        """Raise Refusal (400) unless the event is what the API asks for."""
        check_event(body)
        if self.strict:
            check_meaning(body, self.application_ids)


class IntakeEndpoint:
    """The ASGI endpoint of the intake."""

    def __init__(
        self,
        rules: Rules,
        faults: Faults,
        history: History,
        body_timeout: float,
        stopped: Callable[[], bool],
        on_row: Callable[[Row], None],
    ) -> None:
        self._rules = rules
        self._faults = faults
        self._history = history
        self._body_timeout = body_timeout
        self._stopped = stopped
        self._on_row = on_row

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one POST. Raises ConnectionResetError for a close on demand where the server has no way to do it."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        raw: bytes | Refusal
        try:
            raw = await read_body(receive, headers.get(b"content-encoding", ""), self._body_timeout)
        except Refusal as refusal:
            raw = refusal
        except Disconnected:
            lost = Verdict(408, "the client closed the connection before its body was complete")
            self._keep(scope, b"", lost, None)
            return
        await self._respond(scope, receive, send, raw, headers)

    async def _respond(
        self, scope: Scope, receive: Receive, send: Send, raw: bytes | Refusal, headers: dict[bytes, str]
    ) -> None:
        fault = self._faults.take()
        if fault and fault.delay:
            await self._delay(fault.delay)
        verdict = self._judge(raw, headers)
        content = b"" if isinstance(raw, Refusal) else raw
        if fault and fault.close:
            on_demand = verdict._replace(status=0, reason=f"{_ON_DEMAND}: connection closed", path=None)
            self._keep(scope, content, on_demand, None)
            await drop(scope, receive)
            return
        verdict, answer = _answer(verdict, fault)
        self._keep(scope, content, verdict, answer)
        await respond(send, answer)

    async def _delay(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopped() and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.1))

    def _judge(self, raw: bytes | Refusal, headers: dict[bytes, str]) -> Verdict:
        body, text, broken = _read(raw)
        try:
            self._rules.check_key(headers.get(b"dd-api-key"))
            _check_type(headers.get(b"content-type"))
            if broken:
                raise broken
            self._rules.check_body(body)
        except Refusal as refusal:
            return Verdict(refusal.status, refusal.reason, refusal.path, body, text)
        return Verdict(202, body=body)

    def _keep(self, scope: Scope, raw: bytes, verdict: Verdict, answer: Answer | None) -> None:
        self._on_row(self._history.add(partial(_row, scope["headers"], len(raw), verdict, answer)))


def _read(raw: bytes | Refusal) -> tuple[object, str | None, Refusal | None]:
    """Return the body, the text to show where the body alone is not enough, and what is wrong with it.

    The body is read also when the request is refused for another reason: the page shows whose event it was.
    """
    if isinstance(raw, Refusal):
        return None, None, raw
    body: object = None
    try:
        body = parse(raw)
        check_limits(body, raw)
    except Refusal as refusal:
        return _outline(body), raw[:_MAX_RAW].decode("utf-8", "replace"), refusal
    return body, None, None


def _outline(body: object) -> object:
    """Keep of a monstrous body what names it."""
    names = {"event": "name", "usr": "id", "account": "id", "session": "id", "dd_pa": "event_id"}
    outline = {}
    for holder, key in names.items():
        inner = body.get(holder) if isinstance(body, dict) else None
        value = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(value, str) and len(value) <= 1000:
            outline[holder] = {key: value}
    return outline or None


def _check_type(content_type: str | None) -> None:
    if content_type is None:
        raise Refusal(400, "Content-Type is missing: send application/json")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(400, f"Content-Type must be application/json, not {content_type[:100]!r}")


def _answer(verdict: Verdict, fault: Fault | None) -> tuple[Verdict, Answer]:
    if fault and fault.status is not None:
        verdict = verdict._replace(status=fault.status, reason=_ON_DEMAND, path=None)
        return verdict, refused(fault.status, _ON_DEMAND, fault.answer_headers())
    if verdict.reason is None:
        return verdict, ACCEPTED
    # What is left of a body that was not read to its end would be taken for the next request.
    extra: Headers = (("connection", "close"),) if verdict.status in (408, 413) else ()
    return verdict, refused(verdict.status, verdict.reason, extra)


def _row(
    headers: list[tuple[bytes, bytes]], size: int, verdict: Verdict, answer: Answer | None, seq: int, received_ms: int
) -> Row:
    encoding = next((value for name, value in headers if name == b"content-encoding"), None)
    return Row(
        seq=seq,
        received_ms=received_ms,
        status=verdict.status,
        reason=verdict.reason,
        reason_path=verdict.path,
        body=verdict.body,
        raw=verdict.raw,
        size=size,
        encoding=encoding.decode("latin-1") if encoding else None,
        headers=tuple(_shown(name, b"***" if name in _SECRET else value[:_MAX_SHOWN]) for name, value in headers),
        answer=answer,
    )


@lru_cache(maxsize=4096)
def _shown(name: bytes, value: bytes) -> tuple[str, str]:
    """Return a header as text, shared between rows. It remembers its arguments: never give it a secret."""
    return name.decode("latin-1"), value.decode("latin-1")
