from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from dd_pa.delivery.event_age import QUESTION
from dd_pa.delivery.outlet_factory import open_intake
from dd_pa.network.http2_outlet import Http2Outlet
from dd_pa.network.httpx_transport import Transport
from dd_pa.network.outcome import Outcome
from dd_pa.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What the intake said to something that is no event."""

    outcome: Outcome
    """What it would mean for an event; `RETRY` or `LOST` when there was no answer."""

    seconds: float
    """How long it took, the connection included."""

    skew: float | None
    """Seconds by which this machine's clock is ahead of the intake's; None if it tells no time."""

    protocol: str | None
    """What our own client came to speak; None if httpx was used."""


def probe(settings: Settings, transport: Transport | None = None) -> ProbeAnswer:
    """Ask the intake whether it can be reached and takes the key. Blocks for at most three times `TIMEOUT`.

    An empty object is no event: an intake that looks at the key first refuses it only after that.
    """
    return asyncio.run(_ask(settings, transport))


async def _ask(settings: Settings, transport: Transport | None) -> ProbeAnswer:
    fields: dict[str, str] = {}
    outlet = open_intake(settings, transport, fields.update)
    started = time.monotonic()
    try:
        outcome = await outlet.send(QUESTION, QUESTION.body)
    finally:
        await outlet.aclose()
    protocol = outlet.protocol if isinstance(outlet, Http2Outlet) else None
    seconds, skew = time.monotonic() - started, _skew(fields.get("date"))
    return ProbeAnswer(outcome=outcome, seconds=seconds, skew=skew, protocol=protocol)


def _skew(date: str | None) -> float | None:
    if date is None:
        return None
    with contextlib.suppress(ValueError, TypeError):
        return time.time() - parsedate_to_datetime(date).timestamp()
    return None
