"""What an answer of the intake means for the event and for the delivery."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

MAX_WAIT = 900.0
"""Longest wait in seconds that an intake can ask for; more is taken for a mistake or an attack."""


class Verdict(enum.Enum):
    """What to do with an event after an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """The intake cannot take it now: try later, and go easy on the intake."""

    LIMIT = "limit"
    """The intake wants less from everybody for a while: send nothing for as long as it asks."""

    LOST = "lost"
    """The connection ended under the request, as HTTP/2 servers do after some 1,000: try again on another one."""

    PAUSE = "pause"
    """The key, the address or the way to it is wrong: keep everything and try again slowly."""

    REJECT = "reject"
    """This event will never be taken; the others may."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one attempt to deliver one event."""

    verdict: Verdict
    reason: str = ""
    """Short and safe to log: `503`, `ConnectTimeout`."""

    detail: str = ""
    """The intake's own words, cut; they may echo the event, so they are never logged."""

    wait: float | None = None
    """Seconds that the intake asks to wait for."""


DELIVERED = Outcome(verdict=Verdict.DELIVERED)


ABOUT_THE_WAY = frozenset({401, 402, 403, 404, 405, 406, 407, 410, 421, 423, 425, 426, 451})
"""What an intake answers to any event: the key, the address, a proxy or the connection is not right."""


def may_be_page(fields: Mapping[str, str]) -> bool:
    """Tell whether an answer may be a page of a site or proxy, which answers 200 to whatever is posted: its body tells.

    `fields` are looked up in lower case.
    """
    return "html" in fields.get("content-type", "")


def judge(status: int, headers: Mapping[str, str], detail: str = "") -> Outcome:
    """Return what an HTTP status means. `headers` are looked up in lower case."""
    if 200 <= status < 300:
        return DELIVERED
    return Outcome(verdict=_verdict(status), reason=str(status), detail=detail, wait=asked_wait(headers))


def _verdict(status: int) -> Verdict:
    if status == 429:
        return Verdict.LIMIT
    if status == 408 or status >= 500:
        return Verdict.RETRY
    if status in ABOUT_THE_WAY or 300 <= status < 400:
        return Verdict.PAUSE
    return Verdict.REJECT


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `X-RateLimit-Reset` (Datadog: until the reset) or `Retry-After`, between 0 and MAX_WAIT."""
    for value in (headers.get("x-ratelimit-reset"), headers.get("retry-after")):
        wait = _seconds(value, headers.get("date")) if value else None
        if wait is not None:
            return min(max(wait, 0.0), MAX_WAIT)
    return None


def _seconds(value: str, answered: str | None) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, answered)
    return None if math.isnan(seconds) else seconds


def _seconds_until(value: str, answered: str | None) -> float | None:
    """Return the seconds from the date of the answer, as our own clock may be wrong, to another date."""
    until, now = _moment(value), _moment(answered) if answered else None
    return None if until is None else (until - (now or datetime.now(UTC))).total_seconds()


def _moment(date: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - see delivery.warmup

    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # the second of a zone with a hundred digits
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
