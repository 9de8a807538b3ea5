"""Hostile headers: each kind of cookie and baggage in each surrounding gives the same session, behind WSGI and ASGI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dd_pa.capture.rum_session import rum_session_from_environ, rum_session_from_scope
from tests.core.rum_samples import AID, DEAD_SAMPLES, LIVE, LIVE_SAMPLES, NOW, V2_A, A, B

COMMAS = [
    pytest.param(f"_dd_s_v2=id={A}&x=1,2&{LIVE}", A, id="comma-before-the-dates"),
    pytest.param(f"_dd_s_v2=x=1,&id={A}&{LIVE}", A, id="comma-at-the-end-of-an-entry"),
    pytest.param(f"_dd_s_v2=,&id={A}&{LIVE}", A, id="comma-as-an-entry"),
    pytest.param(f"_dd_s_v2=x=a,b,c&y=1, 2&id={A}&{LIVE}", A, id="many-commas"),
    pytest.param(f"_dd_s_v2=id={A}&{LIVE}&x=1,2&isExpired=1", None, id="comma-before-the-end-of-a-session"),
    pytest.param(f"_dd_s_v2=id={A}&{LIVE}&x=1,&isExpired=1", None, id="empty-before-the-end-of-a-session"),
    pytest.param(f"_dd_s_v2=id={B},&id={A}&{LIVE}", A, id="comma-behind-another-id"),
    pytest.param(f"_dd_s_v2=id={B}&{LIVE}&x=1,2&id={A}", A, id="comma-before-the-last-id"),
    pytest.param(f"_dd_s_v2=id={A},{B}&{LIVE}", None, id="two-ids-in-one-entry"),
    pytest.param(f"_dd_s=x=1,2&rum=2&id={A}&{LIVE}", A, id="older-cookie"),
    pytest.param(f"list=1,2,3; {V2_A}", A, id="list-in-a-neighbour"),
    pytest.param(f'j={{"a":1,"b":[2,3]}}; {V2_A}', A, id="json-in-a-neighbour"),
    pytest.param(f"d=Fri, 27 Nov 2026 03:00:00 GMT; {V2_A}", A, id="date-in-a-neighbour"),
    pytest.param(f"{V2_A}; d=Fri, 27 Nov 2026 03:00:00 GMT", A, id="date-in-a-neighbour-behind"),
    pytest.param(f"list=1,&{V2_A}", None, id="in-the-value-of-a-neighbour"),
]

KINDS = [
    *(pytest.param(each.values[0], each.values[1].id, id=f"live-{each.id}") for each in LIVE_SAMPLES),  # type: ignore[union-attr]
    *(pytest.param(each.values[0], None, id=f"dead-{each.id}") for each in DEAD_SAMPLES),
    *COMMAS,
]

SURROUNDINGS: dict[str, Callable[[str], str]] = {
    "alone": lambda cookie: cookie,
    "first": lambda cookie: f"{cookie}; csrftoken=x; theme=dark",
    "last": lambda cookie: f"csrftoken=x;theme=dark;{cookie}",
    "beside lists": lambda cookie: f"cart=1,2,3; {cookie}; seen=4,5",
    "beside quotes": lambda cookie: f'q="a,b;{cookie}; r="c"',
    "beside the dead": lambda cookie: f"_dd_s_v2=isExpired=1&aid={AID}; {cookie}; _dd_s=isExpired=1",
}


@pytest.mark.parametrize(("cookie", "expected"), KINDS)
def test_cookie_in_every_surrounding(cookie: str, expected: str | None) -> None:
    """What is around a cookie neither hides it nor brings it to life, and no gateway reads it differently."""
    found = {}
    for name, around in SURROUNDINGS.items():
        header = around(cookie)
        behind_asgi = [(b"cookie", header.encode("latin-1", errors="replace"))]
        found[name, "wsgi"] = rum_session_from_environ({"HTTP_COOKIE": header}, now=NOW)
        found[name, "asgi"] = rum_session_from_scope(behind_asgi, now=NOW)

    assert {where: session and session.id for where, session in found.items()} == dict.fromkeys(found, expected)


def test_the_number_of_headers() -> None:
    """At least as many as were once tried by hand."""
    assert len(KINDS) * len(SURROUNDINGS) >= 219


@pytest.mark.parametrize("joint", [",", ", ", ";", "; "])
@pytest.mark.parametrize("neighbour", ["a=1; b=2", "flag", "list=1,2", "a = 1", "utm=x=1&y=2", "__Host-a=1"])
def test_fields_that_a_server_has_joined(joint: str, neighbour: str) -> None:
    """Of two Cookie fields WSGI servers make one: the SDK's is found in either place, whatever the other is."""
    for header in (joint.join([neighbour, V2_A]), joint.join([V2_A, neighbour])):
        session = rum_session_from_environ({"HTTP_COOKIE": header}, now=NOW)
        assert session is not None
        assert session.id == A


def test_what_a_comma_cannot_tell() -> None:
    """Behind WSGI a neighbour's value that reads as a field of its own is one: nobody can tell any more."""
    header = f"list=1,{V2_A}"
    behind_wsgi: Any = rum_session_from_environ({"HTTP_COOKIE": header}, now=NOW)

    assert (behind_wsgi.id, rum_session_from_scope([(b"cookie", header.encode())], now=NOW)) == (A, None)


def test_commas_at_the_limit() -> None:
    """What is cut off at the limit is not read in part, with commas neither."""
    state = f"_dd_s_v2=id={A}&{LIVE}&x=1,2"
    cookie = "f=" + "x" * (16 * 1024 - len(state) - 3) + ";" + state

    for tail, expected in (("", A), ("&isExpired=1", None), (f"&{'x' * 9}", None)):
        found = rum_session_from_environ({"HTTP_COOKIE": cookie + tail}, now=NOW)
        assert (found and found.id) == expected
