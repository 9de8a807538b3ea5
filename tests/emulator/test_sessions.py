from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.http.answers import ACCEPTED
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.rum.batch import BrowserEvent
from dd_pa.emulator.search.search import compile_search
from dd_pa.emulator.sessions.session import MAX_EVENTS, Session
from dd_pa.emulator.sessions.store import Sessions
from tests.emulator.browser import SESSION, VIEW, line, send, view
from tests.emulator.client import Client, event

AT = 1_795_424_019_126
ADA = {"id": "u-42", "name": "Ada", "email": "ada@example.com", "anonymous_id": "1380af20-b3a3-45a5-a016-4bae046e2537"}
MS = 1_000_000


def server_event(name: str, at: int, session: str = SESSION, **members: Any) -> dict[str, Any]:
    """An event of our client in this session."""
    own = {"event_id": f"{name}-{at}", "occurred_at": at}
    return event(event={"name": name}, session={"id": session}, dd_pa=own, **members)


@pytest.fixture
def visit(client: Client) -> Client:
    """A visit with everything in it: pages, clicks, errors, requests and server events between them."""
    send(
        client.http,
        view(1, AT, view={"id": VIEW, "url": "http://shop.test/basket?x=1", "is_active": True}),
        line("action", AT + 100, action={"id": "a1", "type": "click", "target": {"name": "Buy"}}, usr=ADA),
        line(
            "resource",
            AT + 110,
            resource={"id": "r1", "method": "POST", "url": "http://shop.test/pay?x", "duration": 5 * MS}
            | {"status_code": 201},
            _dd={"trace_id": "15573071988746209324", "span_id": "7"},
            action={"id": ["a1"]},
        ),
        line("error", AT + 300, error={"id": "e1", "message": "boom", "source": "console"}),
        line("long_task", AT + 320, long_task={"id": "l1", "duration": 60 * MS, "entry_type": "long-task"}),
        line("vital", AT + 330, vital={"id": "x1", "name": "checkout", "type": "duration"}),
    )
    trace = {"trace_id": "0000000000000000d81eaa76cecdc82c", "span_id": "42"}
    client.send(server_event("payment.processed", AT + 112, usr={"id": "u-42"}, account={"id": "acme"}, dd=trace))
    client.send(server_event("late.job", AT + 900_000, usr={"id": "u-42"}))
    spent = {"id": VIEW, "url": "http://shop.test/basket?x=1", "name": "Basket", "time_spent": 4_000 * MS}
    send(client.http, view(2, AT, view=spent, usr=ADA))
    return client


def test_timeline(visit: Client) -> None:
    """Server events stand between those of the browser, in the order in which all happened."""
    found = visit.get(f"sessions/{SESSION}")
    events = found["events"]

    assert [(entry["kind"], entry["name"], entry["detail"], entry["at"] - AT) for entry in events] == [
        ("view", "Basket", "http://shop.test/basket?x=1", 0),
        ("action", "Buy", "click", 100),
        ("resource", "POST /pay", "201", 110),
        ("server", "payment.processed", None, 112),
        ("error", "boom", "console", 300),
        ("long_task", "long task", "long-task", 320),
        ("vital", "checkout", "duration", 330),
        ("server", "late.job", None, 900_000),
    ]
    assert [entry["duration_ms"] for entry in events[:5]] == [4000, None, 5, None, None]


def test_one_event_of_a_timeline(visit: Client) -> None:
    """A server event carries its ids, and leads to its row; its trace is the one of the browser's request."""
    events = visit.get(f"sessions/{SESSION}")["events"]
    request, payment = events[2], events[3]
    row = visit.get(f"events/{payment['row']}")

    assert {key: payment[key] for key in ("usr", "account", "view", "trace_id", "span_id", "event_id")} == {
        "usr": "u-42",
        "account": "acme",
        "view": None,
        "trace_id": "0000000000000000d81eaa76cecdc82c",
        "span_id": "42",
        "event_id": f"payment.processed-{AT + 112}",
    }
    assert payment["body"] == row["body"]
    assert (request["view"], request["action"], request["trace_id"]) == (VIEW, "a1", "15573071988746209324")
    assert payment["trace_key"] == request["trace_key"] == "d81eaa76cecdc82c"


def test_head(visit: Client) -> None:
    """The list says who it was, from when to when, and how much of what happened."""
    found = visit.get("sessions")
    [head] = found["sessions"]

    assert (found["total"], found["next"]) == (1, None)
    assert {**head, "change": 0} == {
        "id": SESSION,
        "change": 0,
        "usr": {"id": "u-42", "name": "Ada", "email": "ada@example.com"},
        "account": {"id": "acme"},
        "anonymous_id": ADA["anonymous_id"],
        "application_id": "123abcde-123a-123b-1234-123456789abc",
        "start": AT,
        "end": AT + 900_000,
        "counts": {"view": 1, "action": 1, "error": 1, "resource": 1, "long_task": 1, "vital": 1, "server": 2},
        "last_page": {"name": "Basket", "url": "http://shop.test/basket?x=1", "at": AT, "is_active": None},
        "browser": {"name": "Chrome", "version": "140", "os": "Linux"},
        "sdk_version": "7.16.2",
        "service": "shop",
    }


def test_rejected_events_are_no_part(client: Client) -> None:
    """An event that was refused did not happen; one without a session belongs to none."""
    client.send(server_event("refused", AT) | {"type": "client"})
    client.send(event())

    assert client.get("sessions")["sessions"] == []
    assert client.http.get(f"/api/emulator/sessions/{SESSION}").status_code == 404


def test_sent_twice_is_shown_once(client: Client) -> None:
    """What a client sent again because it saw no answer happened once."""
    for _ in range(2):
        client.send(server_event("paid", AT))
        send(client.http, view(1), line("action", action={"id": "a", "type": "click"}), line("error"))

    counts = client.get("sessions")["sessions"][0]["counts"]
    assert {kind: counts[kind] for kind in ("view", "action", "error", "server")} == {
        "view": 1,
        "action": 1,
        "error": 2,
        "server": 1,
    }


def test_list_is_paged_newest_first(client: Client) -> None:
    """The session that began last comes first, however many parts are read."""
    for n in (2, 0, 4, 1, 3):
        client.send(server_event("e", AT + n, session=f"s{n}"))
    found, cursor = [], ""
    while cursor is not None:
        page = client.get("sessions", limit=2, before=cursor)
        found.append([head["id"] for head in page["sessions"]])
        cursor = page["next"]

    assert found == [["s4", "s3"], ["s2", "s1"], ["s0"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@usr.id:u-42", [SESSION]),
        ("@event.name:payment.*", [SESSION]),
        ("@action.target.name:Buy", [SESSION]),
        ("@type:error boom", [SESSION]),
        ("@usr.id:nobody", []),
    ],
)
def test_search(visit: Client, text: str, found: list[str]) -> None:
    """A session is found when one of its events is."""
    assert [head["id"] for head in visit.get("sessions", q=text)["sessions"]] == found


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param({"q": "@a:"}, "something is missing at the end", id="search"),
        pytest.param({"before": "x"}, "before must be what next said", id="cursor"),
        pytest.param({"limit": "501"}, "limit must be a whole number from 1 to 500", id="limit"),
    ],
)
def test_what_is_not_understood(client: Client, query: dict[str, str], reason: str) -> None:
    """A wrong parameter is answered with the reason."""
    response = client.http.get("/api/emulator/sessions", params=query)

    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"] == reason


def test_odd_session_ids(client: Client) -> None:
    """A server event may name any session; it is found under that name."""
    client.send(server_event("e", AT, session="a/b ü?"))

    assert client.get("sessions/a%2Fb%20%C3%BC%3F")["session"]["id"] == "a/b ü?"


def test_cleared(emulator: Emulator, visit: Client) -> None:
    """A clear takes the sessions too, on the page as in a test."""
    visit.command("POST", "clear")

    assert visit.get("sessions")["total"] == 0
    assert emulator.browser_events == []


def test_changes(client: Client, url: str) -> None:
    """A page follows which sessions change, from the moment that its list showed."""
    client.send(server_event("e", AT, session="before"))
    change = client.get("sessions")["change"]
    client.send(server_event("e", AT, session="missed"))

    with (
        httpx.Client(base_url=url, timeout=20) as http,
        http.stream("GET", f"/api/emulator/changes?after={change}") as stream,
    ):
        lines = stream.iter_lines()
        hello = next(text for text in lines if text.startswith("data: "))
        missed = next(text for text in lines if text.startswith("data: "))
        send(client.http, view(1))
        live = next(text for text in lines if text.startswith("data: "))

    assert json.loads(hello[6:])["change"] == change + 1
    assert json.loads(missed[6:]) == {"change": change + 1, "ids": ["missed"]}
    assert json.loads(live[6:]) == {"change": change + 2, "ids": [SESSION]}


def row(seq: int, session: str, size: int = 100) -> Row:
    """A server event that was taken."""
    return Row(
        seq=seq,
        received_ms=seq,
        status=202,
        reason=None,
        reason_path=None,
        body=server_event("e", seq, session=session),
        raw=None,
        size=size,
        encoding=None,
        headers=(),
        answer=ACCEPTED,
    )


def test_bounded_number_and_bytes() -> None:
    """Sessions that rest the longest go; a session that alone is too large loses its oldest events."""
    few, small = Sessions(max_sessions=3), Sessions(max_bytes=1_000)
    for seq, session in enumerate("abcad"):
        few.take_row(row(seq, session))
    for seq in range(30):
        small.take_row(row(seq, "large" if seq > 5 else "old"))
    detail = small.detail("large")

    assert sorted(head["id"] for head in few.find(compile_search(""), None, 10).heads) == ["a", "c", "d"]
    assert small.detail("old") is None
    assert detail is not None
    assert [entry["at"] for entry in detail["events"]] == list(range(20, 30))


def test_bounded_events_of_a_session() -> None:
    """A session that never ends keeps its newest events."""
    session = Session("s")
    for seq in range(MAX_EVENTS + 5):
        session.take(row(seq, "s"))

    assert len(session) == MAX_EVENTS
    assert session.moments()[0].at == 5
    assert session.head()["start"] == 0


def test_growing_view_is_counted_once() -> None:
    """A view that is sent a thousand times takes the room of its last version."""
    session = Session("s")
    for version in range(1_000):
        body = view(version)
        session.take(
            BrowserEvent(body=body, kind="view", session_id="s", date_ms=AT, size=500 + version, received_ms=AT)
        )

    assert (len(session), session.size) == (1, 1_499)


@pytest.mark.parametrize(
    ("agent", "browser"),
    [
        pytest.param("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", ("Edge", "Windows"), id="e"),
        pytest.param(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("Firefox", "Linux"), id="f"
        ),
        pytest.param(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
            ("Safari", "iOS"),
            id="safari",
        ),
        pytest.param("curl/8.5", None, id="none"),
    ],
)
def test_browser(client: Client, agent: str, browser: tuple[str, str] | None) -> None:
    """The browser is recognised as far as a reader of the list needs it."""
    send(client.http, view(1), user_agent=agent)

    found = client.get("sessions")["sessions"][0]["browser"]
    assert (found and (found["name"], found["os"])) == browser
