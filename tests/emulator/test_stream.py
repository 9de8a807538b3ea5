from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from tests.emulator.client import Client, event


class Listener:
    """Reads server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self, wanted: str) -> tuple[Any, str | None]:
        """The data and id of the next message of this kind; others are passed over."""
        while True:
            fields = dict(line.split(": ", 1) for line in iter(self._lines.__next__, ""))
            if fields.get("event") == wanted:
                return json.loads(fields["data"]), fields.get("id")

    def names(self, count: int) -> list[str]:
        """The names of the next rows."""
        names: list[str] = []
        while len(names) < count:
            names += [row[2] for row in self.next("events")[0]]
        return names


@contextmanager
def listening(url: str, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Listener]:
    """Open the stream, with a client of its own."""
    with ExitStack() as stack:
        # Without certificates to load for an https that is never used, 250 clients are made in a moment.
        http = stack.enter_context(httpx.Client(base_url=url, timeout=10, verify=False))  # noqa: S501
        stream = http.stream("GET", "/api/emulator/stream", params=query, headers=headers)
        yield Listener(stack.enter_context(stream))


def named(name: str, **changes: Any) -> dict[str, Any]:
    """A complete event with this name."""
    return event(event={"name": name}, **changes)


def test_hello(client: Client, url: str) -> None:
    """The stream begins by saying where it stands."""
    client.send(event())
    client.send(b"{")
    with listening(url) as stream:
        hello, _ = stream.next("hello")
        status = client.get("status")

    newest = client.get("events")["events"][0][0]
    assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.response.headers["cache-control"] == "no-store"
    assert hello == {
        "boot": status["boot"],
        "seq": newest,
        "received": 2,
        "rejected": 1,
        "kept": 2,
        "rate": 0.4,
        "trouble": None,
        "drops": 0,
        "plan": 0,
    }


def test_rows(client: Client, url: str) -> None:
    """Rows come as they are received, oldest first, with the number of the last as id."""
    with listening(url) as stream:
        stream.next("hello")
        client.send(named("a.b", order={"id": "o-1", "total": 5}, tags=["x"], more=1, dd_pa={"event_id": "e"}))
        rows, number = stream.next("events")

    [row] = rows
    assert number == str(row[0])
    assert row == [
        row[0], row[1], "a.b", "123", None, None, 202, None,
        [["order.id", "o-1"], ["order.total", "5"], ["tags", "x"]], None, None, "server", None,
    ]  # fmt: skip
    assert abs(row[1] - time.time() * 1000) < 10_000


def test_all_rows_once(client: Client, url: str) -> None:
    """However many come, each comes once and in order."""
    with listening(url) as stream:
        stream.next("hello")
        for n in range(200):
            client.send(named(f"n{n}"))

        assert stream.names(200) == [f"n{n}" for n in range(200)]


@pytest.mark.parametrize("by", ["last-event-id", "after"])
def test_reconnect(client: Client, url: str, by: str) -> None:
    """Who comes back gets what was missed, and nothing twice."""
    with listening(url) as stream:
        stream.next("hello")
        client.send(named("seen"))
        _, last = stream.next("events")
    client.send(named("missed.1"))
    client.send(named("missed.2"))

    headers, query = ({"last-event-id": str(last)}, {}) if by == "last-event-id" else ({}, {"after": last})
    with listening(url, headers, **query) as stream:
        assert stream.names(2) == ["missed.1", "missed.2"]
        client.send(named("new"))
        assert stream.names(1) == ["new"]


@pytest.mark.parametrize("last", ["999999999", "x", "-1", "9" * 30, ""])
def test_unknown_last_id(client: Client, url: str, last: str) -> None:
    """A number of an emulator that ran before, or none at all, begins with what comes next."""
    client.send(named("old"))
    with listening(url, {"last-event-id": last}) as stream:
        stream.next("hello")
        client.send(named("new"))

        assert stream.names(1) == ["new"]


def test_search(client: Client, url: str) -> None:
    """Each listener has its own search and status."""
    with (
        listening(url, q="@event.name:b*") as found,
        listening(url, q="@event.name:b*", status="rejected") as refused,
        listening(url, status="accepted") as taken,
    ):
        for stream in (found, refused, taken):
            stream.next("hello")
        for body in (named("a"), named("b1"), named("b2", type="x"), named("b3")):
            client.send(body)

        assert found.names(3) == ["b1", "b2", "b3"]
        assert refused.names(1) == ["b2"]
        assert taken.names(3) == ["a", "b1", "b3"]


def test_clear(client: Client, url: str) -> None:
    """After a clear the numbers go on, so that the stream does too."""
    with listening(url) as stream:
        stream.next("hello")
        client.send(named("a"))
        _, before = stream.next("events")
        assert client.command("POST", "clear").status_code == 204
        client.send(named("b"))
        rows, after = stream.next("events")

    assert [row[2] for row in rows] == ["b"]
    assert int(str(after)) == int(str(before)) + 1
    assert client.get("events")["received"] == 1


def test_stats(client: Client, url: str) -> None:
    """Once a second the numbers are told."""
    with listening(url) as stream:
        stream.next("hello")
        client.send(event())
        stats, _ = stream.next("stats")

    assert {**stats, "seq": 0} == {
        "seq": 0,
        "received": 1,
        "rejected": 0,
        "kept": 1,
        "rate": 0.2,
        "trouble": None,
        "drops": 0,
        "plan": 0,
    }


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        pytest.param({"q": "(a"}, {"detail": "something is missing at the end", "column": 2}, id="search"),
        pytest.param({"status": "x"}, {"detail": "status must be one of all, accepted, rejected"}, id="status"),
        pytest.param({"after": "x"}, {"detail": "after must be a whole number from 0 to 9007199254740992"}, id="after"),
    ],
)
def test_refused(client: Client, query: dict[str, str], problem: dict[str, Any]) -> None:
    """A stream that cannot be served says why, as the list does."""
    response = client.http.get("/api/emulator/stream", params=query)

    assert response.status_code == 400
    assert response.json() == {"errors": [{"status": "400", "title": "Bad Request", **problem}]}


def test_head(client: Client) -> None:
    """To ask for the headers alone opens no stream."""
    response = client.http.head("/api/emulator/stream")

    assert (response.status_code, response.content) == (200, b"")


def test_many_listeners() -> None:
    """250 idle streams do not stop the intake; one more is refused, until others leave."""
    with Emulator().running() as url, httpx.Client(base_url=url, timeout=20) as http:
        client = Client(http)
        with ExitStack() as crowd:
            streams = [crowd.enter_context(listening(url)) for _ in range(250)]
            for stream in streams:
                stream.next("hello")

            assert [client.send(event()).status_code for _ in range(20)] == [202] * 20
            assert http.get("/api/emulator/stream").status_code == 503
        assert any(_is_admitted(http) for _ in range(1000))


def _is_admitted(http: httpx.Client) -> bool:
    with http.stream("GET", "/api/emulator/stream") as response:
        return response.status_code == 200


def test_stop_ends_streams() -> None:
    """An emulator that stops ends its streams at once, and can be started again."""
    emulator = Emulator()
    with httpx.Client() as http:
        with emulator.running() as url:
            response = http.send(http.build_request("GET", f"{url}/api/emulator/stream"), stream=True)
            lines = response.iter_lines()
            next(lines)
            start = time.monotonic()
        stopped = time.monotonic() - start
        for _ in lines:
            pass
    with emulator.running() as url, listening(url) as stream:
        hello, _ = stream.next("hello")

    assert stopped < 2
    assert hello["received"] == 0
