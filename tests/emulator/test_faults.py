from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from tests.emulator.asking import QUERIES, SCALAR, analytics, post
from tests.emulator.client import INTAKE, KEY, Client, error, event

CLOSED = "fault on demand: connection closed"


def statuses(client: Client, count: int) -> list[int]:
    """Send some events and tell how each was answered."""
    return [client.send(event()).status_code for _ in range(count)]


def test_in_order(emulator: Emulator, client: Client) -> None:
    """Faults are used up one after the other; then all is well again."""
    emulator.fail(429, times=2)
    emulator.fail(500)

    assert statuses(client, 4) == [429, 429, 500, 202]
    assert [(row.status, row.reason) for row in emulator.rejected] == [
        (429, "fault on demand"),
        (429, "fault on demand"),
        (500, "fault on demand"),
    ]
    assert emulator.events == [event()]


def test_until_cleared(emulator: Emulator, client: Client) -> None:
    """Without a number a fault lasts until it is cleared."""
    emulator.fail(times=None)

    before = statuses(client, 3)
    emulator.clear_faults()

    assert (before, statuses(client, 1), emulator.faults) == ([503, 503, 503], [202], [])


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        pytest.param(None, {"x-ratelimit-reset": "1", "x-ratelimit-remaining": "0"}, id="datadogs"),
        pytest.param({}, {}, id="none"),
        pytest.param(
            {"X-RateLimit-Reset": "2", "Retry-After": "7"}, {"x-ratelimit-reset": "2", "retry-after": "7"}, id="own"
        ),
    ],
)
def test_headers(emulator: Emulator, client: Client, headers: dict[str, str] | None, wanted: dict[str, str]) -> None:
    """A 429 says when to come back, unless told otherwise."""
    emulator.fail(429, headers=headers)

    response = client.send(event())

    names = ("x-ratelimit-reset", "x-ratelimit-remaining", "retry-after")
    assert {name: response.headers[name] for name in names if name in response.headers} == wanted


def test_replaced_header(emulator: Emulator, client: Client) -> None:
    """A header of a fault replaces the recorded one of the same name."""
    emulator.fail(302, headers={"Location": "http://127.0.0.1:9/", "Content-Type": "text/html"})

    response = client.send(event())

    assert (response.status_code, response.headers["location"]) == (302, "http://127.0.0.1:9/")
    assert response.headers.get_list("content-type") == ["text/html"]


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body(emulator: Emulator, client: Client, status: int) -> None:
    """A status that has no body by definition is sent without one: the connection stays usable."""
    emulator.fail(status)

    assert statuses(client, 2) == [status, 202]


def test_close(emulator: Emulator, client: Client) -> None:
    """A connection is closed without one byte of an answer."""
    emulator.fail(close=True, times=2)

    for _ in range(2):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.send(event())

    assert statuses(client, 1) == [202]
    assert [(row.status, row.reason) for row in emulator.rejected] == [(0, CLOSED)] * 2
    row = client.get("events", status="rejected")["events"][0]
    assert (row[2], row[6], row[7]) == ("payment.processed", 0, CLOSED)
    assert client.get(f"events/{row[0]}")["response"] is None


def test_close_on_a_query(emulator: Emulator, client: Client) -> None:
    """A query's connection is closed without one byte of an answer, too, and the next one is answered."""
    emulator.fail(close=True, times=2, on="query")

    for _ in range(2):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            post(client.http, "analytics/scalar", SCALAR, analytics())
    assert post(client.http, "analytics/scalar", SCALAR, analytics()).status_code == 200


def test_close_spares_others(emulator: Emulator, url: str) -> None:
    """Only the connection of that request is closed."""
    with httpx.Client(base_url=url) as one, httpx.Client(base_url=url) as other:
        first, second = Client(one), Client(other)
        with other.stream("GET", "/api/emulator/stream") as stream:
            lines = stream.iter_lines()
            next(lines)
            emulator.fail(close=True)
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                first.send(event())
            assert any(line.startswith("event: events") for line in lines)
        assert second.send(event()).status_code == 202


@pytest.mark.parametrize(
    ("on", "path", "kept"),
    [("intake", INTAKE, [0]), ("query", f"{QUERIES}/analytics/scalar", [])],
)
def test_close_in_process(on: Any, path: str, kept: list[int]) -> None:
    """Without a connection to close, the call fails as a lost connection does."""
    emulator = Emulator()
    emulator.fail(close=True, on=on)

    async def send() -> None:
        transport = httpx.ASGITransport(app=emulator)
        async with httpx.AsyncClient(transport=transport) as http:
            await http.post(f"https://browser-intake-datadoghq.com{path}", json=event(), headers={"dd-api-key": KEY})

    with pytest.raises(ConnectionResetError, match="on demand"):
        asyncio.run(send())
    assert [row.status for row in emulator.rejected] == kept


def test_delay(emulator: Emulator, client: Client) -> None:
    """A delay alone answers as usual, later."""
    emulator.fail(delay=0.3)
    start = time.monotonic()

    assert statuses(client, 1) == [202]
    assert time.monotonic() - start >= 0.3


def test_hang(emulator: Emulator, url: str) -> None:
    """A client that does not wait for a hanging intake gives up; the emulator serves others meanwhile."""
    emulator.fail(503, delay=30)
    with httpx.Client(base_url=url) as http:
        with pytest.raises(httpx.ReadTimeout):
            http.post(INTAKE, json=event(), headers={"dd-api-key": KEY}, timeout=0.2)
        assert statuses(Client(http), 1) == [202]


def test_faults_come_before_checks(emulator: Emulator, client: Client) -> None:
    """An intake that is down does not look at what it gets."""
    emulator.fail(503)

    assert client.send(b"{").status_code == 503
    assert client.send(b"{").status_code == 400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"status": 199}, "status must be between 200 and 599, not 199", id="status"),
        pytest.param({"times": 0}, "times must be at least 1", id="times"),
        pytest.param({"delay": -1}, "delay must be between 0 and 3600 seconds, not -1", id="delay"),
        pytest.param({"delay": float("nan")}, "delay must be between", id="nan"),
        pytest.param({"close": True, "status": 500}, "a closed connection has no status", id="both"),
        pytest.param({"headers": {"a\r\nb": "c"}}, "header .* cannot be sent", id="header-name"),
        pytest.param({"headers": {"a": "b\r\nc: d"}}, "header 'a' cannot be sent", id="header-value"),
        pytest.param({"headers": {"Content-Length": "7"}}, "cannot be sent", id="header-ours"),
    ],
)
def test_senseless(emulator: Emulator, options: dict[str, Any], message: str) -> None:
    """A fault that makes no sense is refused where it is asked for."""
    with pytest.raises(ValueError, match=message):
        emulator.fail(**options)
    assert emulator.faults == []


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param({"status": 503, "times": 5}, {"status": 503, "times": 5}, id="status"),
        pytest.param(
            {"status": 429, "headers": {"X-RateLimit-Reset": "2"}},
            {"status": 429, "times": 1, "headers": {"X-RateLimit-Reset": "2"}},
            id="headers",
        ),
        pytest.param({"delay": 2.5, "times": None}, {"delay": 2.5, "times": None}, id="delay"),
        pytest.param({"action": "close"}, {"action": "close", "times": 1}, id="close"),
    ],
)
def test_route(emulator: Emulator, client: Client, body: dict[str, Any], shown: dict[str, Any]) -> None:
    """Faults are armed, listed and cleared by the page, too."""
    armed = client.command("POST", "faults", body)
    listed = client.get("faults"), client.get("status")["faults"]
    cleared = client.command("DELETE", "faults")

    assert (armed.status_code, armed.json()) == (201, {"faults": [shown]})
    assert listed == ({"faults": [shown]}, [shown])
    assert (cleared.status_code, client.get("faults")) == (204, {"faults": []})


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param([], "the body must be a JSON object", id="array"),
        pytest.param({}, "a fault needs a status, a delay or close", id="empty"),
        pytest.param(
            {"statuss": 1},
            "'statuss' is unknown: a fault has action, delay, headers, on, query_status, status, times",
            id="unknown",
        ),
        pytest.param({"status": "503"}, "status must be a whole number or null", id="text"),
        pytest.param({"status": True}, "status must be a whole number or null", id="boolean"),
        pytest.param({"status": 503, "times": 1.5}, "times must be a whole number or null", id="fraction"),
        pytest.param({"delay": "1"}, "delay must be a number of seconds", id="delay-text"),
        pytest.param({"delay": 10**400}, "delay must be between 0 and 3600 seconds, not inf", id="delay-huge"),
        pytest.param({"status": 503, "headers": {"a": 1}}, "headers must be an object of strings", id="headers"),
        pytest.param({"status": 503, "headers": {"a": "\n"}}, "header 'a' cannot be sent", id="header"),
        pytest.param({"action": "explode"}, 'action can only be "close"', id="action"),
    ],
)
def test_route_refuses(client: Client, body: Any, detail: str) -> None:
    """The route says what it does not understand."""
    response = client.command("POST", "faults", body)

    assert (response.status_code, response.json()) == (400, error(400, "Bad Request", detail))


def test_bounded(emulator: Emulator, client: Client) -> None:
    """At most a hundred faults are armed, and a fault is short."""
    for _ in range(100):
        emulator.fail(503)

    assert client.command("POST", "faults", {"status": 503}).status_code == 400
    assert client.command("POST", "faults", {"x": "x" * 70_000}).status_code == 413
    assert client.command("DELETE", "faults").status_code == 204
