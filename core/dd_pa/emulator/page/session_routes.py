"""The page's routes of sessions: the list, one timeline, and what changes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dd_pa.emulator.http.answers import encoded, refusal, reply
from dd_pa.emulator.http.guard import API
from dd_pa.emulator.live.label import SERVER, Json
from dd_pa.emulator.page.error_answers import explaining
from dd_pa.emulator.page.parameters import ParameterError, integer
from dd_pa.emulator.plan.plans import Plans
from dd_pa.emulator.search.search import compile_search
from dd_pa.emulator.sessions.store import Sessions

MAX_PAGE = 500
MAX_LISTENERS = 250
_PERIOD = 0.1
_PERIODS_BETWEEN_SIGNS = 100
_CURSOR = re.compile(r"([0-9]{1,16}):(.{1,1000})", re.DOTALL)


class SessionRoutes:
    """Reads the sessions for the page. What may take long runs on worker threads."""

    def __init__(self, boot: str, sessions: Sessions, stopped: Callable[[], bool], plans: Plans) -> None:
        self._boot = boot
        self._sessions = sessions
        self._stopped = stopped
        self._plans = plans
        self._listeners = 0

    def routes(self) -> list[Route]:
        """Return the routes, under their full paths."""
        return [
            Route(f"{API}/sessions", explaining(self._list), methods=["GET"]),
            Route(f"{API}/sessions/{{id:path}}", self._detail, methods=["GET"]),
            Route(f"{API}/changes", explaining(self._changes), methods=["GET"]),
        ]

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        limit = integer(query, "limit", 1, MAX_PAGE) or 50
        search, before = compile_search(query.get("q", "")), _cursor(query.get("before", ""))
        page = await asyncio.to_thread(self._sessions.find, search, before, limit)
        return reply(
            {
                "boot": self._boot,
                "change": page.change,
                "sessions": page.heads,
                "total": page.total,
                "complete": page.is_whole,
                "next": page.following,
            }
        )

    async def _detail(self, request: Request) -> Response:
        found = await asyncio.to_thread(self._judged, request.path_params["id"])
        return refusal(404, "no event of this session is kept") if found is None else reply(found)

    def _judged(self, session_id: str) -> Json | None:
        found = self._sessions.detail(session_id)
        for event in found["events"] if found is not None else ():
            verdict = self._plans.of(event["body"]) if event["kind"] == SERVER else None
            event["off_plan"] = None if verdict is None else verdict.as_json()
        return found

    async def _changes(self, request: Request) -> Response:
        """Answer with a stream that says which sessions changed; it ends when the client leaves."""
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self._listeners >= MAX_LISTENERS:
            return refusal(503, f"{MAX_LISTENERS} streams are open already")
        newest = self._sessions.change
        after = integer(request.query_params, "after")
        # A larger number is one of an emulator that ran before: the page compares boot ids and starts afresh.
        messages = self._messages(newest if after is None or after > newest else after)
        return StreamingResponse(messages, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _messages(self, after: int) -> AsyncIterator[bytes]:
        self._listeners += 1
        try:
            yield _message("hello", {"boot": self._boot, "change": self._sessions.change})
            period = 0
            while not self._stopped():
                if self._sessions.change > after:
                    after, ids = self._sessions.changed_after(after)
                    yield _message("sessions", {"change": after, "ids": ids})
                period += 1
                if period % _PERIODS_BETWEEN_SIGNS == 0:
                    # Only a write shows that the client has gone.
                    yield b": still here\n\n"
                await asyncio.sleep(_PERIOD)
        finally:
            self._listeners -= 1


def _cursor(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise ParameterError("before must be what next said")
    return int(found[1]), found[2]


def _message(event: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), encoded(data))
