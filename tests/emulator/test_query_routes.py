from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.query.former_events import FORMER
from tests.emulator.asking import KEYS, QUERIES, SCALAR, analytics, ask, post, table
from tests.emulator.browser import SESSION, VIEW, line, send, view
from tests.emulator.client import Client, event


def until_later(*args: Any, **more: Any) -> dict[str, Any]:
    """The attributes of a request over all times that tests use."""
    return analytics(*args, **more) | {"to": 4_000_000_000_000}


EMPTY = {"columns": [{"name": "query", "type": "number", "values": [], "meta": {"unit": None}}]}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="both-keys"),
        pytest.param({"dd_api_key": ""}, 403, id="no-api-key"),
        pytest.param({"dd_application_key": ""}, 403, id="no-application-key"),
        pytest.param({"dd_api_key": "", "dd_application_key": ""}, 403, id="nothing"),
        pytest.param({"dd_api_key": "", "dd_application_key": "", "authorization": "Bearer t"}, 200, id="bearer"),
        pytest.param({"dd_api_key": "", "dd_application_key": "", "authorization": "Basic t"}, 403, id="basic"),
        pytest.param({"dd_api_key": "", "dd_application_key": "", "sec_fetch_site": "same-origin"}, 200, id="own-page"),
        pytest.param({"sec_fetch_site": "cross-site"}, 403, id="other-page"),
        pytest.param({"origin": "https://evil.example"}, 403, id="other-origin"),
    ],
)
def test_who_may_ask(client: Client, headers: dict[str, str], status: int) -> None:
    """Both keys or a token, as Datadog wants it; the emulator's own page needs none, other pages get nothing."""
    response = post(client.http, "analytics/scalar", SCALAR, analytics(), **headers)

    assert response.status_code == status
    if status == 403 and "evil" not in str(headers) and "cross-site" not in str(headers):
        assert response.json() == {"errors": ["Forbidden"]}


def test_unknown_key(emulator: Emulator, client: Client) -> None:
    """Where the emulator knows the keys, another one may not ask."""
    emulator.api_keys = {"known"}

    assert post(client.http, "analytics/scalar", SCALAR, analytics()).status_code == 403
    assert post(client.http, "analytics/scalar", SCALAR, analytics(), dd_api_key="known").status_code == 200


@pytest.fixture(scope="module")
def guarded() -> Iterator[httpx.Client]:
    """A client of an emulator that others on the network can reach."""
    emulator = Emulator(token="0123456789abcdef-token")
    with emulator.running() as url, httpx.Client(base_url=url) as http:
        yield http
    emulator.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 403, id="keys-that-anybody-can-make-up"),
        pytest.param({"sec_fetch_site": "same-origin"}, 403, id="says-it-is-the-page"),
        pytest.param({"authorization": "Bearer 0123456789abcdef"}, 403, id="wrong-token"),
        pytest.param({"authorization": "Bearer 0123456789abcdef-token"}, 200, id="token"),
        pytest.param({"dd_application_key": "0123456789abcdef-token"}, 200, id="token-as-application-key"),
    ],
)
def test_token(guarded: httpx.Client, headers: dict[str, str], status: int) -> None:
    """With a token, queries need it: as a bearer, or as the application key of a client that knows no other place."""
    response = post(guarded, "analytics/scalar", SCALAR, analytics(), **headers)

    assert response.status_code == status


def test_page_by_token(guarded: httpx.Client) -> None:
    """The page's cookie suffices: over plain HTTP from another host, browsers do not say whose request it is."""
    cookie = guarded.get("/?token=0123456789abcdef-token").headers["set-cookie"].partition(";")[0]
    guarded.cookies.clear()

    def status(**headers: str) -> int:
        keys = {"dd_api_key": "", "dd_application_key": ""}
        return post(guarded, "analytics/scalar", SCALAR, analytics(), **keys, **headers).status_code

    assert status(cookie=cookie) == 200
    assert status(cookie=f"{cookie}0") == 403
    assert status(cookie=cookie, origin="http://evil.example") == 403


@pytest.mark.parametrize("path", ["analytics/scalar", "analytics/timeseries", "analytics/list"])
def test_wrong_type(client: Client, path: str) -> None:
    """The type of the request is checked as Datadog does."""
    response = post(client.http, path, "logs_request", analytics())

    assert response.status_code == 400
    assert response.json()["errors"][0].startswith("API input validation failed: data.type must be ")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"[]", 400, id="array"),
        pytest.param(b"{", 400, id="syntax"),
        pytest.param(b"[" * 100_000, 400, id="brackets"),
        pytest.param(b'{"data":[]}', 400, id="no-data"),
        pytest.param(b" " * 300_000, 413, id="large"),
    ],
)
def test_broken_bodies(client: Client, content: bytes, status: int) -> None:
    """What is no request is answered, never with a 500."""
    response = client.http.post(f"{QUERIES}/analytics/scalar", content=content, headers=KEYS)

    assert response.status_code == status
    assert [type(problem) for problem in response.json()["errors"]] == [str]


def test_request_id(client: Client) -> None:
    """A request id is made, and kept where one is given."""
    made = post(client.http, "analytics/scalar", SCALAR, analytics()).json()
    kept = post(client.http, "analytics/scalar", SCALAR, {**analytics(), "request_id": "r-1"}).json()

    assert made["meta"] == {"request_id": made["data"]["id"], "status": "done"}
    assert kept["meta"] == {"request_id": "r-1", "status": "done"}
    assert made["data"]["type"] == "scalar_response"


def test_faults(emulator: Emulator, client: Client) -> None:
    """Queries fail on demand, apart from the intake: the next one does, the one after it is answered."""
    emulator.fail(429, on="query")
    emulator.fail(500)

    limited = post(client.http, "analytics/scalar", SCALAR, analytics())
    answered = post(client.http, "analytics/scalar", SCALAR, analytics())
    sent = client.send(event())

    assert (limited.status_code, limited.json()) == (429, {"errors": ["fault on demand"]})
    assert limited.headers["x-ratelimit-name"] == "product_analytics_query"
    assert limited.headers["x-ratelimit-reset"] == "1"
    assert (answered.status_code, sent.status_code) == (200, 500)


@pytest.mark.parametrize("state", ["running", "timeout"])
def test_status_on_demand(client: Client, state: str) -> None:
    """A query that is not done yet says so, with the id to ask again with."""
    armed = client.command("POST", "faults", {"on": "query", "query_status": state})
    request: dict[str, Any] = {**analytics(), "request_id": "r-1"}

    waiting = post(client.http, "analytics/scalar", SCALAR, request).json()
    done = post(client.http, "analytics/scalar", SCALAR, request).json()

    assert armed.json() == {"faults": [{"times": 1, "on": "query", "query_status": state}]}
    assert waiting["meta"] == {"request_id": "r-1", "status": state}
    assert waiting["data"]["attributes"] == {}
    assert done["meta"]["status"] == "done"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param({"on": "x"}, "on must be one of intake, query", id="on"),
        pytest.param({"on": "query", "query_status": "x"}, "query_status must be one of running, timeout", id="status"),
        pytest.param(
            {"query_status": "running"},
            'query_status is for queries that are answered: give it with on="query" alone',
            id="intake",
        ),
    ],
)
def test_faults_that_make_no_sense(client: Client, fault: dict[str, Any], reason: str) -> None:
    """A fault that nothing could do is refused."""
    response = client.command("POST", "faults", {"status": 500, **fault} if "on" not in fault else fault)

    assert (response.status_code, response.json()["errors"][0]["detail"]) == (400, reason)


def test_events_are_there_at_once(emulator: Emulator, client: Client) -> None:
    """A query sees every event that was answered before it was asked, and none after a clear."""

    def count() -> list[tuple[Any, ...]]:
        return table(ask(client.http, "analytics/scalar", SCALAR, until_later()))

    counts = []
    for _ in range(5):
        client.send(event())
        counts.append(count())
    emulator.clear()

    assert counts == [[(float(n),)] for n in range(1, 6)]
    assert count() == []


def test_rejected_events_are_not_counted(client: Client) -> None:
    """Only what was taken can be queried."""
    client.send({"type": "server"})

    assert ask(client.http, "analytics/scalar", SCALAR, analytics()) == EMPTY


def test_data_survives_a_restart(tmp_path: Path) -> None:
    """With a folder, events, their facets and the state of views are there after a restart."""
    for run in range(2):
        emulator = Emulator(data=tmp_path / "data")
        with emulator.running() as url, httpx.Client(base_url=url, timeout=30) as http:
            Client(http).send(event(**{f"only_{run}": ["a", "b"]})).raise_for_status()
            counts = [
                table(ask(http, "analytics/scalar", SCALAR, until_later(text)))
                for text in ("*", "@only_0:b", "@only_1:b")
            ]
        emulator.close()

    assert counts == [[(2.0,)], [(1.0,)], [(1.0,)]]
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_stopped_by_a_signal(tmp_path: Path) -> None:
    """What came in the last moment is in the folder when the command was told to stop."""
    command = [sys.executable, "-c", "from dd_pa.cli.program import main; main()", "emulator", "--port", "0"]
    with subprocess.Popen([*command, "--data", str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        with httpx.Client(base_url=url, timeout=30) as http:
            Client(http).send(event()).raise_for_status()
        process.terminate()
    emulator = Emulator(data=tmp_path)
    stored = emulator._warehouse.newest(10)
    emulator.close()

    assert [json.loads(body) for _, _, body in stored] == [event()]


def test_sessions_survive_a_restart(tmp_path: Path) -> None:
    """With a folder, timelines are told again after a restart, and views go on where they were."""
    spent = {"id": VIEW, "url": "http://shop.test/basket", "name": "Basket"}
    for run in range(2):
        emulator = Emulator(data=tmp_path)
        with emulator.running() as url, httpx.Client(base_url=url, timeout=30) as http:
            if run == 0:
                send(http, view(1, view=spent), line("action", action={"id": "a", "type": "click"}))
                Client(http).send(event(session={"id": SESSION}))
            else:
                send(http, view(2, kind="view_update", view={**spent, "time_spent": 5_000_000_000}))
            found = http.get(f"/api/emulator/sessions/{SESSION}").json()["events"]
            request = until_later("@type:view @view.name:Basket", "max", "@view.time_spent")
            spents = table(ask(http, "analytics/scalar", SCALAR, request))
            counted = table(ask(http, "analytics/scalar", SCALAR, until_later("@type:view")))
        emulator.close()

    assert sorted((entry["kind"], entry["duration_ms"]) for entry in found if entry["kind"] != "server") == [
        ("action", None),
        ("view", 5_000),
    ]
    assert [entry["row"] for entry in found if entry["kind"] == "server"] == [3 - FORMER]
    assert (spents, counted) == ([(5e9,)], [(1.0,)])


def test_views_are_one_row(engine: tuple[Emulator, httpx.Client]) -> None:
    """However often a page sends its view, in a batch or later, queries see it once, as it is now."""
    _, http = engine
    for version in range(1, 30):
        body = view(version, view={"id": VIEW, "url": "http://shop.test/a/b?c", "time_spent": version})
        send(http, *[body] * 2)
        if version % 10 == 0:
            assert table(ask(http, "analytics/scalar", SCALAR, until_later("@type:view"))) == [(1.0,)]
    send(http, line("action", action={"id": "a", "target": {"name": "Buy"}}))

    by = [{"facet": facet} for facet in ("@view.url_path", "@browser.name", "@os.name")]
    longest = until_later("@type:view", "max", "@view.time_spent", group_by=by)
    assert table(ask(http, "analytics/scalar", SCALAR, longest)) == [("/a/b", "Chrome", "Linux", 29.0)]
    assert table(ask(http, "analytics/scalar", SCALAR, until_later("@action.name:Buy @view.name:/basket"))) == [(1.0,)]


def test_data_of_another_emulator(tmp_path: Path) -> None:
    """Data that cannot be used is said when the emulator starts."""
    (tmp_path / "events.duckdb").write_bytes(b"x" * 100)

    with pytest.raises(Exception, match="cannot be used as the emulator's data"):
        Emulator(data=tmp_path)


def test_without_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where DuckDB is not installed events are taken as ever, and a query says what to install."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    emulator = Emulator()
    with emulator.running() as url, httpx.Client(base_url=url) as http:
        taken = Client(http).send(event())
        asked = post(http, "analytics/scalar", SCALAR, analytics())
        emulator.clear()

    assert (taken.status_code, len(emulator.events)) == (202, 0)
    assert (asked.status_code, asked.json()) == (
        503,
        {"errors": ["queries need DuckDB: pip install 'dd-pa[emulator]'"]},
    )
