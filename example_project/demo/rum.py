"""The browser SDK's marks on a request, as its versions 6 and 7 write them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

IDLE_MS = 15 * 60 * 1000
HOUR_MS = 60 * 60 * 1000


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """What the SDK of one browser keeps in its cookie."""

    cookie: str
    """Name of the cookie."""

    value: str
    id: str
    linked: bool = True
    """Whether a server may claim the session: it is live, and RUM keeps it."""

    anonymous_id: str = field(default_factory=new_id)

    def baggage(self, **claims: str) -> dict[str, str]:
        """Return the headers that the SDK adds to `fetch`, where that is switched on; it never does so for a page."""
        entries = {"session.id": self.id, **{f"{key}.id": value for key, value in claims.items()}}
        return {
            "baggage": ",".join(f"{key}={value}" for key, value in entries.items()),
            "x-datadog-origin": "rum",
            "x-datadog-sampling-priority": "1",
        }


def live_v7() -> BrowserSession:
    now, session, anonymous = _now(), new_id(), new_id()
    value = f"aid={anonymous}&id={session}&created={now}&expire={now + IDLE_MS}&c=0"
    return BrowserSession(cookie="_dd_s_v2", value=value, id=session, anonymous_id=anonymous)


def expired_v7() -> BrowserSession:
    """The cookie lives for a year, the session in it 15 minutes: this browser was last here an hour ago."""
    now, session, anonymous = _now(), new_id(), new_id()
    value = f"aid={anonymous}&id={session}&created={now - 2 * HOUR_MS}&expire={now - HOUR_MS}&c=0"
    return BrowserSession(cookie="_dd_s_v2", value=value, id=session, linked=False, anonymous_id=anonymous)


def live_v6() -> BrowserSession:
    now, session, anonymous = _now(), new_id(), new_id()
    value = f"aid={anonymous}&rum=2&id={session}&created={now}&expire={now + IDLE_MS}"
    return BrowserSession(cookie="_dd_s", value=value, id=session, anonymous_id=anonymous)


def sampled_out_v6() -> BrowserSession:
    """RUM keeps nothing of this visit, though browser logs do: there is an id, and it must not be claimed."""
    now, session, anonymous = _now(), new_id(), new_id()
    value = f"aid={anonymous}&logs=1&id={session}&created={now}&expire={now + IDLE_MS}&rum=0"
    return BrowserSession(cookie="_dd_s", value=value, id=session, linked=False, anonymous_id=anonymous)


def _now() -> int:
    return time.time_ns() // 1_000_000
