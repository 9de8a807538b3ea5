from __future__ import annotations

import gzip
import zlib

import pytest

from dd_pa.emulator import Emulator
from tests.emulator.browser import APPLICATION, PARAMETERS, SESSION, forwarded, line, ndjson, send, view
from tests.emulator.client import Client

DIRECT = f"/api/v2/rum?{PARAMETERS}"


@pytest.mark.parametrize("path", [pytest.param(forwarded(), id="proxy"), pytest.param(DIRECT, id="direct")])
def test_lines_are_taken(emulator: Emulator, client: Client, path: str) -> None:
    """What the SDK sends is taken on both ways, answered as recorded, and open to pages of other origins."""
    events = [view(1), line("action"), line("resource")]

    response = send(client.http, *events, path=path)

    assert (response.status_code, response.json()) == (202, {})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    assert emulator.browser_events == events
    assert emulator.events == []


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(forwarded(), id="unsaid"),
        pytest.param(forwarded(f"/api/v2/rum?{PARAMETERS}&dd-evp-encoding=deflate"), id="said"),
    ],
)
def test_compressed_by_the_sdk(emulator: Emulator, client: Client, path: str) -> None:
    """A zlib stream is inflated; on exit the SDK sends what is left as plain lines to the same address."""
    send(client.http, zlib.compress(ndjson(view(1))), path=path)
    send(client.http, ndjson(line("action")), path=path)

    assert [event["type"] for event in emulator.browser_events] == ["view", "action"]


def test_content_encoding(emulator: Emulator, client: Client) -> None:
    """The header that other SDKs use works too, but not both at once."""
    plain = ndjson(line("action"))

    taken = send(client.http, gzip.compress(plain), content_encoding="gzip")
    twice = send(client.http, gzip.compress(zlib.compress(plain)), content_encoding="gzip")

    assert (taken.status_code, twice.status_code) == (202, 400)
    assert len(emulator.browser_events) == 1


@pytest.mark.parametrize("track", ["replay", "logs", "profile"])
def test_other_tracks_are_ignored(emulator: Emulator, client: Client, track: str) -> None:
    """Replays, logs and profiles are answered as taken, whatever they hold, and left alone."""
    proxied = send(client.http, b"\x00\x01 anything", path=forwarded(f"/api/v2/{track}?ddsource=browser"))
    direct = send(client.http, b"\x78\x9c", path=f"/api/v2/{track}")

    assert (proxied.status_code, direct.status_code) == (202, 202)
    assert emulator.browser_events == []


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/rum", id="none"),
        pytest.param("/rum?ddforward=", id="empty"),
        pytest.param(forwarded() + "&ddforward=%2Fapi%2Fv2%2Frum", id="two"),
        pytest.param(forwarded("http://169.254.169.254/api/v2/rum"), id="absolute"),
        pytest.param(forwarded("//host/api/v2/rum"), id="host"),
        pytest.param(forwarded("/api/v2/../v1/rum"), id="dots"),
        pytest.param(forwarded("/api/v2/rum/../prodlytics"), id="dots-behind"),
        pytest.param(forwarded("/api/v2/prodlytics"), id="other-api"),
        pytest.param(forwarded("/api/v2/rum\r\nx: y"), id="newline"),
        pytest.param(forwarded("/api/v2/rum?a=b\n"), id="newline-at-the-end"),
        pytest.param(forwarded("/api/v2/rum#x"), id="fragment"),
        pytest.param(forwarded("/api/v1/rum"), id="version"),
        pytest.param(forwarded("/API/V2/RUM"), id="upper-case"),
        pytest.param(forwarded("/api/v2/rum?" + "a" * 9_000), id="long"),
        pytest.param(forwarded("/api/v2/rum?" + "&".join(f"a{n}=1" for n in range(101))), id="many-fields"),
    ],
)
def test_only_the_sdks_own_tracks(emulator: Emulator, client: Client, path: str) -> None:
    """An address that the SDK would not make is refused; nothing is ever forwarded."""
    response = send(client.http, line("action"), path=path)

    assert response.status_code == 400
    assert emulator.browser_events == []


BROKEN = [
    pytest.param(b"{", id="syntax"),
    pytest.param(b"[1]", id="array"),
    pytest.param(b'{"type":"action","date":1,"date":2}', id="double-key"),
    pytest.param(b"[" * 100_000, id="brackets"),
    pytest.param(b'{"type":"action","n":' + b"9" * 5_000 + b"}", id="long-number"),
    pytest.param(b'{"type":"action","session":{"id":"\\ud800"},"date":1}', id="surrogate"),
    pytest.param(ndjson(line("action", session={"id": 7})), id="session-number"),
    pytest.param(ndjson(line("action", session={"id": "x" * 257})), id="session-long"),
    pytest.param(ndjson(line("action", session=None)), id="session-missing"),
    pytest.param(ndjson(line("view", view={"id": ""})), id="view-empty"),
    pytest.param(ndjson(line("action", date="now")), id="date"),
    pytest.param(ndjson(line("action", date=True)), id="date-boolean"),
    pytest.param(ndjson(line("action", context={f"k{n}": n for n in range(1_001)})), id="attributes"),
    pytest.param(b"\x78\x9cgarbage", id="no-zlib"),
    pytest.param(zlib.compress(b"{}")[:-3], id="cut-zlib"),
    pytest.param(zlib.compress(b"{}") + b"x", id="after-zlib"),
]


@pytest.mark.parametrize("content", BROKEN)
def test_broken_lines(emulator: Emulator, client: Client, content: bytes) -> None:
    """A body with nothing to understand in it is refused, with the reason, and nothing is kept."""
    response = send(client.http, content)

    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"]
    assert response.headers["access-control-allow-origin"] == "*"
    assert emulator.browser_events == []


def test_broken_line_between_others(emulator: Emulator, client: Client) -> None:
    """One broken line does not spoil its neighbours."""
    response = send(client.http, ndjson(line("action")) + b"\n{\n\n" + ndjson(line("error")))

    assert response.status_code == 202
    assert [event["type"] for event in emulator.browser_events] == ["action", "error"]


def test_telemetry_is_left_out(emulator: Emulator, client: Client) -> None:
    """What the SDK says about itself is taken and not kept."""
    response = send(client.http, {"type": "telemetry", "telemetry": {}})

    assert response.status_code == 202
    assert emulator.browser_events == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b" " * 5_000_001, id="plain"),
        pytest.param(zlib.compress(b" " * 50_000_000), id="bomb"),
        pytest.param(b"\n" * 10_000, id="lines"),
    ],
)
def test_too_large(emulator: Emulator, client: Client, content: bytes) -> None:
    """Size and number of lines are bounded, also after inflating."""
    response = send(client.http, content)

    assert response.status_code == 413
    assert emulator.browser_events == []


def test_preflight(client: Client) -> None:
    """A page of another origin may ask before it sends; only for this route, and never to read."""
    asked = {"origin": "https://shop.test", "access-control-request-method": "POST"}
    here = client.http.options(forwarded(), headers=asked)
    elsewhere = [client.http.options(path, headers=asked) for path in ("/api/v2/prodlytics", "/api/emulator/events")]
    read = client.http.get(forwarded(), headers={"origin": "https://shop.test"})

    assert here.status_code == 204
    assert here.headers["access-control-allow-origin"] == "*"
    assert here.headers["access-control-allow-methods"] == "POST"
    assert [answer.status_code for answer in elsewhere] == [403, 403]
    assert read.status_code == 403
    assert not any("access-control-allow-origin" in answer.headers for answer in (*elsewhere, read))


def test_own_host_only(emulator: Emulator, client: Client) -> None:
    """A name that was pointed here is no way in, also for browsers' events."""
    response = send(client.http, line("action"), host="evil.example")

    assert response.status_code == 403
    assert emulator.browser_events == []


def test_faults_wait_for_server_events(emulator: Emulator, client: Client) -> None:
    """A fault armed for the intake of server events is not used up by a page that is open."""
    emulator.fail(503)

    assert send(client.http, line("action")).status_code == 202
    assert len(emulator.faults) == 1


def test_bounded_memory(emulator: Emulator, client: Client) -> None:
    """The oldest lines go; the newest are there."""
    padding = {f"k{n}": "x" * 20_000 for n in range(40)}
    for n in range(24):
        send(client.http, line("action", date=n, context=padding))

    dates = [event["date"] for event in emulator.browser_events]
    assert dates == list(range(24))[-len(dates) :]
    assert 10 < len(dates) < 24


def test_ids_are_the_sdks(emulator: Emulator, client: Client) -> None:
    """Tests can compare the session that a server event claimed with the SDK's own."""
    send(client.http, view(1))

    [event] = emulator.browser_events
    assert (event["session"]["id"], event["application"]["id"]) == (SESSION, APPLICATION)
