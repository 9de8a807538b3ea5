from __future__ import annotations

import uuid
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from dd_pa.capture.rum_session import RumSession, rum_session_from_scope
from tests.core.rum_samples import BAGGAGE_A, DEAD_SAMPLES, LIVE_SAMPLES, V2_A, A, B, read_asgi, read_wsgi

COOKIES = [str(sample.values[0]) for sample in [*LIVE_SAMPLES, *DEAD_SAMPLES]]
BAGGAGE = [
    BAGGAGE_A,
    f"foo=1,session.id=spoofed, session.id={B},user.id=u-42,account.id=acme-7",
    "session.id=00000000-aaaa-0000-aaaa-000000000000",
    f"user.id=%C3%BC%2C%20%3D%3B%22x%40y,session.id={A.upper()};p=1",
    "session.id=,user.id=",
    f"session.id={'%41' * 36}",
]
PIECES = st.one_of(
    st.text(max_size=4),
    st.sampled_from(
        [";", ",", "=", "&", "%", "%2", '"', "\\", "\n", "\x00", "_dd_s", "_dd_s_v2=", "session.id=", A, B]
    ),
    st.sampled_from(["isExpired=0", "rum=1", "created=", "expire=" + "9" * 200, "id=" + A, "c=0", "\u0665", "\ud800"]),
)
EDITS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 40), PIECES), max_size=6)


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    return text


def _check(session: RumSession | None) -> None:
    if session is None:
        return

    claimed = uuid.UUID(session.id)
    assert (claimed.version, claimed.variant, str(claimed)) == (4, uuid.RFC_4122, session.id)
    assert session.created is None or 0 <= session.created <= 8_640_000_000_000_000


def _with_examples(test: Callable[..., None]) -> Callable[..., None]:
    for cookie in COOKIES:
        test = example(cookie=cookie, baggage="", edits=[])(test)
    for baggage in BAGGAGE:
        test = example(cookie="", baggage=baggage, edits=[])(test)
    return test


@_with_examples
@given(cookie=st.sampled_from(COOKIES), baggage=st.sampled_from(["", *BAGGAGE]), edits=EDITS)
def test_no_damage_to_a_real_header_raises(cookie: str, baggage: str, edits: list[tuple[int, int, str]]) -> None:
    """Real headers, damaged anywhere, give a UUIDv4 or nothing."""
    cookie, baggage = _edited(cookie, edits), _edited(baggage, edits)

    _check(read_wsgi(cookie, baggage))
    _check(read_wsgi(cookie, sample_rate=50, cookie_options="0"))
    _check(read_asgi(cookie, baggage))


@given(cookie=st.text(), baggage=st.text(), rate=st.floats(), options=st.none() | st.text())
def test_no_text_raises(cookie: str, baggage: str, rate: float, options: str | None) -> None:
    """Any text and any options give a UUIDv4 or nothing."""
    prefixed = {"cookie": f"_dd_s_v2={cookie}", "baggage": f"session.id={baggage}"}

    _check(read_wsgi(cookie, baggage, sample_rate=rate, cookie_options=options))
    _check(read_wsgi(**prefixed, sample_rate=rate, cookie_options=options))
    _check(read_wsgi(V2_A, sample_rate=rate, cookie_options=options))


@given(headers=st.lists(st.tuples(st.sampled_from([b"cookie", b"baggage", b"host"]), st.binary())))
def test_no_bytes_raise(headers: list[tuple[bytes, bytes]]) -> None:
    """Any header fields give a UUIDv4 or nothing."""
    _check(rum_session_from_scope(headers))
