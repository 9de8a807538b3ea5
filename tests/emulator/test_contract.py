from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Message

from dd_pa.emulator import Emulator
from tests.emulator.client import INTAKE, KEY, Client, error, event, without


def test_accepted(emulator: Emulator, client: Client) -> None:
    """An event that is right is answered with 202, an empty object and the headers recorded from Datadog."""
    response = client.send(event())

    recorded = {
        "content-type": "application/json",
        "content-length": "2",
        "cross-origin-resource-policy": "cross-origin",
        "x-content-type-options": "nosniff",
        "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
        "accept-encoding": "identity,gzip,x-gzip,deflate,x-deflate",
    }
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "alt-svc")}
    assert (response.status_code, response.json(), headers) == (202, {}, recorded)
    assert emulator.events == [event()]
    assert emulator.rejected == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(event(), id="user"),
        pytest.param({**without("usr"), "account": {"id": "account-456"}}, id="account"),
        pytest.param({**without("usr"), "session": {"id": "session-789"}}, id="session"),
        pytest.param(event(customer={"tier": "premium"}), id="custom-attributes"),
        pytest.param(event(usr={"id": "1", "email": "a@example.com"}, tags=["a", 1, None, {"b": []}]), id="any-json"),
        pytest.param(event(text="\0 \u2028 </script> \U0001f600"), id="any-text"),
    ],
)
def test_documented_examples(emulator: Emulator, client: Client, body: dict[str, Any]) -> None:
    """Every example of the documentation, and every JSON value in attributes, is taken as it is."""
    assert client.send(body).status_code == 202
    assert emulator.events == [body]


def test_no_key(client: Client) -> None:
    """Without DD-API-KEY the answer is 401."""
    response = client.send(event(), dd_api_key="")

    assert (response.status_code, response.json()) == (401, error(401, "Unauthorized", "API key is missing"))


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        pytest.param("f" * 32, "API key is invalid", id="unknown"),
        pytest.param("a b", "API key is invalid", id="blank"),
        pytest.param("x" * 129, "API key is invalid", id="long"),
        pytest.param(
            "pub" + "0" * 32,
            "API key is invalid: this is a client token (pub…), which is for browsers only",
            id="client-token",
        ),
    ],
)
def test_wrong_key(emulator: Emulator, client: Client, key: str, detail: str) -> None:
    """A key that is unknown, or can be none, is answered with 403."""
    emulator.api_keys = {KEY}

    response = client.send(event(), dd_api_key=key)

    assert (response.status_code, response.json()) == (403, error(403, "Forbidden", detail))
    assert emulator.events == []


def test_key_becomes_valid(emulator: Emulator, client: Client) -> None:
    """The keys can be changed while it runs."""
    emulator.api_keys = set()
    before = client.send(event()).status_code
    emulator.api_keys.add(KEY)

    assert (before, client.send(event()).status_code) == (403, 202)


def test_one_key_is_no_collection(emulator: Emulator) -> None:
    """A string would be taken for a set of characters: refused."""
    with pytest.raises(TypeError, match="collection"):
        emulator.api_keys = KEY


@pytest.mark.parametrize(
    ("body", "reason", "path"),
    [
        pytest.param(b"", "Malformed payload: the body is empty", None, id="empty"),
        pytest.param(b" \n", "Malformed payload: the body is empty", None, id="blank"),
        pytest.param(b"{", "Malformed payload: Expecting property name .* line 1 column 2", None, id="cut"),
        pytest.param(b"\xff{}", "Malformed payload: not UTF-8 at byte 0", None, id="utf-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), "Malformed payload: not UTF-8 at byte 0", None, id="utf-16"),
        pytest.param(b"\xef\xbb\xbf{}", "Malformed payload: Unexpected UTF-8 BOM.*", None, id="bom"),
        pytest.param(b"[]", "Malformed payload: one JSON object is expected, not an array", None, id="array"),
        pytest.param([event(), event()], ".*one JSON object is expected, not an array", None, id="batch"),
        pytest.param(b"null", ".*one JSON object is expected, not null", None, id="null"),
        pytest.param(
            b'{"a": 1}\n{"a": 2}\n', ".*one JSON object is expected, more.* line 2 column 1", None, id="ndjson"
        ),
        pytest.param(b'{"a": NaN}', "Malformed payload: a: NaN is not JSON", "a", id="nan"),
        pytest.param(b'{"a": [1, {"b": -Infinity}]}', ".*a.b: -Infinity is not JSON", "a.b", id="infinity"),
        pytest.param(b'{"a": {"b": 1e999}}', ".*a.b: the number 1e999… is out of range", "a.b", id="too-large"),
        pytest.param(b'{"a": 1, "a": 1}', ".*a: the key occurs twice in one object", "a", id="double"),
        pytest.param(b'{"a": [{"b": {"c": 1, "c": 2}}]}', ".*a.b.c: the key occurs twice.*", "a.b.c", id="double-deep"),
        pytest.param(event(a={"b": "\ud800"}), "Malformed payload: a.b holds a lone surrogate", "a.b", id="surrogate"),
        pytest.param(event(a={"\udfff": 1}), r"Malformed payload: the key 'a\.\\udfff' .*", None, id="surrogate-key"),
        pytest.param({}, "application.id is missing", "application", id="nothing"),
        pytest.param(event(application={}), "application.id is missing", "application.id", id="no-application-id"),
        pytest.param(
            event(application="x"), "application must be an object, not a string", "application", id="no-object"
        ),
        pytest.param(
            event(application=None), "application must be an object, not null", "application", id="null-object"
        ),
        pytest.param(event(event={"name": 1}), "event.name must be a string, not a number", "event.name", id="number"),
        pytest.param(event(event={"name": ""}), "event.name must not be empty", "event.name", id="empty-name"),
        pytest.param(without("event"), "event.name is missing", "event", id="no-event"),
        pytest.param(without("type"), "type is missing", "type", id="no-type"),
        pytest.param(event(type="view"), 'type must be "server"', "type", id="other-type"),
        pytest.param(event(usr={"id": True}), "usr.id must be a string, not a boolean", "usr.id", id="user-id"),
        pytest.param(
            event(session={"id": ["x"]}), "session.id must be a string, not an array", "session.id", id="array-id"
        ),
        pytest.param(event(account={}), "account.id is missing", "account.id", id="no-account-id"),
        pytest.param(without("usr"), "none of usr, account and session is given.*", None, id="nobody"),
    ],
)
def test_malformed(emulator: Emulator, client: Client, body: Any, reason: str, path: str | None) -> None:
    """What is no event is answered with 400, and the page learns why and where."""
    response = client.send(body)

    detail = response.json()["errors"][0]["detail"]
    assert re.fullmatch(reason, detail), detail
    assert (response.status_code, response.json()) == (400, error(400, "Bad Request", detail))
    assert emulator.events == []
    assert [(row.status, row.reason) for row in emulator.rejected] == [(400, detail)]
    seq = client.get("events")["events"][0][0]
    assert client.get(f"events/{seq}")["reason_path"] == path


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        pytest.param("application/json", 202, id="json"),
        pytest.param("Application/JSON; charset=utf-8", 202, id="parameter"),
        pytest.param("", 400, id="none"),
        pytest.param("text/plain", 400, id="text"),
        pytest.param("application/json-seq", 400, id="prefix"),
        pytest.param("text/plain;application/json", 400, id="no-parameter"),
    ],
)
def test_content_type(client: Client, content_type: str, status: int) -> None:
    """Only JSON is taken, as documented; pages of other sites may send other types unasked."""
    assert client.send(event(), content_type=content_type).status_code == status


def test_incomplete_body() -> None:
    """A client that does not finish its body is answered with 408, and the connection closes."""
    emulator = Emulator(body_timeout=0.5)
    with emulator.running() as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        head = (
            f"POST {INTAKE} HTTP/1.1\r\nHost: {host}:{port}\r\nDD-API-KEY: {KEY}\r\nContent-Type: application/json\r\n"
        )
        with socket.create_connection((host, port), timeout=30) as connection:
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))

    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert body == error(408, "Request Timeout", "the request body was not complete after 0.5 s")
    assert [row.status for row in emulator.rejected] == [408]


def test_lost_client(emulator: Emulator, client: Client, url: str) -> None:
    """A client that goes away before its body is complete leaves a row, too."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(f"POST {INTAKE} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 9\r\n\r\n{{".encode())
    with httpx.stream("GET", f"{url}/api/emulator/stream?after=0", timeout=10) as stream:
        row = next(json.loads(line[6:])[0] for line in stream.iter_lines() if line.startswith("data: ["))

    assert row[6:8] == [408, "the client closed the connection before its body was complete"]


@pytest.mark.parametrize(
    ("status", "title"),
    [
        pytest.param(408, "Request Timeout", id="408"),
        pytest.param(413, "Request Entity Too Large", id="413"),
        pytest.param(429, "Too Many Requests", id="429"),
        pytest.param(500, "Internal Server Error", id="500"),
        pytest.param(503, "Service Unavailable", id="503"),
        pytest.param(599, "Unknown", id="599"),
    ],
)
def test_documented_failures(emulator: Emulator, client: Client, status: int, title: str) -> None:
    """What Datadog answers on a bad day is answered on demand, in its words."""
    emulator.fail(status)

    response = client.send(event())

    assert response.status_code == status
    assert response.json() == error(status, title, "fault on demand")
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods(client: Client, method: str) -> None:
    """The intake takes POST only; a preflight of a browser gets no permission."""
    response = client.http.request(method, INTAKE, headers={"content-type": "application/json"})

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_lenient() -> None:
    """Without strict checks, events that nobody can be linked to and unknown applications are taken."""
    emulator = Emulator(strict=False, application_ids={"other"})
    with emulator.running() as url, httpx.Client(base_url=url) as http:
        statuses = [Client(http).send(body).status_code for body in (without("usr"), without("event"))]

    assert statuses == [202, 400]


def test_unknown_application() -> None:
    """An application that is not registered is refused."""
    emulator = Emulator(application_ids={"known"})
    with emulator.running() as url, httpx.Client(base_url=url) as http:
        responses = [Client(http).send(event(application={"id": name})) for name in ("known", "other")]

    assert [response.status_code for response in responses] == [202, 400]
    assert emulator.rejected[0].reason == "application.id is not an application with Product Analytics"


@pytest.mark.parametrize(
    ("kind", "received", "answered"),
    [
        pytest.param(
            "lifespan",
            ["lifespan.startup", "lifespan.shutdown"],
            ["lifespan.startup.complete", "lifespan.shutdown.complete"],
            id="lifespan",
        ),
        pytest.param("websocket", ["websocket.connect"], ["websocket.close"], id="websocket"),
        pytest.param("other", [], [], id="other"),
    ],
)
def test_other_scopes(kind: str, received: list[str], answered: list[str]) -> None:
    """A server may offer a lifespan; web sockets are refused, and what nobody knows is left alone."""
    messages, sent = iter(received), []

    async def receive() -> Message:
        return {"type": next(messages)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(Emulator()({"type": kind}, receive, send))
    assert sent == answered
