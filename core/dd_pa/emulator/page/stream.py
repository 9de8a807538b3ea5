"""Rows as they come, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dd_pa.emulator.http.answers import encoded, refusal
from dd_pa.emulator.live.history import History
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.live.selection import RowCheck
from dd_pa.emulator.page.parameters import filter_of, integer
from dd_pa.emulator.plan.plans import Plans

MAX_LISTENERS = 250
_PERIOD = 0.1
_PERIODS_BETWEEN_STATS = 10
_ROWS_PER_MESSAGE = 2_000


class Streams:
    """Serves the live stream.

    A listener has no queue: it reads the history on from the last row it was sent. A slow one therefore costs nothing
    and misses only what the history forgot.
    """

    def __init__(
        self,
        boot: str,
        history: History,
        stopped: Callable[[], bool],
        noted: Callable[[], dict[str, object]],
        plans: Plans,
    ) -> None:
        """`noted` says what else the page has to know: why events cannot be written for queries, reported drops."""
        self._boot = boot
        self._history = history
        self._stopped = stopped
        self._noted = noted
        self._plans = plans
        self._listeners = 0

    async def __call__(self, request: Request) -> Response:
        """Answer with a stream that ends when the client leaves or the emulator stops."""
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self._listeners >= MAX_LISTENERS:
            return refusal(503, f"{MAX_LISTENERS} streams are open already")
        test = filter_of(request.query_params).test()
        messages = self._messages(test, self._start(request))
        return StreamingResponse(messages, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    def _start(self, request: Request) -> int:
        """Return the row after which the stream begins: the last one the client has seen, else the newest."""
        newest = self._history.seq
        last_id = request.headers.get("last-event-id", "")
        seen = int(last_id) if last_id.isascii() and last_id.isdigit() and len(last_id) <= 16 else None
        after = integer(request.query_params, "after") if seen is None else seen
        # A larger number is one of an emulator that ran before: the page compares boot ids and starts afresh.
        return newest if after is None or after > newest else after

    async def _messages(self, test: RowCheck | None, seq: int) -> AsyncIterator[bytes]:
        self._listeners += 1
        try:
            yield _message("hello", {"boot": self._boot, **self._stats()})
            period = 0
            while not self._stopped():
                rows = self._history.after(seq, _ROWS_PER_MESSAGE)
                if rows:
                    seq = rows[-1].seq
                    message = await self._rows_message(rows, test)
                    if message:
                        yield message
                period += 1
                if period % _PERIODS_BETWEEN_STATS == 0:
                    yield _message("stats", self._stats())
                await asyncio.sleep(_PERIOD)
        finally:
            self._listeners -= 1

    async def _rows_message(self, rows: list[Row], test: RowCheck | None) -> bytes | None:
        found = rows if test is None else await asyncio.to_thread(lambda: [row for row in rows if test(row)])
        return _message("events", [self._plans.summary(row) for row in found], found[-1].seq) if found else None

    def _stats(self) -> dict[str, object]:
        counts = self._history.counts()
        numbers = {name: getattr(counts, name) for name in ("seq", "received", "rejected", "kept", "rate")}
        return {**numbers, **self._noted()}


def _message(event: str, data: object, seq: int | None = None) -> bytes:
    identity = b"" if seq is None else b"id: %d\n" % seq
    return b"event: %s\n%sdata: %s\n\n" % (event.encode(), identity, encoded(data))
