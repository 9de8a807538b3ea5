"""Routes of the events that the list no longer holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dd_pa.emulator.http.answers import refusal, reply
from dd_pa.emulator.http.guard import API
from dd_pa.emulator.live.selection import Wanted
from dd_pa.emulator.page.error_answers import explaining
from dd_pa.emulator.page.parameters import integer, wanted_of
from dd_pa.emulator.page.row_detail import detail_of
from dd_pa.emulator.plan.plans import Plans
from dd_pa.emulator.query.former_events import ALWAYS, FormerEvents

MAX_PAGE = 5_000


class FormerEventRoutes:
    """Tells the page of them."""

    def __init__(self, older: FormerEvents, plans: Plans) -> None:
        self._older, self._plans = older, plans

    def routes(self) -> list[Route]:
        """Return the routes, under their full paths."""
        return [
            Route(f"{API}/older", explaining(self._page), methods=["GET"]),
            Route(f"{API}/older/{{number:int}}", explaining(self._event), methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        query = request.query_params
        wanted, limit = wanted_of(query), integer(query, "limit", 1, MAX_PAGE) or 200
        before = integer(query, "before", 1)
        reading = asyncio.to_thread(self._read, wanted, before or ALWAYS, limit)
        if before is not None:
            return reply(await reading)
        found, total = await asyncio.gather(reading, asyncio.to_thread(self._older.count, wanted))
        return reply({**found, "total": total})

    def _read(self, wanted: Wanted, before: int, limit: int) -> Mapping[str, object]:
        rows, following = self._older.page(wanted, before, limit)
        return {"events": [self._plans.summary(row) for row in rows], "next": following}

    async def _event(self, request: Request) -> Response:
        row = await asyncio.to_thread(self._older.row, request.path_params["number"])
        return refusal(404, "no longer kept") if row is None else reply(detail_of(row, [], self._plans.verdict(row)))
