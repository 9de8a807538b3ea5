"""Events that a program dropped before it sent them, as it reports them itself: by reason and name, no attributes."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dd_pa.emulator.http.answers import refusal, reply
from dd_pa.emulator.http.guard import API
from dd_pa.emulator.page.error_answers import explaining
from dd_pa.emulator.page.parameters import ParameterError

MOST_KEPT = 500
"""Pairs of reason and name that are kept, those that were seen last."""

MAX_BODY = 256 * 1024
_MOST_COUNT = 2**53
_LONGEST = 200

MEANING = {
    "unlinked": (
        "There is nobody it belongs to: no user is signed in, none was named, and the page has no browser session.",
        'Sign in, name somebody (track(…, usr="u-1")), or load the browser SDK in the page.',
    ),
    "invalid": (
        "It cannot be sent as it was given.",
        "The program's log says what is wrong; with STRICT it is raised where the event is tracked.",
    ),
    "consent": (
        "CONSENT, Sec-GPC or identify(consent=False) said no, or CONSENT failed.",
        "Agree, as a visitor would.",
    ),
    "sampled": ("SAMPLE_RATES leaves this person's events of this name out.", "Leave SAMPLE_RATES out in development."),
    "before_send": ("BEFORE_SEND dropped it or failed.", "Look at what BEFORE_SEND returns; with STRICT it raises."),
}
_OTHER = ("It was dropped after it had been built.", "The program's stats() and its log say more.")


class Drops:
    """Counts what was reported; any thread may ask."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        self.total = 0
        """Drops that were reported since the start, or since all was cleared."""

    def add(self, reason: str, name: str, count: int) -> None:
        """Count drops of one reason and name."""
        with self._lock:
            before, _ = self._seen.pop((reason, name), (0, 0))
            self._seen[reason, name] = before + count, int(self._clock() * 1000)
            self.total += count
            if len(self._seen) > MOST_KEPT:
                self._seen.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._seen.clear()
            self.total = 0

    def listed(self) -> list[dict[str, object]]:
        """Return what was reported, the latest first, each with what it means and what to do."""
        with self._lock:
            seen = list(self._seen.items())
        return [
            {"reason": reason, "name": name, "count": count, "last_ms": last, "meaning": meaning, "fix": fix}
            for (reason, name), (count, last) in reversed(seen)
            for meaning, fix in [MEANING.get(reason, _OTHER)]
        ]

    def routes(self) -> list[Route]:
        """Return the routes, under their full paths."""
        path = f"{API}/drops"
        return [Route(path, self._list, methods=["GET"]), Route(path, explaining(self._take), methods=["POST"])]

    async def _list(self, request: Request) -> Response:
        return reply({"total": self.total, "drops": self.listed()})

    async def _take(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return refusal(413, "a report of drops needs less text than that")
        for reason, name, count in _read(body):
            self.add(reason, name, count)
        return reply({"total": self.total})


def _read(body: bytes) -> list[tuple[str, str, int]]:
    try:
        report: Any = json.loads(body)
        return [(_text(drop, "reason"), _text(drop, "name"), _count(drop["count"])) for drop in report["drops"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ParameterError('a report is {"drops": [{"reason": …, "name": …, "count": …}]}') from None


def _text(drop: Any, member: str) -> str:
    if not isinstance(drop[member], str) or len(drop[member]) > _LONGEST:
        raise ValueError(member)
    return str(drop[member])


def _count(count: object) -> int:
    if type(count) is not int or not 0 < count < _MOST_COUNT:
        raise ValueError("count")
    return count
