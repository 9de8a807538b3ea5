"""What SDKs, and those who are none, send: recorded headers, their damaged kin, and two ways to read them."""

from __future__ import annotations

from typing import Any

import pytest

from dd_pa.capture.rum_session import RumSession, rum_session_from_environ, rum_session_from_scope

NOW = 1795424500.0
A = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
B = "ebfcb2f1-5c11-4bd0-a6d3-0c1c35ad9f02"
AID = "59cf2df2-579e-4935-ab25-357d54822ec2"
LIVE = "created=1795424491042&expire=1795425391550"
V2_A = f"_dd_s_v2=aid={AID}&id={A}&{LIVE}&c=0"
V2_B = f"_dd_s_v2=aid={AID}&id={B}&{LIVE}&c=0"
BAGGAGE_A = f"session.id={A},user.id=u-42,account.id=acme-7"

V4_ID, V5_ID, V6_ID = (
    "3122841d-f7d1-4b2f-9e0d-fbbfd8507279",
    "11a09bb9-5e38-45d0-a380-ca5354ca776a",
    "f7979a15-d272-4a43-94d4-e8b4d2e4566a",
)
V4 = f"_dd_s=rum=2&id={V4_ID}&created=1795423606747&expire=1795424506747"
V5 = f"_dd_s=rum=2&id={V5_ID}&created=1795423608791&expire=1795424508791"
V6 = f"_dd_s=aid=55fb7487-dcb5-4a1e-a114-fcb3ebb7357e&rum=2&id={V6_ID}&created=1795424488911&expire=1795425388912"
V6_SAMPLED_OUT = "_dd_s=aid=f731b720-579e-4935-ab25-357d54822ec2&rum=0&expire=1795424515186"
V6_LOGS_ONLY = f"_dd_s=aid={AID}&logs=1&id={A}&{LIVE}&rum=0"
V6_LOCK = f"{V6}&lock=90a01feb-a555-4566-8662-ddce192ccb95--1795423677350"

LIVE_SAMPLES = [
    pytest.param(V4, RumSession(id=V4_ID, source="_dd_s", created=1795423606747), id="v4.50"),
    pytest.param(V5, RumSession(id=V5_ID, source="_dd_s", created=1795423608791), id="v5.35"),
    pytest.param(V6, RumSession(id=V6_ID, source="_dd_s", created=1795424488911), id="v6.33"),
    pytest.param(V6_LOCK, RumSession(id=V6_ID, source="_dd_s", created=1795424488911), id="v6-while-writing"),
    pytest.param(f"{V6}&c=0", RumSession(id=V6_ID, source="_dd_s", created=1795424488911), id="v6-cookie-options"),
    pytest.param(
        f"_dd_s=rum=2&id={A}&{LIVE}&forcedReplay=1",
        RumSession(id=A, source="_dd_s", created=1795424491042),
        id="v6-forced-replay",
    ),
    pytest.param(
        f"_dd_s=rum=1&id={A}&{LIVE}", RumSession(id=A, source="_dd_s", created=1795424491042), id="v6-with-replay"
    ),
    pytest.param(f"_dd_s=id={A}&rum=2", RumSession(id=A, source="_dd_s", created=None), id="v6-without-dates"),
    pytest.param(V2_A, RumSession(id=A, source="_dd_s_v2", created=1795424491042), id="v7.16"),
    pytest.param(
        f"_dd_s_v2=rum=0&id={A}&{LIVE}&c=0",
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="v7-migrated-with-stale-rum",
    ),
    pytest.param(
        f"_dd_s_v2=id={A}&{LIVE}",
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="v7-without-anonymous-user",
    ),
    pytest.param(
        f"_dd_s_v2=future=x-1&id={A}&{LIVE}&A=!&&=&b",
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="unknown-and-malformed-entries",
    ),
    pytest.param(
        f"_dd_s_v2=id={A}&{LIVE}&id={A.upper()}",
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="malformed-second-id",
    ),
    pytest.param(
        f"_dd_s_v2=id={B}&id={A}&{LIVE}",
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="last-of-two-ids",
    ),
    pytest.param(
        f"_dd_s_v2=id={A}&created=1795424491042&expire={'9' * 26}",
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="26-digits",
    ),
    pytest.param(
        f"_dd_s_v2=id={A}&created={'9' * 100}&expire={'9' * 100}",
        RumSession(id=A, source="_dd_s_v2", created=None),
        id="100-digits",
    ),
    pytest.param(f"{V6}; {V2_A}", RumSession(id=A, source="_dd_s_v2", created=1795424491042), id="newer-first"),
    pytest.param(
        f"_dd_s_v2=isExpired=1&aid={AID}&c=0; {V6}",
        RumSession(id=V6_ID, source="_dd_s", created=1795424488911),
        id="older-when-newer-is-dead",
    ),
    pytest.param(
        f"bad name{{=x; {V2_A}; \x00\xff=\xfe",
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="malformed-neighbours",
    ),
    pytest.param(
        f'quoted="open; {V2_A}; rest"',
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="quote-left-open-by-a-neighbour",
    ),
    pytest.param(
        f'quoted="x\\"; {V2_A}',
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="escaped-quote-in-a-neighbour",
    ),
    pytest.param(
        f";;\t{V2_A}\t;", RumSession(id=A, source="_dd_s_v2", created=1795424491042), id="blanks-and-empty-parts"
    ),
    pytest.param(
        f"_dd_s_v2 = id={A}&{LIVE}",
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="blanks-around-equals",
    ),
    pytest.param(
        "; ".join([f"_dd_s_v2=id={B}&created=1&expire=2&c=0"] * 100 + [V2_A]),
        RumSession(id=A, source="_dd_s_v2", created=1795424491042),
        id="100-dead-copies-before",
    ),
]

DEAD_SAMPLES = [
    pytest.param("", id="empty"),
    pytest.param(V6_SAMPLED_OUT, id="v6-sampled-out"),
    pytest.param(V6_LOGS_ONLY, id="v6-logs-only"),
    pytest.param(f"_dd_s=id={A}&{LIVE}", id="v6-without-rum"),
    pytest.param(f"_dd_s=rum=3&id={A}&{LIVE}", id="v6-unknown-tracking"),
    pytest.param(f"_dd_s=rum=2&id={A}&created=1795424491042&expire=1795424500000", id="v6-expiring-now"),
    pytest.param(f"_dd_s=rum=2&id={A}&created=1795410100000", id="v6-four-hours-without-expire"),
    pytest.param(f"_dd_s=isExpired=1&aid={AID}", id="v6-stopped"),
    pytest.param("_dd_s=isExpired=1", id="v6-consent-revoked"),
    pytest.param(f"_dd_s_v2=isExpired=1&aid={AID}&c=0", id="v7-stopped"),
    pytest.param("_dd_s_v2=isExpired=1&c=0", id="v7-consent-revoked"),
    pytest.param(f"_dd_s_v2=isExpired=1&id={A}&{LIVE}&c=0", id="expired-with-an-id"),
    pytest.param(f"_dd_s_v2=isExpired=0&id={A}&{LIVE}&c=0", id="isExpired-zero"),
    pytest.param(f"_dd_s_v2=id={A}&expire=1795425391550&c=0", id="v7-without-created"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&c=0", id="v7-without-expire"),
    pytest.param(f"_dd_s_v2=id={A}&created=&expire=1795425391550", id="v7-empty-created"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&expire=1795424500000", id="expire-is-now"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795410100000&expire=1795425391550", id="created-four-hours-ago"),
    pytest.param(f"_dd_s_v2=aid={AID}&c=0", id="no-id"),
    pytest.param(f"_dd_s_v2=id=abc&{LIVE}", id="id-seeded-by-hand"),
    pytest.param(f"_dd_s_v2=id=00000000-aaaa-0000-aaaa-000000000000&{LIVE}", id="placeholder"),
    pytest.param(f"_dd_s_v2=id={A[:14]}1{A[15:]}&{LIVE}", id="uuid-version-1"),
    pytest.param(f"_dd_s_v2=id={A[:19]}c{A[20:]}&{LIVE}", id="uuid-other-variant"),
    pytest.param(f"_dd_s_v2=id={A}0&{LIVE}", id="id-too-long"),
    pytest.param(f"_dd_s_v2=id={A.upper()}&{LIVE}", id="upper-case-id"),
    pytest.param(f"_dd_s_v2=id={A.replace('-', '%2D')}&{LIVE}", id="percent-encoded-id"),
    pytest.param(f"_dd_s_v2=id%3D{A}%26{LIVE.replace('=', '%3D').replace('&', '%26')}", id="percent-encoded-value"),
    pytest.param(f'_dd_s_v2="id={A}&{LIVE}"', id="quoted-value"),
    pytest.param(f'_dd_s_v2=id="{A}"&{LIVE}', id="quoted-id"),
    pytest.param(f"_dd_s_v2={LIVE}&id={A}\n", id="newline-after-the-last-entry"),
    pytest.param(f"_dd_s_v2={LIVE}&id={A}\xa0", id="no-break-space-after-the-last-entry"),
    pytest.param(f"_dd_s_v2={LIVE}&id={A}\x00", id="nul-after-the-last-entry"),
    pytest.param(f"_dd_s_v2={LIVE}&xid={A}&id.x={A}&i-id={A}", id="only-names-that-end-in-id"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&expire=1e99", id="exponent"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&expire=nan", id="nan"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&expire=1_795_425_391_550", id="underscores"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&expire=1795425391\u0665\u0665\u0660", id="arabic-digits"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&expire=1795425391\xb2\xb2\xb2", id="superscript-digits"),
    pytest.param(f"_dd_s_v2=id={A}&created=-1&expire=1795425391550", id="negative-created"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&expire={'9' * 101}", id="101-digits"),
    pytest.param(f"_dd_s_v2=id={A}&created=1795424491042&expire={'9' * 5000}", id="5000-digits"),
    pytest.param(f"x_dd_s_v2=id={A}&{LIVE}", id="name-with-a-prefix"),
    pytest.param(f"a _dd_s_v2=id={A}&{LIVE}", id="name-after-a-blank"),
    pytest.param(f"_dd_s_v3=id={A}&{LIVE}&rum=1", id="name-of-a-future-version"),
    pytest.param(f"_DD_S_V2=id={A}&{LIVE}", id="name-in-upper-case"),
    pytest.param(f"x={V2_A}", id="in-the-value-of-another-cookie"),
    pytest.param(f"_dd_s_v2\xa0=id={A}&{LIVE}", id="no-break-space-in-the-name"),
    pytest.param("_dd_s_v2", id="name-without-a-value"),
    pytest.param("_dd_s_v2=", id="empty-value"),
]


def read_wsgi(cookie: str = "", baggage: str = "", **options: Any) -> RumSession | None:
    return rum_session_from_environ({"HTTP_COOKIE": cookie, "HTTP_BAGGAGE": baggage}, **{"now": NOW, **options})


def read_asgi(cookie: str = "", baggage: str = "", **options: Any) -> RumSession | None:
    headers = [(b"host", b"shop"), (b"cookie", _wire(cookie)), (b"baggage", _wire(baggage))]
    return rum_session_from_scope(headers, **{"now": NOW, **options})


def _wire(header: str) -> bytes:
    return header.encode("latin-1", errors="replace")
