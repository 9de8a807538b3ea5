from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import cast

from dd_pa.capture.event import BuiltEvent
from dd_pa.network.httpx_library import httpx, library_of
from dd_pa.network.httpx_transport import SeparateConnections
from dd_pa.network.intake_protocol import MAX_ANSWER, Heard, IntakeProtocol
from dd_pa.network.outcome import Outcome, Verdict, may_be_page
from dd_pa.settings.settings import Settings

HTTP1_CONNECTIONS = 32
"""Over HTTP/1.1 each request in flight needs a connection; more of them cost more than they bring."""


class HttpxOutlet:
    """Posts events over a transport of httpx: HTTP/1.1, a proxy, an application in this process.

    It calls the transport and not httpx's client, which costs a third less per event, and never follows redirects: the
    key would go to another host.
    """

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport, heard: Heard | None = None) -> None:
        self._intake, self._transport, self._heard = IntakeProtocol(settings), transport, heard
        self._library = library_of(transport)
        shares = not isinstance(self._transport, SeparateConnections)
        self.width = settings.concurrency if shares else min(settings.concurrency, HTTP1_CONNECTIONS)
        self._timeout = settings.timeout
        self._headers = [("Host", self._intake.authority), *self._intake.fields]

    async def send(self, event: BuiltEvent, body: bytes) -> Outcome:
        library = self._library
        try:
            async with asyncio.timeout(2 * self._timeout):
                return await self._post(body)
        except (library.TimeoutException, library.ConnectError, library.ProxyError, TimeoutError) as error:
            return Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)
        except library.TransportError as error:
            return Outcome(verdict=Verdict.LOST, reason=type(error).__name__)

    async def _post(self, body: bytes) -> Outcome:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        request = self._library.Request(
            "POST", self._intake.url.geturl(), headers=self._headers, content=body, extensions={"timeout": limits}
        )
        response = await self._transport.handle_async_request(request)
        says_all = response.status_code < 300 and not may_be_page(response.headers)
        try:
            async with asyncio.timeout(self._timeout):
                content = await _read(response)
        except (self._library.TransportError, TimeoutError):
            if not says_all:  # of a success, the rest is of no use: the event was taken
                raise
            content = b""
        finally:
            await response.aclose()
        if self._heard:
            self._heard(response.headers)
        return self._intake.judge(response.status_code, response.headers, content)

    async def aclose(self) -> None:
        await self._transport.aclose()


async def _read(response: httpx.Response) -> bytes:
    content = b""
    if hasattr(response.stream, "__aiter__"):  # of what class it is, a transport decides
        async for chunk in cast("AsyncIterable[bytes]", response.stream):
            content += chunk
            if len(content) > MAX_ANSWER:
                break
    return content[:MAX_ANSWER]
