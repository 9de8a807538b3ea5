"""What a browser with a live RUM session sends."""

from __future__ import annotations

import time

SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
OTHER_SESSION = "ebfcb2f1-5c11-4bd0-a6d3-0c1c35ad9f02"


def cookie(session_id: str = SESSION) -> str:
    """Return a cookie as version 7 of the SDK writes it, begun a minute ago."""
    now = int(time.time() * 1000)
    return f"_dd_s_v2=id={session_id}&created={now - 60_000}&expire={now + 840_000}&c=0"


def baggage(session_id: str = SESSION) -> str:
    """Return the header of a traced request, with ids that only the browser claims."""
    return f"session.id={session_id},user.id=admin,account.id=admins"
