"""The routes of the emulator's own page, besides the stream."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dd_pa.emulator.http.answers import refusal, reply
from dd_pa.emulator.http.connection import read_within
from dd_pa.emulator.http.guard import API
from dd_pa.emulator.intake.faults import Faults
from dd_pa.emulator.live.selection import Filter, Selections, Wanted
from dd_pa.emulator.page.error_answers import explaining
from dd_pa.emulator.page.parameters import ParameterError, as_json, fault_of, filter_of, integer, wanted_of
from dd_pa.emulator.page.row_detail import detail_of
from dd_pa.emulator.plan.plans import Plans
from dd_pa.emulator.query.former_events import FormerEvents
from dd_pa.emulator.warehouse.database import WarehouseError
from dd_pa.emulator.warehouse.query_deadline import QueryTimeoutError
from dd_pa.emulator.warehouse.warehouse import State

MAX_PAGE = 5_000
MAX_BUCKETS = 10_000
MAX_FAULT_BODY = 64 * 1024
_QUARTER_HOUR_MS = 15 * 60 * 1000


class PageAPI:
    """Reads the history for the page. What may take long runs on worker threads, so that the intake never waits."""

    def __init__(
        self,
        boot: str,
        former: FormerEvents,
        selections: Selections,
        faults: Faults,
        clock: Callable[[], float],
        clear: Callable[[], None],
        store: Callable[[], State],
        plans: Plans,
    ) -> None:
        """`store` says how the events for queries are kept."""
        self._boot = boot
        self._history = former.history
        self._former = former
        self._selections = selections
        self._faults = faults
        self._clock = clock
        self._clear_all = clear
        self._store = store
        self._plans = plans

    def routes(self) -> list[Route]:
        """Return the routes, under their full paths."""
        return [
            Route(f"{API}/events", explaining(self._events), methods=["GET"]),
            Route(f"{API}/events/{{seq}}", self._event, methods=["GET"]),
            Route(f"{API}/histogram", explaining(self._histogram), methods=["GET"]),
            Route(f"{API}/status", self._status, methods=["GET"]),
            Route(f"{API}/clear", self._clear, methods=["POST"]),
            Route(f"{API}/faults", self._list_faults, methods=["GET"]),
            Route(f"{API}/faults", explaining(self._arm), methods=["POST"]),
            Route(f"{API}/faults", self._disarm, methods=["DELETE"]),
        ]

    async def _events(self, request: Request) -> Response:
        query = request.query_params
        limit = integer(query, "limit", 1, MAX_PAGE) or 200
        return await asyncio.to_thread(self._page, wanted_of(query), integer(query, "before"), limit)

    def _page(self, wanted: Wanted, before: int | None, limit: int) -> Response:
        counts, revision = self._history.counts(), self._plans.revision
        seqs = self._between(wanted.filter, wanted.moments)
        end = len(seqs) if before is None else bisect_left(seqs, before)
        page = seqs[max(0, end - limit) : end]
        return reply(
            {
                "boot": self._boot,
                "events": [self._plans.summary(row) for row in reversed(self._history.rows(page))],
                "total": len(seqs),
                "kept": counts.kept + (counts.browser if wanted.filter.source == "all" else 0),
                "seq": counts.seq,
                "received": counts.received,
                "rejected": counts.rejected,
                "oldest": counts.oldest,
                "plan": revision,
                "next": page[0] if end > limit else None,
            }
        )

    def _between(self, wanted: Filter, moments: tuple[int | None, int | None]) -> Sequence[int]:
        seqs = self._selections.find(wanted)
        if moments == (None, None):
            return seqs
        spans = self._history.spans(*moments)
        found = [seqs[bisect_left(seqs, span.start) : bisect_left(seqs, span.stop)] for span in spans]
        return found[0] if len(found) == 1 else [seq for part in found for seq in part]

    async def _event(self, request: Request) -> Response:
        text = request.path_params["seq"]
        seq = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else 0
        return await asyncio.to_thread(self._detail, seq)

    def _detail(self, seq: int) -> Response:
        last = self._history.seq
        found = self._history.rows([seq])
        if not found:
            return refusal(404, "no longer kept" if 0 < seq <= last else "never seen")
        twins = self._history.after(0) if found[0].event_id else []
        same = [row.seq for row in twins if row.event_id == found[0].event_id and row.seq != seq]
        return reply(detail_of(found[0], same, self._plans.verdict(found[0])))

    async def _histogram(self, request: Request) -> Response:
        query = request.query_params
        now = int(self._clock() * 1000)
        end = integer(query, "to")
        end = now + 1 if end is None else end
        start = integer(query, "from")
        start = max(0, end - _QUARTER_HOUR_MS) if start is None else start
        bucket = integer(query, "bucket", 1) or 5_000
        if not 0 <= end - start <= bucket * MAX_BUCKETS:
            raise ParameterError(f"from must be before to, with at most {MAX_BUCKETS:,} buckets between them")
        return await asyncio.to_thread(self._counted, filter_of(query), start, end, bucket)

    def _counted(self, wanted: Filter, start: int, end: int, bucket: int) -> Response:
        rows = self._history.rows(self._between(wanted, (start, end)))
        counts = Counter((row.received_ms // bucket * bucket, row.accepted) for row in rows)
        # Without the warehouse the list says why it ends; the chart is of what is in memory.
        with suppress(WarehouseError, QueryTimeoutError):
            for moment, count in self._former.counts(Wanted(wanted, (start, end)), bucket):
                counts[moment, True] += count
        moments = sorted({moment for moment, _ in counts})
        buckets = [[moment, counts[moment, True], counts[moment, False]] for moment in moments]
        return reply({"bucket": bucket, "from": start, "to": end, "buckets": buckets})

    async def _status(self, request: Request) -> Response:
        counts = self._history.counts()
        numbers = {name: getattr(counts, name) for name in ("received", "accepted", "rejected", "kept")}
        faults = [as_json(fault) for fault in self._faults.armed()]
        about = {"boot": self._boot, "version": version("dd-pa"), "store": self._store()._asdict()}
        return reply({**about, **numbers, "faults": faults})

    async def _clear(self, request: Request) -> Response:
        await asyncio.to_thread(self._clear_all)
        return Response(status_code=204)

    async def _list_faults(self, request: Request) -> Response:
        return reply({"faults": [as_json(fault) for fault in self._faults.armed()]})

    async def _arm(self, request: Request) -> Response:
        body = await read_within(request, MAX_FAULT_BODY)
        if body is None:
            return refusal(413, "a fault needs less text than that")
        try:
            self._faults.arm(fault_of(body))
        except ValueError as error:
            raise ParameterError(str(error)) from None
        return reply({"faults": [as_json(fault) for fault in self._faults.armed()]}, 201)

    async def _disarm(self, request: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)
