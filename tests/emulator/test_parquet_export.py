"""Events that Datadog's Export Pipelines wrote: the same answers as of the same events that were taken."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from click.testing import CliRunner

from dd_pa.cli.emulator import command
from dd_pa.emulator import Emulator
from dd_pa.emulator.sample.history import history
from dd_pa.emulator.warehouse.database import WarehouseError
from dd_pa.emulator.warehouse.export_columns import leaves
from tests.emulator.asking import SCALAR, START, analytics, ask, stored, table
from tests.emulator.client import INTAKE, KEY

END = 1_795_800_000_000
HOUR = 3_600_000


def export(folder: Path, rows: str, number: int = 0) -> Path:
    """Write a file of the export, with the columns of a SELECT."""
    file = (
        folder
        / f"dt=202611{10 + number // 24:02d}"
        / f"hour={number % 24:02d}"
        / f"archive_{number:06d}.0001.x.parquet"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    duckdb.connect().execute(f"COPY ({rows}) TO '{file}'")
    return file


def events(http: httpx.Client, **query: Any) -> list[str]:
    """Names of what the list shows, the youngest first."""
    return [row[2] for row in http.get("/api/emulator/older", params=query).json()["events"]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx.Client]]:
    """Clients of emulators: one was given a part of the sample, others read it from files, Parquet and gzipped JSON."""
    sample = [event for event in history(end=END, events=1_500) if "view_id" not in event.body]
    folder, other = tmp_path_factory.mktemp("export"), tmp_path_factory.mktemp("json")
    lines = folder / "lines.json"
    for number in range(3):
        part = sample[number * len(sample) // 3 : (number + 1) * len(sample) // 3]
        lines.write_text("\n".join(json.dumps({**event.body, "timestamp": event.ts}) for event in part))
        export(folder, f"FROM read_json('{lines}', sample_size=-1)", number)
        zipped = other / f"dt=2026111{number}" / "hour=07" / "archive_071500.0001.x.json.gz"
        zipped.parent.mkdir(parents=True)
        zipped.write_bytes(gzip.compress(lines.read_bytes()))
    lines.unlink()
    given, read, also = Emulator(), Emulator(read=folder), Emulator(read=other)
    stored(given, [(event.ts, {**event.body, "timestamp": event.ts}) for event in sample])
    with ExitStack() as stack:
        addresses = [stack.enter_context(emulator.running()) for emulator in (given, read, also)]
        yield [stack.enter_context(httpx.Client(base_url=url, timeout=60)) for url in addresses]
    for emulator in (given, read, also):
        emulator.close()


def base(text: str) -> dict[str, Any]:
    return {"data_source": "product_analytics", "search": {"query": text}}


EVERYTHING = {"query": base("*"), "compute": {"aggregation": "count"}}
TIMES = {"from": END - 40 * 24 * HOUR, "to": END}
STEPS = {"A": base("@event.name:product.viewed"), "B": base("@event.name:checkout.completed")}
WEEKS = {"type": "calendar", "value": {"type": "week"}}
QUESTIONS: list[tuple[str, str, dict[str, Any]]] = [
    *(
        ("analytics/scalar", SCALAR, {**TIMES, "query": {"query": base(text), "compute": compute, "group_by": groups}})
        for text, compute, groups in (
            ("*", {"aggregation": "count"}, [{"facet": "@event.name", "limit": 50}]),
            ("@order.total:>20 -@payment.method:card", {"aggregation": "sum", "metric": "@order.total"}, []),
            ("checkout", {"aggregation": "cardinality", "metric": "@usr.id"}, []),
            ("@type:view @view.name:*", {"aggregation": "pc90", "metric": "@view.largest_contentful_paint"}, []),
            ("@search.results:0", {"aggregation": "count"}, [{"facet": "@search.term"}]),
        )
    ),
    (
        "journey/funnel",
        "journey_request",
        {
            **TIMES,
            "query": {"search": {"expression": "A -> B", "node_objects": STEPS, "join_keys": {"primary": "@usr.id"}}},
        },
    ),
    (
        "retention/grid",
        "retention_grid_request",
        {
            **TIMES,
            "query": {
                "search": {
                    "cohort_criteria": {"base_query": base("*"), "time_interval": WEEKS},
                    "retention_entity": "@usr.id",
                    "return_condition": "conversion_on",
                },
                "compute": {"metric": "__dd.retention_rate", "aggregation": "count"},
            },
        },
    ),
    (
        "sankey",
        "sankey_request",
        {"time": TIMES, "search": {}, "definition": {"source": "@event.name", "target": "@event.name"}},
    ),
    ("users/query", "query_users_request", {"limit": 5, "query": "events_count:>3"}),
]


@pytest.mark.parametrize(("path", "kind", "attributes"), QUESTIONS)
def test_the_same_answers(both: list[httpx.Client], path: str, kind: str, attributes: dict[str, Any]) -> None:
    """Whatever is asked of events that were taken is asked of files."""
    given, *read = (ask(http, path, kind, attributes) for http in both)

    assert read == [given, given]
    assert len(json.dumps(given)) > 60


def test_the_page_shows_them(both: list[httpx.Client]) -> None:
    """Events, a single one, the sessions and the facets are those of the files."""
    given, read, _ = both
    newest = read.get("/api/emulator/older", params={"limit": 3, "source": "all"}).json()
    sessions = read.get("/api/emulator/sessions", params={"limit": 5}).json()["sessions"]
    timeline = read.get(f"/api/emulator/sessions/{sessions[0]['id']}").json()["events"]
    facets = [http.get("/api/emulator/facets").json()["facets"] for http in both]
    one = read.get(f"/api/emulator/older/{newest['events'][0][0] + 2**40}").json()

    [column] = ask(given, "analytics/scalar", SCALAR, {**TIMES, "query": EVERYTHING})["columns"]
    assert [float(newest["total"])] == column["values"]
    assert [row[0] for row in newest["events"]] == sorted((row[0] for row in newest["events"]), reverse=True)
    assert one["body"]["timestamp"] == newest["events"][0][1]
    assert len(sessions) == 5
    assert len(timeline) == sum(sessions[0]["counts"].values()) > 0
    assert set(facets[1]) <= set(facets[0])


@pytest.mark.parametrize("number", [1, 2], ids=["parquet", "json"])
def test_nothing_is_taken_and_nothing_forgotten(both: list[httpx.Client], number: int) -> None:
    read = both[number]
    before = events(read, source="all")
    for path in (INTAKE, "/api/v2/rum", "/rum?ddforward=x"):
        response = read.post(path, json={"a": 1}, headers={"dd-api-key": KEY})
        assert (response.status_code, "takes no events" in response.text) == (403, True)
    assert read.post("/api/emulator/clear", json={}).status_code == 204

    assert events(read, source="all") == before


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with another time zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_elsewhere")
def test_columns_of_any_shape(tmp_path: Path) -> None:
    """Structs, dotted names, a column of attributes, lists, times with and without a zone, files that differ."""
    columns = (
        "TIMESTAMPTZ '2026-09-21 14:13:21+00' AS \"@timestamp\", ['x', 'y', NULL] AS tags, true AS paid, "
        "{'event': {'name': 'a'}, 'usr': {'id': 'u1'}} AS attributes, 1.5::DECIMAL(9, 2) AS \"order.total\", "
        "[{'sku': 's1'}, {'sku': 's2'}] AS lines"
    )
    export(tmp_path / "some" / "path", f"SELECT {columns}")
    export(
        tmp_path / "some" / "path", "SELECT TIMESTAMP '2026-09-21 14:13:22' AS \"@timestamp\", 'u''2' AS \"usr.id\"", 1
    )
    emulator = Emulator(read=tmp_path)
    with emulator.running() as url, httpx.Client(base_url=url, timeout=60) as http:
        found = [
            table(ask(http, "analytics/scalar", SCALAR, analytics(text)))
            for text in (
                "@tags:y",
                "@order.total:1.5",
                "@paid:true",
                "@lines.sku:s2",
                "s1",
                '@usr.id:"u\'2"',
                "@tags:z",
            )
        ]
        [row] = http.get("/api/emulator/older", params={"source": "all", "q": "@tags:y"}).json()["events"]
        body = http.get(f"/api/emulator/older/{row[0] + 2**40}").json()["body"]
    emulator.close()

    assert found == [[(1.0,)]] * 6 + [[]]
    assert body["event"] == {"name": "a"}
    assert body["usr"] == {"id": "u1"}
    assert body["lines"] == {"sku": ["s1", "s2"]}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        pytest.param(None, "has no dt=", id="empty"),
        pytest.param("SELECT 1 AS a, 'x' AS b", r"a time .* is not among a, b", id="no time"),
        pytest.param("SELECT now() AS timestamp, 'x' AS host", "any of event.name", id="no events"),
    ],
)
def test_a_folder_of_something_else(tmp_path: Path, rows: str | None, reason: str) -> None:
    """Said when the emulator starts, by its command too."""
    if rows is not None:
        export(tmp_path, rows)
    with pytest.raises(WarehouseError, match=reason):
        Emulator(read=tmp_path)
    told = CliRunner().invoke(command, ["--port", "0", "--read", str(tmp_path)])
    assert told.exit_code == 1
    also = CliRunner().invoke(command, ["--port", "0", "--read", str(tmp_path), "--sample"])
    assert "leave --data and --sample out" in also.output


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1}\n', "line 1 holds another thing than an event: a time"),
        (b'\n{"timestamp": 1}\n', "line 2 holds another thing than an event: any of event.name"),
        (b"[]\n", "is no JSON object"),
        (b"{\n", "is not JSON"),
        (None, "cannot be read"),
    ],
)
def test_lines_of_something_else(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """The file and the line are named, and a file that is cut off is no shorter one."""
    file = tmp_path / "dt=20261110" / "hour=00" / "archive_000000.0001.x.json.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(
        gzip.compress(b'{"date": 1, "usr": {"id": "u"}}\n')[:-9] if content is None else gzip.compress(content)
    )
    with pytest.raises(WarehouseError, match=reason):
        Emulator(read=tmp_path)
    export(tmp_path, "SELECT 1 AS a")
    with pytest.raises(WarehouseError, match="both formats"):
        Emulator(read=tmp_path)


def test_lines_of_any_shape(tmp_path: Path) -> None:
    """A column of attributes, times as numbers and texts, with a zone and without."""
    file = tmp_path / "dt=20261110" / "hour=00" / "archive_000000.0001.x.json.gz"
    file.parent.mkdir(parents=True)
    times = [START, "2026-09-21T14:13:20Z", "2026-09-21T16:13:20.000+02:00", "2026-09-21T14:13:20"]
    lines = [json.dumps({"date": at, "attributes": {"usr": {"id": "u"}, "x": [1, "1"]}}) for at in times]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    emulator = Emulator(read=tmp_path)
    with emulator.running() as url, httpx.Client(base_url=url, timeout=60) as http:
        asked = analytics("@usr.id:u", group_by=[{"facet": "@x"}]) | {"from": START, "to": START + 1}
        found = table(ask(http, "analytics/scalar", SCALAR, asked))
    emulator.close()

    assert found == [("1", 4.0)]


def test_no_other_file_is_reached(tmp_path: Path) -> None:
    """The engine reads the folder, and nothing beside it."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    export(tmp_path / "export", f"SELECT to_timestamp({START // 1000}) AS timestamp, 'u' AS \"usr.id\"")
    emulator = Emulator(read=tmp_path / "export")
    with pytest.raises(duckdb.Error, match="disabled"):
        emulator._warehouse._database.connection.execute(f"FROM '{tmp_path}/secret.csv'")  # type: ignore[attr-defined]
    emulator.close()


def test_each_path_is_told_once() -> None:
    unclear = "SELECT 'a' AS \"usr.id\", {'id': 'b', 'name': 'c'} AS usr, {'type': 'd'} AS attributes"
    columns = duckdb.connect().execute(unclear)
    found = leaves([(name, kind) for name, kind, *_ in columns.description or ()])

    assert [leaf.path for leaf in found] == ["usr.id", "usr.name", "type"]
