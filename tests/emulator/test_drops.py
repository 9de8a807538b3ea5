"""What programs report of events that they dropped before they sent them."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator

PATH = "/api/emulator/drops"
JSON = {"content-type": "application/json"}


def drop(name: str = "order.placed", reason: str = "unlinked", count: Any = 1) -> dict[str, Any]:
    return {"name": name, "reason": reason, "count": count}


def ask(emulator: Emulator, method: str, **options: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=emulator)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, PATH, **options)

    return asyncio.run(asked())


def test_drops_add_up() -> None:
    """By reason and name, the latest first; and are forgotten with the rest."""
    emulator = Emulator()
    for report in ([drop(count=2), drop("a")], [drop()]):
        assert ask(emulator, "POST", json={"drops": report}).status_code == 200
    answer = ask(emulator, "GET").json()

    assert answer["total"] == 4
    assert [(found["name"], found["count"]) for found in answer["drops"]] == [("order.placed", 3), ("a", 1)]
    emulator.clear()
    assert ask(emulator, "GET").json() == {"total": 0, "drops": []}


def test_the_oldest_names_give_way() -> None:
    """A program that makes names up fills no memory."""
    emulator = Emulator()
    for first in range(0, 2_000, 500):
        ask(emulator, "POST", json={"drops": [drop(f"n{number}") for number in range(first, first + 500)]})

    names = [found["name"] for found in ask(emulator, "GET").json()["drops"]]
    assert (len(names), names[0], names[-1]) == (500, "n1999", "n1500")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"drops": 1}', b'{"drops": [{}]}', b'{"drops": [1]}', b"[" * 100_000],
    ids=lambda body: body[:20].decode() or "empty",
)
def test_what_is_no_report(body: bytes) -> None:
    """It is refused, with how one looks."""
    answer = ask(Emulator(), "POST", content=body, headers=JSON)

    assert (answer.status_code, "a report is" in answer.text) == (400, True)


@pytest.mark.parametrize("count", [0, -1, True, 2**60, "1", None])
def test_counts_that_make_no_sense(count: Any) -> None:
    assert ask(Emulator(), "POST", json={"drops": [drop(count=count)]}).status_code == 400


def test_too_much_text() -> None:
    answer = ask(Emulator(), "POST", content=b" " * 300_000, headers=JSON)

    assert answer.status_code == 413


def test_other_pages_cannot_report() -> None:
    """As with each route of the page."""
    headers = JSON | {"origin": "https://elsewhere.example"}

    assert ask(Emulator(), "POST", content=b'{"drops": []}', headers=headers).status_code == 403
