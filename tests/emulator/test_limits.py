from __future__ import annotations

from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from tests.emulator.client import Client, event

OWN = 4
"""Attributes of a bare event: application.id, event.name, type, usr.id."""


def nested(levels: int, value: Any = 1) -> dict[str, Any]:
    """An object whose innermost value has `levels` keys above it."""
    for _ in range(levels):
        value = {"k": value}
    return dict(value)


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        pytest.param({f"k{n}": n for n in range(1000 - OWN)}, 202, id="1000"),
        pytest.param({f"k{n}": n for n in range(1001 - OWN)}, 400, id="1001"),
        pytest.param({"list": list(range(5000))}, 202, id="array-is-one"),
        pytest.param({"list": [{"k": n} for n in range(1000)]}, 400, id="array-of-objects"),
        pytest.param({"list": [{} for n in range(1000)]}, 400, id="empty-objects"),
        pytest.param({"text": "," * 5000 + "{" * 5000}, 202, id="only-text"),
    ],
)
def test_attributes(emulator: Emulator, client: Client, attributes: dict[str, Any], status: int) -> None:
    """An event has at most 1,000 attributes."""
    assert client.send(event(**attributes)).status_code == status
    assert [row.reason for row in emulator.rejected if "attributes, more than 1,000" not in row.reason] == []


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        pytest.param(nested(20), 202, id="20"),
        pytest.param(nested(21), 400, id="21"),
        pytest.param(nested(20, [1, 2]), 202, id="array-at-20"),
        pytest.param(nested(19, [[1]]), 202, id="array-in-array-at-20"),
        pytest.param(nested(20, [[1]]), 400, id="array-in-array-at-21"),
        pytest.param(nested(19, [{"k": 1}]), 202, id="object-in-array-at-20"),
        pytest.param(nested(20, [{"k": 1}]), 400, id="object-in-array-at-21"),
        pytest.param(nested(800), 400, id="800"),
    ],
)
def test_depth(emulator: Emulator, client: Client, attributes: dict[str, Any], status: int) -> None:
    """The path of an attribute has at most 20 keys."""
    assert client.send(event(**attributes)).status_code == status
    assert [row.reason for row in emulator.rejected if "nested deeper than 20 levels" not in row.reason] == []


@pytest.mark.parametrize(("room", "status"), [pytest.param(0, 202, id="1-MB"), pytest.param(1, 400, id="one-more")])
def test_size(emulator: Emulator, client: Client, room: int, status: int) -> None:
    """An event has at most a million bytes."""
    bare = len(client.send(event(text="")).request.content)

    assert client.send(event(text="x" * (1_000_000 - bare + room))).status_code == status
    assert [row.reason for row in emulator.rejected] == ["the event has 1,000,001 bytes, more than 1,000,000"] * room


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000, id="brackets"),
        pytest.param(b'{"a":' * 100_000, id="braces"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="closed-brackets"),
        pytest.param(b'{"a": ' + b"9" * 5_000 + b"}", id="digits"),
        pytest.param(b'{"a": -0.' + b"9" * 5_000 + b"e" + b"9" * 400 + b"}", id="exponent"),
        pytest.param(b'{"a": "' + b"\\ud800" * 1000 + b'"}', id="surrogates"),
        pytest.param(b'{"a": NaN, "b": ' + b"[" * 100_000, id="nan-and-brackets"),
        pytest.param(b"{" + b",".join(b'"%d": {}' % n for n in range(100_000)) + b"}", id="members"),
    ],
)
def test_hostile(emulator: Emulator, client: Client, body: bytes) -> None:
    """Nothing a body can hold is a server error, is kept as an event, or stops the page from showing it."""
    assert client.send(body).status_code == 400
    assert emulator.events == []
    listed = client.get("events", q="a OR NOT a")["events"]
    assert [row[6] for row in listed] == [400]
    assert client.get(f"events/{listed[0][0]}")["raw"][:10] == body[:10].decode()


def test_too_much_is_still_named(client: Client) -> None:
    """An event over a limit is shown with its name and ids, and the beginning of its text."""
    client.send(event(deep=nested(30), account={"id": "acme"}, session={"id": "s"}))

    row = client.get("events")["events"][0]
    detail = client.get(f"events/{row[0]}")
    assert row[2:7] == ["payment.processed", "123", "acme", "s", 400]
    assert (detail["body"], detail["raw"][:15]) == (None, '{"application":')


def test_bounded_number() -> None:
    """The oldest rows go when there are more than wanted; counts and numbers go on."""
    emulator = Emulator(kept=3)
    with emulator.running() as url, httpx.Client(base_url=url) as http:
        client = Client(http)
        for n in range(5):
            client.send(event(n=n))
        page = client.get("events")
        gone = http.get("/api/emulator/events/2").json()["errors"][0]["detail"]

    assert [body["n"] for body in emulator.events] == [2, 3, 4]
    assert [row[0] for row in page["events"]] == [5, 4, 3]
    assert {name: page[name] for name in ("kept", "received", "oldest", "total")} == {
        "kept": 3,
        "received": 5,
        "oldest": 3,
        "total": 3,
    }
    assert gone == "no longer kept"
