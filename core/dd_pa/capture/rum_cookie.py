"""
The browser SDK's session cookies, read from the raw ``Cookie`` header by the SDK's own grammar.

The SDK writes ``_dd_s_v2`` since its version 7 and wrote ``_dd_s`` before; after an upgrade both arrive. The raw header
is needed because cookie parsers give up on a malformed neighbour or keep one copy of a name that occurs twice. What
the grammar does not allow is passed over, as in the SDK: nothing is unquoted, decoded or lower-cased.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

CookieName = Literal["_dd_s_v2", "_dd_s"]
State = dict[str, str]

SESSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SESSION_LASTS = 4 * 3600
"""Seconds after which Datadog ends a session; of an id that was read before, nothing claims it any longer than that."""

MAX_DIGITS = 100

MAX_HEADER_LENGTH = 16 * 1024
READ_LENGTH = MAX_HEADER_LENGTH + 1  # one more, to see whether the limit falls behind a whole cookie

_ENTRY = re.compile(r"&(id|aid|created|expire|isExpired|rum|c)=([a-z0-9-]++)(?![^&])")
_BLANKS = " \t"
_KNUTH_FACTOR = 1111111111111111111
_JOINT = re.compile(r",(?=[ \t]*+[!#$%'*+\-.^_`|~0-9A-Za-z]++[ \t]*+=)")  # a token, without `&`


def cookie_of_environ(environ: Mapping[str, Any]) -> str:
    """Return the cookies of a WSGI request. Servers join repeated fields with a comma, which a value may hold as well.

    It ends a cookie where what follows reads as another one: a name, but no list of pairs as the SDK writes it.
    """
    cookie: str = environ.get("HTTP_COOKIE", "")
    return _JOINT.sub(";", cookie[:READ_LENGTH]) if "," in cookie else cookie


def live_state(
    header: str, *, now_ms: float, sample_rate: float, cookie_options: str | None
) -> tuple[CookieName, State] | None:
    """
    Find the session that RUM tracks at ``now_ms`` (epoch milliseconds), as the cookie's name and its entries.

    The older cookie counts only when no copy of the newer one is live and tracked. Of several such copies the one whose
    ``c`` equals ``cookie_options`` wins, else the one that expires last.
    """
    if "_dd_s" not in header:
        return None

    newer, older = _copies(header)
    live = [state for state in newer if _is_live(state, now_ms) and _is_tracked(state, sample_rate)]
    if live:
        return "_dd_s_v2", _preferred(live, cookie_options)

    live = [state for state in older if _is_live(state, now_ms) and state.get("rum") in ("1", "2")]
    if live:
        return "_dd_s", _preferred(live, cookie_options)
    return None


def anonymous_id(header: str, *, cookie_options: str | None) -> str | None:
    """
    Find the SDK's id of the visitor, which outlives his sessions.

    Of several copies of a cookie the one whose ``c`` equals ``cookie_options`` wins, else the one that expires last.
    """
    if "aid=" not in header:
        return None

    for states in _copies(header):
        known = [state for state in states if SESSION_ID.fullmatch(state.get("aid", ""))]
        if known:
            return max(known, key=lambda state: (_has_options(state, cookie_options), _expires(state)))["aid"]
    return None


def is_sampled(session_id: str, sample_rate: float) -> bool:
    """
    Tell whether version 7 of the SDK tracks this session at ``sample_rate`` percent.

    The SDK compares in double precision. So does this: exact arithmetic would differ from the browser at the threshold.
    """
    if sample_rate >= 100:
        return True

    hashed = int(session_id[-12:], 16) * _KNUTH_FACTOR % 2**64
    return sample_rate > 0 and float(hashed) <= sample_rate / 100 * 2.0**64


def _copies(header: str) -> tuple[list[State], list[State]]:
    newer: list[State] = []
    older: list[State] = []
    copies = {"_dd_s_v2": newer, "_dd_s": older}
    for cookie in header.split(";"):
        if "_dd_s" in cookie:
            name, _, value = cookie.partition("=")
            named = copies.get(name.strip(_BLANKS))
            if named is not None:
                named.append(dict(_ENTRY.findall("&" + value.strip(_BLANKS))))
    return newer, older


def _is_live(state: State, now_ms: float) -> bool:
    # The value of isExpired does not matter to the SDK: isExpired=0 is expired too.
    if "isExpired" in state or not SESSION_ID.fullmatch(state.get("id", "")):
        return False

    return now_ms < _date(state.get("expire")) and now_ms < _date(state.get("created")) + SESSION_LASTS * 1000


def _is_tracked(state: State, sample_rate: float) -> bool:
    # A state taken over from version 6 keeps its rum= entry, which may be stale: the id alone decides.
    return "expire" in state and "created" in state and is_sampled(state["id"], sample_rate)


def _date(milliseconds: str | None) -> float:
    """Read a date; one that is not written never comes, one that cannot be read has always been."""
    if milliseconds is None:
        return math.inf
    if len(milliseconds) > MAX_DIGITS or not milliseconds.isdigit():
        return -math.inf
    return int(milliseconds)


def _preferred(live: list[State], cookie_options: str | None) -> State:
    if len(live) == 1:
        return live[0]

    return max(
        live,
        key=lambda state: (
            _has_options(state, cookie_options),
            int(state.get("expire", "0")),
        ),
    )


def _has_options(state: State, cookie_options: str | None) -> bool:
    return cookie_options is not None and state.get("c") == cookie_options


def _expires(state: State) -> float:
    """Return when a state ends; what has ended already says no date any more."""
    return -math.inf if "isExpired" in state else _date(state.get("expire", ""))
