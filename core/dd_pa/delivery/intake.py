from __future__ import annotations

import asyncio
import json
from importlib.metadata import version

import httpx

from dd_pa import test_run
from dd_pa.capture.event import Event
from dd_pa.delivery.outcome import Outcome, Verdict, judge
from dd_pa.delivery.transport import SeparateConnections, make_transport
from dd_pa.settings import Settings

PATH = "/api/v2/prodlytics"
HTTP1_CONNECTIONS = 32
"""Over HTTP/1.1 each request in flight needs a connection; more of them cost more than they bring."""

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read; the rest is of no use to us."""

MAX_DETAIL = 200
"""Characters of the intake's own words that are kept."""


class Intake:
    """Datadog's intake, or the emulator: one POST per event, because the API documents no batches.

    It calls httpx's transport and not its client, which costs a third less per event, and never follows redirects:
    the key would go to another host.
    """

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = httpx.URL(f"{settings.intake_url}{PATH}")
        self._transport = transport or _default_transport(settings)
        shares = not isinstance(self._transport, SeparateConnections)
        self.width = settings.concurrency if shares else min(settings.concurrency, HTTP1_CONNECTIONS)
        self._timeout = settings.timeout
        self._key = settings.reveal_api_key()
        self._headers = [
            ("Host", self._url.netloc.decode()),
            ("DD-API-KEY", self._key),
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            ("User-Agent", f"dd-pa/{version('dd-pa')}"),
        ]

    async def send(self, event: Event, body: bytes) -> Outcome:
        try:
            async with asyncio.timeout(2 * self._timeout):
                return await self._post(body)
        except (httpx.TimeoutException, httpx.ConnectError, httpx.ProxyError, TimeoutError) as error:
            return Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)
        except httpx.TransportError as error:
            return Outcome(verdict=Verdict.LOST, reason=type(error).__name__)

    async def _post(self, body: bytes) -> Outcome:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        request = httpx.Request("POST", self._url, headers=self._headers, content=body, extensions={"timeout": limits})
        response = await self._transport.handle_async_request(request)
        try:
            answer = await _read(response)
        finally:
            await response.aclose()
        readable = response.status_code >= 300 and "content-encoding" not in response.headers  # nothing is inflated
        detail = self._detail(answer) if readable else ""
        return judge(response.status_code, response.headers, detail)

    def _detail(self, answer: bytes) -> str:
        """Return the words of an error answer, cut, without the key that a proxy's error page may echo."""
        return _words(answer).replace(self._key, "***")[:MAX_DETAIL]

    async def aclose(self) -> None:
        await self._transport.aclose()


def _default_transport(settings: Settings) -> httpx.AsyncBaseTransport:
    return NoNetwork() if test_run.is_on() and not settings.is_local else make_transport(settings)


class NoNetwork(httpx.AsyncBaseTransport):
    """What a test run has instead of the network, for whatever waited in the spool before it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("this is a test run: only an intake on this machine is connected to")


async def _read(response: httpx.Response) -> bytes:
    answer = b""
    if isinstance(response.stream, httpx.AsyncByteStream):
        async for chunk in response.stream:
            answer += chunk
            if len(answer) > MAX_ANSWER:
                break
    return answer[:MAX_ANSWER]


def _words(answer: bytes) -> str:
    """Return Datadog's `errors[0].detail`, or the answer as it came."""
    try:
        error = json.loads(answer)["errors"][0]
        words = error.get("detail") or error.get("title") or "" if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        words = answer.decode("utf-8", "replace")
    return str(words)
