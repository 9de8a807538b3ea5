from __future__ import annotations

from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from tests.emulator.client import Client, error, event

START = 1_800_000_000.0
UNEXPECTED = ") is not expected here; quotes make it ordinary text"
WHOLE = " must be a whole number from"
BUCKETS = "from must be before to, with at most 10,000 buckets between them"


class Clock:
    """A clock that is set by hand, epoch seconds."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def numbered(client: Client, count: int) -> int:
    """Send events n0, n1 …; tell the number of the first row."""
    for n in range(count):
        client.send(event(event={"name": f"n{n}"}))
    return int(client.get("events")["events"][-1][0])


def names(page: dict[str, Any]) -> list[str]:
    """The names of a page's rows."""
    return [row[2] for row in page["events"]]


def test_pages(client: Client) -> None:
    """The list is read in pages, newest first, and says how many there are."""
    first = numbered(client, 5)
    newest = client.get("events", limit=2)
    middle = client.get("events", limit=2, before=newest["next"])
    oldest = client.get("events", limit=2, before=middle["next"])

    assert [names(page) for page in (newest, middle, oldest)] == [["n4", "n3"], ["n2", "n1"], ["n0"]]
    assert [page["next"] for page in (newest, middle, oldest)] == [first + 3, first + 1, None]
    assert {**newest, "events": 0, "boot": 0} == {
        "boot": 0,
        "events": 0,
        "total": 5,
        "kept": 5,
        "received": 5,
        "rejected": 0,
        "oldest": first,
        "plan": 0,
        "next": first + 3,
        "seq": first + 4,
    }


def test_pages_of_a_search(client: Client) -> None:
    """Pages of a search hold what it finds; what comes later does not shift them."""
    numbered(client, 12)
    newest = client.get("events", q="@event.name:(n1* OR n3 OR n5)", limit=2)
    numbered(client, 12)
    older = client.get("events", q="@event.name:(n1* OR n3 OR n5)", limit=10, before=newest["next"])

    assert (names(newest), newest["total"]) == (["n11", "n10"], 5)
    assert (names(older), older["total"], older["next"]) == (["n5", "n3", "n1"], 10, None)


def test_empty(emulator: Emulator, client: Client) -> None:
    """An emulator without events says so."""
    page = client.get("events")

    assert {**page, "boot": 0, "seq": 0} == {
        "boot": 0, "seq": 0, "events": [], "total": 0, "kept": 0, "received": 0, "rejected": 0,
        "oldest": None, "plan": 0, "next": None,
    }  # fmt: skip


def test_status_filter(client: Client) -> None:
    """Taken and refused requests can be told apart, with and without a search."""
    client.send(event(event={"name": "good"}))
    client.send(event(event={"name": "bad"}, type="x"))

    assert [names(client.get("events", status=status)) for status in ("all", "accepted", "rejected")] == [
        ["bad", "good"],
        ["good"],
        ["bad"],
    ]
    assert names(client.get("events", status="rejected", q="@usr.id:*")) == ["bad"]
    assert client.get("events", status="rejected", q="good")["total"] == 0


def test_a_search_forgets_what_was_cleared(client: Client) -> None:
    """A search that is asked again finds neither what was cleared nor misses what came since."""
    numbered(client, 3)
    before = client.get("events", q="@event.name:n*")["total"]
    client.command("POST", "clear")
    cleared = client.get("events", q="@event.name:n*")["total"]
    numbered(client, 2)

    assert (before, cleared, client.get("events", q="@event.name:n*")["total"]) == (3, 0, 2)


def test_detail(client: Client) -> None:
    """One row is told in full, its key masked."""
    dd_pa = {"event_id": "e-1", "occurred_at": "2020-01-01T00:00:00.250Z"}
    body = event(order={"total": 42.5, "tags": ["a", None, True], "none": {}}, dd_pa=dd_pa)
    client.send(body, user_agent="test", cookie="secret=1", authorization="secret", accept="", accept_encoding="")
    seq = client.get("events")["events"][0][0]

    detail = client.get(f"events/{seq}")

    headers = dict(detail["request"].pop("headers"))
    answered = detail["response"].pop("headers")
    received = detail.pop("received_ms")
    size = len(httpx.Request("POST", "http://x", json=body).content)
    assert headers["dd-api-key"] == headers["cookie"] == headers["authorization"] == "***"
    assert headers["user-agent"] == "test"
    assert ["content-length", "2"] in answered
    assert abs(detail.pop("size") - size) < 50
    assert detail == {
        "seq": seq,
        "status": 202,
        "reason": None,
        "reason_path": None,
        "name": "payment.processed",
        "usr": "123",
        "account": None,
        "session": None,
        "occurred_ms": 1577836800250,
        "delay_ms": received - 1577836800250,
        "event_id": "e-1",
        "duplicates": [],
        "body": body,
        "off_plan": None,
        "raw": None,
        "facets": [
            ["@application.id", "123abcde-123a-123b-1234-123456789abc"],
            ["@event.name", "payment.processed"],
            ["@type", "server"],
            ["@usr.id", "123"],
            ["@order.total", 42.5],
            ["@order.tags", "a"],
            ["@order.tags", None],
            ["@order.tags", True],
            ["@dd_pa.event_id", "e-1"],
            ["@dd_pa.occurred_at", "2020-01-01T00:00:00.250Z"],
        ],
        "request": {"encoding": None},
        "response": {"status": 202, "body": "{}"},
    }


def test_long_headers(client: Client) -> None:
    """Headers are shown, and kept, up to a thousand characters each."""
    client.send(event(), x_long="x" * 10_000)
    seq = client.get("events")["events"][0][0]

    headers = dict(client.get(f"events/{seq}")["request"]["headers"])
    assert headers["x-long"] == "x" * 1_000


def test_duplicates(client: Client) -> None:
    """Rows with the same event id name each other."""
    for event_id in ("x", "y", "x", "x"):
        client.send(event(dd_pa={"event_id": event_id}))
    seqs = [row[0] for row in reversed(client.get("events")["events"])]

    assert [client.get(f"events/{seq}")["duplicates"] for seq in seqs] == [
        [seqs[2], seqs[3]],
        [],
        [seqs[0], seqs[3]],
        [seqs[0], seqs[2]],
    ]


@pytest.mark.parametrize(
    ("occurred_at", "milliseconds"),
    [
        pytest.param(1_700_000_000_123, 1_700_000_000_123, id="epoch-ms"),
        pytest.param("2023-11-14T22:13:20.123+00:00", 1_700_000_000_123, id="iso"),
        pytest.param("2023-11-14T22:13:20.123", 1_700_000_000_123, id="iso-naive-is-utc"),
        pytest.param("yesterday", None, id="text"),
        pytest.param(True, None, id="boolean"),
        pytest.param(1e300, None, id="huge"),
        pytest.param("0001-01-01T00:00:00+23:59", -62_135_683_140_000, id="early"),
        pytest.param({}, None, id="object"),
    ],
)
def test_occurred(client: Client, occurred_at: Any, milliseconds: int | None) -> None:
    """When it occurred is read in both usual forms; anything else is no time."""
    client.send(event(dd_pa={"occurred_at": occurred_at}))

    row = client.get("events")["events"][0]
    assert row[10] == milliseconds
    assert row[9] == (None if milliseconds is None else row[1] - milliseconds)


@pytest.mark.parametrize(
    ("seq", "detail"),
    [("0", "never seen"), ("999999", "never seen"), ("x", "never seen"), ("9" * 40, "never seen"), ("²", "never seen")],
)
def test_unknown_row(client: Client, seq: str, detail: str) -> None:
    """A row that never was is not found."""
    response = client.http.get(f"/api/emulator/events/{seq}")

    assert (response.status_code, response.json()) == (404, error(404, "Not Found", detail))


def test_cleared_row(client: Client) -> None:
    """A row that was cleared is told from one that never was."""
    seq = numbered(client, 1)
    client.command("POST", "clear")

    assert client.http.get(f"/api/emulator/events/{seq}").json() == error(404, "Not Found", "no longer kept")


def test_times_and_histogram() -> None:
    """Rows are counted by time, and a time can be chosen: from is in, to is out."""
    clock = Clock()
    at = round(START * 1000)
    with Emulator(clock=clock).running() as url, httpx.Client(base_url=url) as http:
        client = Client(http)
        for seconds, kind in [(0, "server"), (1, "x"), (5, "server"), (5, "server"), (1000, "server"), (990, "late")]:
            clock.now = START + seconds
            client.send(event(type=kind, event={"name": f"at{seconds}"}))
        clock.now = START + 1001
        chosen = client.get("events", **{"from": at + 1000, "to": at + 1_000_000})
        counted = client.get("histogram", **{"from": at, "to": at + 6000})
        usual = client.get("histogram")
        found = client.get(
            "histogram", q="@event.name:at5", status="accepted", bucket=1000, **{"from": at, "to": at + 9000}
        )
        backwards = client.get("events", limit=2)["events"]

    assert (names(chosen), chosen["total"]) == (["at990", "at5", "at5", "at1"], 4)
    assert counted == {"bucket": 5000, "from": at, "to": at + 6000, "buckets": [[at, 1, 1], [at + 5000, 2, 0]]}
    assert usual == {
        "bucket": 5000,
        "from": at + 1_001_001 - 900_000,
        "to": at + 1_001_001,
        "buckets": [[at + 990_000, 0, 1], [at + 1_000_000, 1, 0]],
    }
    assert found["buckets"] == [[at + 5000, 2, 0]]
    assert [row[1] for row in backwards] == [at + 990_000, at + 1_000_000]


@pytest.mark.parametrize(
    ("path", "query", "detail", "column"),
    [
        pytest.param("events", {"q": "a ("}, "something is missing at the end", 3, id="search"),
        pytest.param("histogram", {"q": "a)"}, UNEXPECTED, 1, id="histogram"),
        pytest.param("events", {"limit": "0"}, f"limit{WHOLE} 1 to 5000", None, id="limit"),
        pytest.param("events", {"limit": "5001"}, f"limit{WHOLE} 1 to 5000", None, id="limit-high"),
        pytest.param("events", {"limit": "²"}, f"limit{WHOLE} 1 to 5000", None, id="digit"),
        pytest.param("events", {"before": "-1"}, f"before{WHOLE} 0 to 9007199254740992", None, id="before"),
        pytest.param("events", {"from": "9" * 5000}, f"from{WHOLE} 0 to 9007199254740992", None, id="from"),
        pytest.param("events", {"status": "202"}, "status must be one of all, accepted, rejected", None, id="status"),
        pytest.param("histogram", {"bucket": "1", "from": "0", "to": "10001"}, BUCKETS, None, id="buckets"),
        pytest.param("histogram", {"from": "2", "to": "1"}, BUCKETS, None, id="order"),
    ],
)
def test_not_understood(client: Client, path: str, query: dict[str, str], detail: str, column: int | None) -> None:
    """What a route does not understand it says, and in a search where."""
    response = client.http.get(f"/api/emulator/{path}", params=query)

    problem = error(400, "Bad Request", detail)
    if column is not None:
        problem["errors"][0]["column"] = column
    assert (response.status_code, response.json()) == (400, problem)


def test_status_route(client: Client) -> None:
    """The state of the emulator in one answer."""
    client.send(event())
    client.send(b"{")

    status = client.get("status")

    assert {**status, "boot": 0} == {
        "boot": 0,
        "version": status["version"],
        "received": 2,
        "accepted": 1,
        "rejected": 1,
        "kept": 2,
        "faults": [],
        "store": {"trouble": None, "waiting": status["store"]["waiting"], "lost": 0},
    }
    assert status["version"][0].isdigit()


def test_unknown_routes(client: Client) -> None:
    """What is not there is not there, in JSON."""
    wrong = client.http.get("/api/emulator/clear")

    assert client.http.get("/api/v2/logs").json() == error(404, "Not Found", "there is nothing here")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert client.http.get("/api/emulator/events/", follow_redirects=False).status_code == 404


def test_surrogates_are_shown(client: Client) -> None:
    """Text that UTF-8 cannot carry reaches the page escaped."""
    client.send(b'{"event": {"name": "\\ud800"}}')

    response = client.http.get("/api/emulator/events")
    assert b'"\\ud800"' in response.content
