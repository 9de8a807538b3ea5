from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from dd_pa.capture.event import Event
from dd_pa.delivery.intake import Intake
from dd_pa.delivery.outcome import Outcome
from dd_pa.delivery.transport import make_transport
from dd_pa.settings import Settings

_NO_EVENT = Event(id="", name="", occurred_at=0, body=b"{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the intake said to something that is no event."""

    outcome: Outcome
    """What it would mean for an event; `RETRY` or `LOST` when there was no answer."""

    seconds: float
    """How long it took, the connection included."""

    skew: float | None
    """Seconds by which this machine's clock is ahead of the intake's; None if it tells no time."""


def probe(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> Answer:
    """Ask the intake whether it can be reached and takes the key. Blocks for at most twice `TIMEOUT`.

    An empty object is no event: an intake that looks at the key first refuses it only after that.
    """
    return asyncio.run(_ask(settings, transport))


async def _ask(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> Answer:
    noting = _Noting(transport or make_transport(settings))
    intake = Intake(settings, noting)
    started = time.monotonic()
    try:
        outcome = await intake.send(_NO_EVENT, _NO_EVENT.body)
    finally:
        await intake.aclose()
    return Answer(outcome=outcome, seconds=time.monotonic() - started, skew=_skew(noting.date))


class _Noting(httpx.AsyncBaseTransport):
    """Remembers what time it is where the answer came from."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.date: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        self.date = response.headers.get("date")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def _skew(date: str | None) -> float | None:
    if date is None:
        return None
    with contextlib.suppress(ValueError, TypeError):
        return time.time() - parsedate_to_datetime(date).timestamp()
    return None
