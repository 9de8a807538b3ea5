"""The emulator and the tracking plan: what is declared, what differs from it, and what was never seen."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator, PlanFileError
from dd_pa.emulator.server import CannotServeError
from dd_pa.emulator.service import Service

KEY = {"dd-api-key": "a" * 32}
JSON = {"content-type": "application/json"}
SESSION = "0b5c8a5e-6b1b-4b8e-9d53-2f3b6a0f4c11"


def typed(*kinds: str, **rest: Any) -> dict[str, Any]:
    return {"types": [{"kind": kind} for kind in kinds], **rest}


LINE = {"sku": typed("text"), "price": typed("number", required=False)}
FIELDS = {
    "total": {"types": [{"kind": "number", "limits": {"minimum": 0}}]},
    "state": {"types": [{"kind": "text", "values": ["new", "paid"]}]},
    "day": {"types": [{"kind": "text", "format": "date"}], "required": False},
    "lines": {"types": [{"kind": "list", "items": [{"kind": "object", "fields": LINE}]}], "required": False},
    "counts": {"types": [{"kind": "map", "items": [{"kind": "integer"}]}, {"kind": "null"}], "required": False},
    "email": typed("text", personal=True),
    "code": {"types": [{"kind": "text", "limits": {"pattern": "^[A-Z]+$"}}], "required": False},
}
PLACED = {"name": "order.placed", "fields": FIELDS, "owner": "shop", "description": "A customer\nhas ordered."}
LOCK: dict[str, Any] = {"version": 1, "events": [PLACED, {"name": "order.sent"}]}
GOOD: dict[str, Any] = {"total": 5, "state": "new"}


def event(name: str = "order.placed", **attributes: Any) -> dict[str, Any]:
    fixed = {"type": "server", "application": {"id": "demo"}, "event": {"name": name}, "usr": {"id": "user-1"}}
    return {**fixed, "session": {"id": SESSION}, "service": "shop", **attributes}


class Page:
    """Asks an emulator without a socket."""

    def __init__(self, *plans: Path, **options: Any) -> None:
        self.emulator = Emulator(plans=plans, **options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.emulator)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=KEY) as client:
                return await client.request(method, path, **options)

        return asyncio.run(asked())

    def get(self, path: str) -> Any:
        return self.ask("GET", f"/api/emulator/{path}").json()

    def tell(self, plan: object, key: str = "k", service: str = "shop") -> httpx.Response:
        return self.ask("POST", "/api/emulator/plan", json={"key": key, "service": service, "plan": plan})

    def send(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            assert self.ask("POST", "/api/v2/prodlytics", json=body).status_code == 202

    def marks(self) -> dict[str, list[str] | None]:
        return {row[2]: row[12] for row in self.get("events")["events"]}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "events.lock.json"
    path.write_text(json.dumps(LOCK))
    return path


@pytest.mark.parametrize(
    ("changes", "findings"),
    [
        ({}, []),
        ({"counts": None, "day": "2026-11-27", "lines": [{"sku": "a"}]}, []),
        ({"email": "0" * 32}, []),
        ({"total": "5"}, [["total", "is '5', and not a number"]]),
        ({"total": True}, [["total", "is true, and not a number"]]),
        ({"total": -1}, [["total", "is beyond minimum 0"]]),
        ({"state": "lost"}, [["state", "is 'lost', and not one of 'new', 'paid'"]]),
        ({"state": ...}, [["state", "is missing"]]),
        ({"day": "today"}, [["day", "is 'today', and not a date"]]),
        ({"code": "a"}, [["code", "is 'a', and does not match ^[A-Z]+$"]]),
        ({"counts": {"a": 1.5, "b": 2.0}}, [["counts.a", "is 1.5, and not a whole number"]]),
        ({"counts": []}, [["counts", "is a list, and not a map of a whole number or null"]]),
        ({"lines": [{"sku": "a"}, {"sku": 1}]}, [["lines[1].sku", "is 1, and not a text"]]),
        ({"lines": [{"prise": 1, "sku": "a"}]}, [["lines[0].prise", "is not declared; price is"]]),
        ({"dayy": "x", "other": 1}, [["dayy", "is not declared; day is"], ["other", "is not declared"]]),
        ({"total": None, "counts": 1}, [
            ["total", "is null, and not a number"], ["counts", "is 1, and not a map of a whole number or null"],
        ]),
        ({"dd": {"trace_id": "1"}, "version": "1"}, []),
    ],
    ids=str,
)  # fmt: skip
def test_differences(plan: Path, changes: dict[str, Any], findings: list[list[str]]) -> None:
    """Each attribute that is not as declared is named, with what it is and what it should be."""
    page = Page(plan)
    page.send({key: value for key, value in {**event(**GOOD), **changes}.items() if value is not ...})
    [row] = page.get("events")["events"]
    said = page.get(f"events/{row[0]}")["off_plan"]

    assert said == ({"kind": "off", "findings": findings} if findings else None)
    assert (row[12] is None) == (not findings)


def test_names(plan: Path) -> None:
    """A misspelt one is told from one that is on no plan, in the list and in the session's timeline."""
    page = Page(plan)
    page.send(event(**GOOD), event("order.place"), event("OrderPlaced"), event("order.paid"), event("order.sent", x=1))
    timeline = page.get(f"sessions/{SESSION}")["events"]

    assert page.marks() == {
        "order.placed": None,
        "order.place": ["off", "order.place is not declared; order.placed is"],
        "OrderPlaced": ["off", "OrderPlaced is not declared; order.placed is"],
        "order.paid": ["undeclared", "order.paid is not declared"],
        "order.sent": ["off", "x is not declared"],
    }
    assert [moment["off_plan"] and moment["off_plan"]["kind"] for moment in timeline] == [
        None, "off", "off", "undeclared", "off",
    ]  # fmt: skip


def test_the_catalogue(plan: Path) -> None:
    """What is declared, when it was last seen, how often, by whom, and what differed."""
    page = Page(plan)
    page.send(event(**GOOD), event(**GOOD, service="jobs"), event(**GOOD), event(total=1), event("order.paid"))
    first = page.get("plan")
    page.send(event(total=1))
    placed, sent = page.get("plan")["events"]
    fields = {field["path"]: field for field in placed.pop("fields")}

    assert placed.pop("last_ms") > 0
    assert placed == {
        "name": "order.placed",
        "description": "A customer\nhas ordered.",
        "owner": "shop",
        "deprecated": None,
        "source": "",
        "count": 5,
        "services": ["shop", "jobs"],
        "off_plan": 2,
        "problems": [["state is missing", 2]],
        "last_off": 6,
    }
    assert first["events"][0]["off_plan"] == 1
    assert (sent["name"], sent["count"], sent["last_ms"]) == ("order.sent", 0, None)
    assert fields["lines"]["types"] == "a list of an object"
    assert fields["lines[].price"]["required"] is False
    assert fields["email"]["personal"] is True
    [undeclared] = first["undeclared"]
    assert (undeclared["name"], undeclared["nearest"], undeclared["count"]) == ("order.paid", None, 1)
    page.emulator.clear()
    assert [(found["count"], found["off_plan"]) for found in page.get("plan")["events"]] == [(0, 0), (0, 0)]


def test_without_a_plan() -> None:
    """Nothing is marked, and nothing is asked of the database."""
    page = Page()
    page.send(event())

    assert page.get("plan") == {"revision": 0, "events": [], "undeclared": []}
    assert page.marks() == {"order.placed": None}


def test_applications_tell_their_plans() -> None:
    """Each has one, the last that it told; what two declare differently is right in either way."""
    page = Page()
    page.send(event(total=1), event("order.sent"))
    for key, fields in (
        ("a", {"total": typed("text")}),
        ("b", {"total": typed("integer")}),
        ("b", {"total": typed("integer")}),
    ):
        assert page.tell({"version": 1, "events": [{"name": "order.placed", "fields": fields}]}, key).status_code == 200
    both = page.get("events")["plan"], page.marks()
    page.tell({"version": 1, "events": []}, "b")

    assert both == (2, {"order.placed": None, "order.sent": ["undeclared", "order.sent is not declared"]})
    assert page.marks()["order.placed"] == ["off", "total is 1, and not a text"]


def test_two_services_that_declare_one_event() -> None:
    """The catalogue says what both say: owners, descriptions, and each type that a field may have."""
    page = Page()
    mine = {"name": "order.placed", "owner": "shop", "description": "Placed.", "fields": {"a": typed("text")}}
    other = {"a": typed("integer", personal=True), "b": typed("text")}
    theirs = {"name": "order.placed", "owner": "billing", "description": "Placed.", "fields": other}
    for key, event in (("k", mine), ("l", theirs)):
        assert page.tell({"version": 1, "events": [event]}, key, key).status_code == 200

    [found] = page.get("plan")["events"]
    assert (found["owner"], found["description"]) == ("shop, billing", "Placed.")
    assert [(field["path"], field["types"], field["required"], field["personal"]) for field in found["fields"]] == [
        ("a", "a text or a whole number", True, True),
        ("b", "a text", False, False),
    ]


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (None, "this is no lock file of events"),
        ({"version": 2, "events": []}, "it is of version 2, and this emulator knows 1: update dd-pa"),
        ({"version": 1, "events": [1]}, "an event is no object"),
        ({"version": 1, "events": [{}]}, "an event has no name"),
        ({"version": 1, "events": [{"name": "a", "fields": {"b": {}}}]}, "a.b has no list of types"),
        ({"version": 1, "events": [{"name": "a", "fields": {"b": typed("blob")}}]}, "a.b is of an unknown type"),
        ({"version": 1, "events": [{"name": "a", "owner": 1}]}, "owner of a is no text"),
    ],
    ids=str,
)
def test_what_is_no_plan(tmp_path: Path, plan: object, problem: str) -> None:
    """It is refused with the reason, over HTTP as on the command line."""
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    answer = Page().tell(plan)

    assert (answer.status_code, problem in answer.text) == (400, True)
    with pytest.raises(PlanFileError, match=r"plan\.json: "):
        Emulator(plans=[tmp_path / "plan.json"])
    with pytest.raises(CannotServeError, match=r"none\.json cannot be read: No such file"):
        Service(host="127.0.0.1", port=0, plans=[tmp_path / "none.json"]).run()


def test_what_is_no_report() -> None:
    """A plan is told with who tells it, and is of a bounded size."""
    page = Page()
    assert page.ask("POST", "/api/emulator/plan", json={"plan": LOCK}).status_code == 400
    assert page.ask("POST", "/api/emulator/plan", content=b"x" * (5 * 1024 * 1024), headers=JSON).status_code == 413
    deep: dict[str, Any] = typed("text")
    for _ in range(60):
        deep = {"types": [{"kind": "object", "fields": {"a": deep}}]}
    assert "deeper than" in page.tell({"version": 1, "events": [{"name": "a", "fields": {"b": deep}}]}).text
