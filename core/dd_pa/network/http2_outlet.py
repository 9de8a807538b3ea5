from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from dd_pa.capture.event import BuiltEvent
from dd_pa.network.http2 import Answer, Failure, Origin
from dd_pa.network.http_version import HttpVersion
from dd_pa.network.intake_protocol import Heard, IntakeProtocol
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.network.outlet import Done, TaskOutlet
from dd_pa.network.tls_trust import is_secure, tls_context
from dd_pa.process import forks
from dd_pa.settings.settings import Settings

_OUTCOMES = {
    failure: Outcome(verdict=Verdict.LOST if failure is Failure.LOST else Verdict.RETRY, reason=failure.value)
    for failure in Failure
}


class Http2Outlet:
    """Posts events over HTTP/2, and over httpx in HTTP/1.1 as long as the server speaks no HTTP/2."""

    def __init__(self, settings: Settings, heard: Heard | None = None) -> None:
        self._settings, self._heard = settings, heard
        self._loop = asyncio.get_running_loop()
        self._intake = IntakeProtocol(settings)
        secure = is_secure(settings)
        url = self._intake.url
        port = url.port or (443 if secure else 80)
        pseudo = ("method", "POST"), ("scheme", url.scheme), ("authority", self._intake.authority), ("path", url.path)
        self._origin = Origin(
            url.hostname or "",
            port,
            [(f":{name}", value) for name, value in pseudo] + [(n.lower(), v) for n, v in self._intake.fields],
            tls=tls_context(settings.ca_file) if secure else None,
            timeout=settings.timeout,
        )
        self._version = HttpVersion(secure=secure, port=port, clock=self._loop.time)
        self._tasks: TaskOutlet | None = None

    @property
    def protocol(self) -> str:
        """What is spoken now."""
        return "HTTP/2" if self._version.is_http2 else "HTTP/1.1"

    @property
    def width(self) -> int:
        return self._settings.concurrency if self._version.is_http2 else self._by_http1().width

    def start(self, event: BuiltEvent, body: bytes, done: Done) -> None:
        if self._version.is_http2 or self._version.is_tried_again():
            self._origin.post(body, partial(self._answered, event, body, done))
        else:
            self._by_http1().start(event, body, done)

    async def send(self, event: BuiltEvent, body: bytes) -> Outcome:
        """Do the same for who awaits."""
        answered: asyncio.Future[Outcome] = self._loop.create_future()

        def done(outcome: Outcome) -> None:
            if not answered.done():  # else nobody waits any more
                answered.set_result(outcome)

        self.start(event, body, done)
        return await answered

    def _answered(self, event: BuiltEvent, body: bytes, done: Done, answer: Answer | Failure) -> None:
        if isinstance(answer, Answer):
            if self._heard:
                self._heard(answer.fields)
            done(self._intake.judge(*answer))
        elif answer is Failure.HTTP1:
            self._version.refused()
            self._by_http1().start(event, body, done)
        else:
            done(_OUTCOMES[answer])

    def _by_http1(self) -> TaskOutlet:
        if self._tasks is None:
            with forks.loading:  # over TLS nobody knew until now that it is needed
                from dd_pa.network.httpx_library import warm_up_httpx  # noqa: PLC0415

                warm_up_httpx()
                from dd_pa.network.httpx_outlet import HttpxOutlet  # noqa: PLC0415
                from dd_pa.network.httpx_transport import http1_transport  # noqa: PLC0415

            self._tasks = TaskOutlet(HttpxOutlet(self._settings, http1_transport(self._settings), self._heard_http1))
        return self._tasks

    def _heard_http1(self, fields: Mapping[str, str]) -> None:
        if self._heard:
            self._heard(fields)
        self._version.heard(fields)

    async def aclose(self) -> None:
        await self._origin.aclose()
        if self._tasks is not None:
            await self._tasks.aclose()
