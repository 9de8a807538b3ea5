from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from dd_pa.capture.rum_cookie import MAX_HEADER_LENGTH
from dd_pa.capture.rum_session import (
    RumSession,
    read_rum_session,
    rum_session_from_environ,
    rum_session_from_scope,
)
from tests.core.rum_samples import (
    BAGGAGE_A,
    DEAD_SAMPLES,
    LIVE,
    LIVE_SAMPLES,
    NOW,
    V2_A,
    V6,
    V6_ID,
    A,
    B,
    read_asgi,
    read_wsgi,
)

Reader = Callable[..., RumSession | None]


@pytest.fixture(params=[pytest.param(read_wsgi, id="wsgi"), pytest.param(read_asgi, id="asgi")])
def read(request: pytest.FixtureRequest) -> Reader:
    """Both ways in, for one cookie and one baggage field."""
    reader: Reader = request.param
    return reader


@pytest.mark.parametrize(("cookie", "expected"), LIVE_SAMPLES)
def test_live_cookie_names_the_session(read: Reader, cookie: str, expected: RumSession) -> None:
    """Every form in which an SDK writes a live session is read, whatever stands around it."""
    assert expected == read(cookie)


@pytest.mark.parametrize("cookie", DEAD_SAMPLES)
def test_dead_or_malformed_cookie_names_none(read: Reader, cookie: str) -> None:
    """What the SDK would not take for a tracked session is none."""
    assert read(cookie) is None


def test_baggage_wins_over_the_cookie(read: Reader) -> None:
    """Baggage is the SDK's documented interface, the cookie is not."""
    expected = RumSession(id=B, source="baggage", created=None)

    assert expected == read(V2_A, f"session.id={B}")


def test_unusable_baggage_leaves_the_cookie(read: Reader) -> None:
    """A placeholder in baggage does not hide the cookie."""
    expected = RumSession(id=A, source="_dd_s_v2", created=1795424491042)

    assert expected == read(V2_A, "session.id=00000000-aaaa-0000-aaaa-000000000000")


def test_sample_rate_applies_to_the_newer_cookie_only(read: Reader) -> None:
    """Baggage and the older cookie say themselves that RUM tracks the session."""
    assert read(V2_A, sample_rate=0) is None
    assert read(f"_dd_s=rum=1&id={A}&{LIVE}", sample_rate=0) is not None
    assert read("", BAGGAGE_A, sample_rate=0) is not None


def test_untracked_newer_cookie_leaves_the_older(read: Reader) -> None:
    """After an upgrade the older cookie may hold the session that RUM did see."""
    session = read(f"{V2_A}; {V6}", sample_rate=0)

    assert RumSession(id=V6_ID, source="_dd_s", created=1795424488911) == session


def test_lifetime_ends_to_the_millisecond(read: Reader) -> None:
    """A session lives until the millisecond before `expire` or four hours after `created`."""
    idle = f"_dd_s_v2=id={A}&created=1795424491042&expire=1795425391550"
    old = f"_dd_s_v2=id={A}&created=1795410100000&expire=1795425391550"

    assert read(idle, now=1795425391.549) is not None
    assert read(idle, now=1795425391.550) is None
    assert read(old, now=1795424499.999) is not None
    assert read(old, now=1795424500.000) is None


def test_clock_is_the_default_for_now() -> None:
    """Without `now` the time is the machine's."""
    past = f"_dd_s=rum=1&id={A}&expire=1600000000000"
    future = f"_dd_s=rum=1&id={A}&expire=4102444800000"

    assert read_rum_session(cookie=past) is None
    assert read_rum_session(cookie=future) is not None


@pytest.mark.parametrize("now", [pytest.param(float(text), id=text) for text in ("nan", "inf", "-inf", "1e300")])
def test_no_time_raises(read: Reader, now: float) -> None:
    """A broken clock may cost the session, not the request."""
    session = read(V2_A, now=now)

    assert session is None or session.id == A


def test_cookie_split_over_fields_is_one_header() -> None:
    """HTTP/2 clients may send each cookie in a field of its own."""
    headers = [(b"cookie", b"a=1"), (b"cookie", V2_A.encode()), (b"accept", b"*/*"), (b"cookie", b"b=2; c=3")]

    assert RumSession(id=A, source="_dd_s_v2", created=1795424491042) == rum_session_from_scope(headers, now=NOW)


def test_baggage_split_over_fields_is_one_header() -> None:
    """The SDK's member is the last one, also when a proxy put it into a second field."""
    headers = [(b"baggage", f"session.id={A}".encode()), (b"baggage", f"session.id={B}".encode())]

    assert RumSession(id=B, source="baggage", created=None) == rum_session_from_scope(headers, now=NOW)


@pytest.mark.parametrize("joint", [pytest.param(text, id=repr(text)) for text in (",", ", ", ";", "; ")])
def test_wsgi_server_joins_cookie_fields_in_its_own_way(joint: str) -> None:
    """Of two Cookie fields WSGI servers make one, mostly with a comma: ours is found in either place."""
    expected = RumSession(id=A, source="_dd_s_v2", created=1795424491042)

    assert expected == read_wsgi(joint.join(["a=1; b=2", V2_A]))
    assert expected == read_wsgi(joint.join([V2_A, "a=1; b=2"]))


def test_asgi_cookie_value_may_hold_a_comma() -> None:
    """Where the fields come apart, a comma is part of a neighbour's value and starts no cookie."""
    assert read_asgi(f"list=1,{V2_A}") is None


def test_absent_headers_are_no_session() -> None:
    """A request without either header has no session."""
    assert rum_session_from_environ({}) is None
    assert rum_session_from_scope([]) is None
    assert read_rum_session() is None


@pytest.mark.parametrize(
    ("before", "found"),
    [
        pytest.param(MAX_HEADER_LENGTH - len(V2_A) - 1, True, id="ends-at-the-limit"),
        pytest.param(MAX_HEADER_LENGTH - len(V2_A), False, id="ends-one-behind-the-limit"),
    ],
)
@pytest.mark.parametrize("after", [pytest.param("", id="last"), pytest.param(";z=1", id="followed")])
def test_headers_are_read_up_to_a_limit(read: Reader, before: int, found: bool, after: str) -> None:
    """A cookie counts when it is whole within the first 16 KiB; a cut one is not read in part."""
    cookie = "f=" + "x" * (before - 2) + ";" + V2_A + after
    baggage = "f=" + "x" * (MAX_HEADER_LENGTH - len(f",session.id={A}") - 2 + (not found)) + f",session.id={A}"

    assert found == (read(cookie) is not None)
    assert found == (read("", baggage + after.replace(";", ",")) is not None)


def test_a_cut_value_does_not_change_meaning(read: Reader) -> None:
    """The limit must not cut `isExpired` off a dead session."""
    state = f"_dd_s_v2=id={A}&{LIVE}&isExpired=1"
    cookie = "f=" + "x" * (MAX_HEADER_LENGTH - len(state) + 9) + ";" + state

    assert cookie[:MAX_HEADER_LENGTH].endswith(LIVE[-4:])
    assert read(cookie) is None


def test_one_endless_cookie_is_not_read(read: Reader) -> None:
    """Without a separator within the limit nothing is whole."""
    assert read(f"{V2_A}&x=" + "x" * MAX_HEADER_LENGTH) is None
    assert read("", f"session.id={A};x=" + "x" * MAX_HEADER_LENGTH) is None


def test_nothing_is_logged(read: Reader, caplog: pytest.LogCaptureFixture) -> None:
    """What a client claims never reaches a log."""
    caplog.set_level(logging.DEBUG)

    read(f"{V2_A}; _dd_s_v2=id=\x1b[31m&expire={'9' * 5000}", "session.id=%ff%00\nCRITICAL")

    assert caplog.records == []
