from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import partial

from dd_pa.capture.event import BuiltEvent
from dd_pa.network.http2 import Answer, Failure, Origin
from dd_pa.network.intake_protocol import Heard, IntakeProtocol
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.network.outlet import Done, TaskOutlet
from dd_pa.network.tls_trust import is_secure, tls_context
from dd_pa.process import forks
from dd_pa.settings.settings import Settings

AGAIN = 600.0
"""Seconds after which a server that spoke no HTTP/2 is offered it again."""

_OFFER = re.compile(r'\bh2c=":(\d+)"')
"""What an `Alt-Svc` says of HTTP/2 without TLS (RFC 7838)."""

_OUTCOMES = {
    failure: Outcome(verdict=Verdict.LOST if failure is Failure.LOST else Verdict.RETRY, reason=failure.value)
    for failure in Failure
}


def speaks_http2_itself(settings: Settings) -> bool:
    """Tell whether HTTP/2 is spoken without httpx, which keeps proxies."""
    return settings.transport == "auto" and settings.proxy is None


def needs_httpx(settings: Settings) -> bool:
    """Tell whether httpx is needed in any case; over TLS a server that speaks no HTTP/2 may need it as well."""
    return not (speaks_http2_itself(settings) and is_secure(settings))


class Http2Outlet:
    """Posts events over HTTP/2, and over httpx in HTTP/1.1 as long as the server speaks no HTTP/2.

    Over TLS it is negotiated. A plain server, which is on this machine, may offer it by `Alt-Svc`: to one that
    knows nothing of it, the attempt would look like a broken request (RFC 9113, section 3.3).
    """

    def __init__(self, settings: Settings, heard: Heard | None = None) -> None:
        self._settings, self._heard = settings, heard
        self._loop = asyncio.get_running_loop()
        self._intake = IntakeProtocol(settings)
        secure = is_secure(settings)
        url = self._intake.url
        self._port = url.port or (443 if secure else 80)
        pseudo = ("method", "POST"), ("scheme", url.scheme), ("authority", self._intake.authority), ("path", url.path)
        self._origin = Origin(
            url.hostname or "",
            self._port,
            [(f":{name}", value) for name, value in pseudo] + [(n.lower(), v) for n, v in self._intake.fields],
            tls=tls_context(settings.ca_file) if secure else None,
            timeout=settings.timeout,
        )
        self._secure = self._speaks = secure
        self._again_at = 0.0
        self._tasks: TaskOutlet | None = None

    @property
    def protocol(self) -> str:
        """What is spoken now."""
        return "HTTP/2" if self._speaks else "HTTP/1.1"

    @property
    def width(self) -> int:
        return self._settings.concurrency if self._speaks else self._by_http1().width

    def start(self, event: BuiltEvent, body: bytes, done: Done) -> None:
        if self._secure and not self._speaks and self._loop.time() >= self._again_at:
            self._speaks = True
        if self._speaks:
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
            self._speaks = False
            self._again_at = self._loop.time() + AGAIN
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
        offer = None if self._secure else _OFFER.search(fields.get("alt-svc", ""))
        if offer and int(offer[1]) == self._port and self._loop.time() >= self._again_at:
            self._speaks = True

    async def aclose(self) -> None:
        await self._origin.aclose()
        if self._tasks is not None:
            await self._tasks.aclose()
