from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.page.assets import VIEWS as PAGES
from tests.emulator.client import INTAKE, KEY

VIEWS = "/api/emulator/views"


@contextmanager
def asking(emulator: Emulator) -> Iterator[httpx.Client]:
    with emulator.running() as url, httpx.Client(base_url=url, timeout=20) as http:
        yield http


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with asking(Emulator()) as http:
        yield http


def save(http: httpx.Client, name: Any, address: Any) -> int:
    return int(http.post(VIEWS, json={"name": name, "address": address}).status_code)


def names(http: httpx.Client) -> list[tuple[str, str]]:
    return [(view["name"], view["address"]) for view in http.get(VIEWS).json()["views"]]


def test_views_are_kept_by_name(http: httpx.Client) -> None:
    """One of the same name replaces the other; deleting twice is no error."""
    assert save(http, "weekly", "/funnel?step=event:a") == 201
    assert save(http, " by plan ", "/explore?by=@plan") == 201
    assert save(http, "weekly", "/funnel?step=event:b") == 201
    assert names(http) == [("by plan", "/explore?by=@plan"), ("weekly", "/funnel?step=event:b")]

    for _ in range(2):
        assert (
            http.request("DELETE", f"{VIEWS}/weekly", headers={"content-type": "application/json"}).status_code == 204
        )
    assert names(http) == [("by plan", "/explore?by=@plan")]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        pytest.param("", "/", id="no name"),
        pytest.param("x" * 101, "/", id="a long name"),
        pytest.param("a\u202eb", "/", id="a name that turns around"),
        pytest.param(7, "/", id="a number"),
        pytest.param("a", "https://evil.example/", id="another host"),
        pytest.param("a", "//evil.example/", id="another host without a scheme"),
        pytest.param("a", "/\\evil.example", id="another host for some browsers"),
        pytest.param("a", "javascript:alert(1)", id="a script"),
        pytest.param("a", "/api/emulator/clear", id="no page"),
        pytest.param("a", "/./api/emulator/clear", id="no page by a detour"),
        pytest.param("a", "/sessions/../api/emulator/clear", id="no page by another"),
        pytest.param("a", None, id="nothing"),
    ],
)
def test_only_addresses_of_the_page_are_saved(http: httpx.Client, name: Any, address: Any) -> None:
    assert save(http, name, address) == 400
    assert names(http) == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"1"])
def test_a_body_that_is_no_view(http: httpx.Client, body: bytes) -> None:
    assert http.post(VIEWS, content=body, headers={"content-type": "application/json"}).status_code == 400


def test_other_pages_cannot_save(http: httpx.Client) -> None:
    """The guard's rules hold here too."""
    assert http.post(VIEWS, content=b"{}").status_code == 403
    foreign = {"origin": "http://evil.example", "content-type": "application/json"}
    assert http.post(VIEWS, content=b"{}", headers=foreign).status_code == 403
    assert http.post(VIEWS, content=b" " * 20_000, headers={"content-type": "application/json"}).status_code == 413


@pytest.mark.parametrize("page", PAGES)
def test_every_page_can_be_saved(http: httpx.Client, page: str) -> None:
    """What the emulator serves as a page is an address that a view may have, with whatever stands in its query."""
    for address in (page.replace("{id:path}", "a-session"), page.replace("{id:path}", "s") + "?last=90d&q=%40a%3Ab"):
        answer = http.post(VIEWS, json={"name": "one", "address": address})

        assert answer.status_code == 201, answer.text
        assert names(http) == [("one", address)]


def test_views_survive_a_restart_with_a_data_folder(tmp_path: Path) -> None:
    first = Emulator(data=tmp_path / "data")
    with asking(first) as http:
        assert save(http, "weekly", "/funnel") == 201
    first.close()
    again = Emulator(data=tmp_path / "data")

    with asking(again) as http:
        assert names(http) == [("weekly", "/funnel")]
    again.close()


def test_a_name_may_hold_anything_printable(http: httpx.Client) -> None:
    """Also what separates the parts of an address."""
    name = "50 % of a/b? #1"
    assert save(http, name, "/paths") == 201
    http.request("DELETE", f"{VIEWS}/{quote(name, safe='')}", headers={"content-type": "application/json"})

    assert names(http) == []


@pytest.mark.parametrize("content", ["{", "[]", "7", json.dumps({"a": "//evil"})])
def test_a_damaged_file_is_passed_over(tmp_path: Path, content: str) -> None:
    """What is saved next replaces it."""
    folder = tmp_path / "data"
    Emulator(data=folder).close()
    (folder / "views.json").write_text(content)
    emulator = Emulator(data=folder)

    with asking(emulator) as http:
        assert names(http) == []
        assert save(http, "weekly", "/funnel") == 201
    emulator.close()


def test_one_bad_entry_does_not_lose_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    Emulator(data=folder).close()
    (folder / "views.json").write_text(json.dumps({"a": "//evil", "b": "/paths"}))
    emulator = Emulator(data=folder)

    with asking(emulator) as http:
        assert names(http) == [("b", "/paths")]
    emulator.close()


def test_facets_are_those_of_the_events(http: httpx.Client) -> None:
    event = {"type": "server", "application": {"id": "a"}, "event": {"name": "x"}, "usr": {"id": "u"}, "plan": "pro"}
    assert http.post(INTAKE, json=event, headers={"dd-api-key": KEY}).status_code == 202

    assert {"@event.name", "@plan", "@usr.id"} <= set(http.get("/api/emulator/facets").json()["facets"])
