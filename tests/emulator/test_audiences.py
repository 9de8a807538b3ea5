from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.query.kept_segments import KeptSegments, SegmentsError, load_segments
from tests.emulator.asking import SCALAR, START, analytics, ask, stored, table

Engine = tuple[Emulator, httpx.Client]
ADA = {"id": "u1", "name": "Ada", "email": "ada@x.test", "plan": {"seats": 5}}
SEGMENT = "00000000-0000-0000-0000-00000000000A"


@pytest.fixture
def people(engine: Engine) -> Engine:
    """Three users of two accounts."""
    rows = [
        (0, {"type": "server", "event": {"name": "a"}, "usr": {"id": "u1"}, "account": {"id": "acme", "name": "Acme"}}),
        (1, {"type": "view", "usr": ADA, "session": {"id": "s1"}, "view": {"name": "home"}}),
        (2, {"type": "server", "event": {"name": "b"}, "usr": {"id": "u1"}, "session": {"id": "s2"}}),
        (3, {"type": "server", "event": {"name": "a"}, "usr": {"id": "u2"}, "account": {"id": "acme"}}),
        (4, {"type": "server", "event": {"name": "a"}, "usr": {"id": "u3"}, "account": {"id": "globex"}}),
        (5, {"type": "server", "event": {"name": "a"}, "session": {"id": "s3"}}),
    ]
    stored(engine[0], [(START + 1_000 * n, body) for n, body in rows])
    return engine


def asked(engine: Engine, path: str, **attributes: Any) -> dict[str, Any]:
    """The attributes of an answer."""
    kinds = {
        "users/query": "query_users_request",
        "users/event_filtered_query": "query_event_filtered_users_request",
        "accounts/query": "query_account_request",
    }
    return ask(engine[1], path, kinds.get(path, "users_facet_info_request"), attributes)


def test_users(people: Engine) -> None:
    """What events tell about a user, the latest name and e-mail too; the one seen last comes first."""
    answer = asked(people, "users/query", limit=10)

    assert [hit["user_id"] for hit in answer["hits"]] == ["u3", "u2", "u1"]
    assert answer["total"] == 3
    assert answer["hits"][2] == {
        "user_id": "u1",
        "first_seen": "2026-09-21T14:13:20.000Z",
        "last_seen": "2026-09-21T14:13:22.000Z",
        "events_count": 3,
        "session_count": 2,
        "view_count": 1,
        "action_count": 0,
        "error_count": 0,
        "user_name": "Ada",
        "user_email": "ada@x.test",
        "user_plan_seats": 5,
    }


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"query": "user_email:*@x.test"}, ["u1"]),
        ({"query": "@usr.email:*@x.test"}, ["u1"]),
        ({"query": "events_count:>1 OR user_id:u3"}, ["u3", "u1"]),
        ({"query": "user_plan_seats:[5 TO 9]"}, ["u1"]),
        ({"wildcard_search_term": "ADA"}, ["u1"]),
        ({"sort": {"field": "user_id", "order": "ASC"}}, ["u1", "u2", "u3"]),
        ({"sort": {"field": "user_email", "order": "DESC"}, "limit": 2}, ["u1", "u3"]),
    ],
)
def test_users_found(people: Engine, attributes: dict[str, Any], found: list[str]) -> None:
    """Users are searched without @ or by facets, sorted, and cut."""
    answer = asked(people, "users/query", **{"limit": 10, **attributes, "select_columns": ["user_id"]})

    assert answer["hits"] == [{"user_id": identity} for identity in found]


def test_active_users(people: Engine) -> None:
    """Users can be asked for by what they did, in a time range in seconds."""
    query = {"query": "@event.name:a", "time_frame": {"start": START // 1000, "end": START // 1000 + 3}}
    counted = {"limit": 5, "event_query": query, "select_columns": ["user_id"]}

    assert asked(people, "users/event_filtered_query", **counted, include_row_count=True) == {
        "hits": [{"user_id": "u2"}, {"user_id": "u1"}],
        "total": 2,
    }
    assert "total" not in asked(people, "users/event_filtered_query", **counted)


def test_accounts(people: Engine) -> None:
    """Accounts are known by their events, with the number of their users."""
    columns = ["account_id", "account_name", "user_count"]
    answer = asked(people, "accounts/query", limit=10, query="user_count:>1", select_columns=columns)

    assert answer == {"hits": [{"account_id": "acme", "account_name": "Acme", "user_count": 2}], "total": 1}


def test_facet_info(people: Engine) -> None:
    """Values of an attribute with the number of users, or the range of numbers."""
    names = asked(people, "users/facet_info", facet_id="user_id", limit=2, term_search={"value": "U"})
    counts = asked(people, "users/facet_info", facet_id="events_count", limit=2)
    narrowed = asked(people, "accounts/facet_info", facet_id="account_id", limit=9, search={"query": "user_count:1"})

    assert names == {"result": {"values": [{"value": "u1", "count": 1}, {"value": "u2", "count": 1}]}}
    assert counts == {"result": {"range": {"min": 1, "max": 3}}}
    assert narrowed == {"result": {"values": [{"value": "globex", "count": 1}]}}


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ({"users": "events_count:>1"}, [(1.0,)]),
        ({"accounts": "account_name:Acme"}, [(2.0,)]),
        ({"user_ids": ["u2", "u3"]}, [(2.0,)]),
        ({"account_ids": []}, []),
    ],
)
def test_segments(tmp_path: Path, segment: dict[str, Any], expected: list[Any]) -> None:
    """Queries name the segments of the file that the emulator was started with."""
    file = tmp_path / "segments.json"
    file.write_text(json.dumps({SEGMENT: segment}))
    emulator = Emulator(segments=file)
    names = [("u1", "acme", "Acme"), ("u2", "acme", None), ("u3", "globex", None)]
    bodies = [{"usr": {"id": usr}, "account": {"id": one, "name": name}} for usr, one, name in names]
    stored(emulator, [(START, {"type": "server", "event": {"name": "a"}, **body}) for body in bodies])
    stored(emulator, [(START, {"type": "server", "event": {"name": "b"}, "usr": {"id": "u1"}})])
    filters = {"segments": [{"name": "s", "segment_id": SEGMENT.lower()}]}
    with emulator.running() as url, httpx.Client(base_url=url, timeout=60) as http:
        answer = ask(http, "analytics/scalar", SCALAR, analytics("@event.name:a", audience_filters=filters))
    emulator.close()

    assert table(answer) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("{", "is not JSON", id="syntax"),
        pytest.param("[]", "must hold a JSON object", id="array"),
        pytest.param('{"s": {}}', "must have exactly one of users, accounts, user_ids, account_ids", id="empty"),
        pytest.param('{"s": {"users": "a", "accounts": "b"}}', "must have exactly one of", id="two"),
        pytest.param('{"s": {"users": 1}}', "must be a search", id="type"),
        pytest.param('{"s": {"users": "a:("}}', "column 4: something is missing at the end", id="search"),
        pytest.param('{"s": {"user_ids": [1]}}', "must be an array of strings", id="ids"),
    ],
)
def test_broken_segments(tmp_path: Path, content: str, reason: str) -> None:
    """A file that cannot be used is said at the start."""
    file = tmp_path / "segments.json"
    file.write_text(content)

    with pytest.raises(SegmentsError, match=reason):
        KeptSegments(load_segments(file))
    with pytest.raises(SegmentsError, match="cannot be read"):
        load_segments(tmp_path / "none.json")
