"""Who answers a request to the emulator: the intakes, the page, agents, or a refusal."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dd_pa.emulator.http.access import Access
from dd_pa.emulator.http.answers import refusal
from dd_pa.emulator.http.guard import AGENTS, guarded, reason_to_refuse
from dd_pa.emulator.http.rum_target import is_open
from dd_pa.emulator.intake.endpoint import PATH

_NO_AGENTS = refusal(
    404, "agents are answered here on this machine only, by dd-pa emulator, with pip install 'dd-pa[emulator,mcp]'"
)


class RequestRouting:
    """An ASGI app over those that answer. The intakes are for everybody, the page for who has the `token`, if any.

    `reads` is the folder of an emulator that only reads, and takes no events.
    """

    def __init__(
        self,
        *,
        intake: ASGIApp,
        browser_intake: ASGIApp,
        page: ASGIApp,
        allowed_hosts: Collection[str],
        token: str | None,
        reads: Path | None,
    ) -> None:
        self._intake, self._browser_intake, self._page, self._reads = intake, browser_intake, page, reads
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._access = Access(token) if token else None
        self.agents: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await _decline(scope, receive, send)
            return
        unwelcome = reason_to_refuse(scope, self._allowed_hosts)
        if unwelcome:
            await refusal(403, unwelcome)(scope, receive, guarded(send))
        elif self._reads is not None and (scope["path"] == PATH or is_open(scope)):
            await refusal(403, f"this emulator only reads {self._reads}: it takes no events")(
                scope, receive, guarded(send)
            )
        elif scope["path"] == PATH and scope["method"] == "POST":
            await self._intake(scope, receive, send)
        elif is_open(scope):
            await self._browser_intake(scope, receive, send)
        else:
            await self._show(scope, receive, guarded(send))

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> None:
        instead = self._access.answer(scope) if self._access else None
        shown = self._page if scope["path"] != AGENTS else self.agents or _NO_AGENTS
        await (instead or shown)(scope, receive, send)


async def _decline(scope: Scope, receive: Receive, send: Send) -> None:
    """Take part in a lifespan; refuse everything else, web sockets included."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _nothing_here(request: Request, error: Exception) -> Response:
    return refusal(404, "there is nothing here")


def _wrong_method(request: Request, error: Exception) -> Response:
    response = refusal(405, f"{request.url.path} does not take {request.method}")
    response.headers.update(getattr(error, "headers", {}))
    return response


NOT_FOUND = {404: _nothing_here, 405: _wrong_method}
"""What is said of a page or method that is not there."""
