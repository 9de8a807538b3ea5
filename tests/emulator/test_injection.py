from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.warehouse.database import Database, WarehouseError
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline, QueryTimeoutError
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import Warehouse
from tests.emulator.asking import SCALAR, START, analytics, ask, post, stored, table

Engine = tuple[Emulator, httpx.Client]
NASTY = [
    pytest.param("'; DROP TABLE events; --", id="drop"),
    pytest.param("' OR '1'='1", id="or"),
    pytest.param('" OR 1=1 --', id="double-quote"),
    pytest.param("x'); COPY events TO '/tmp/dd-pa-canary'; --", id="copy"),
    pytest.param("$.*", id="json-path"),
    pytest.param("$p0", id="parameter"),
    pytest.param("%", id="like"),
    pytest.param("_", id="like-one"),
    pytest.param("f0", id="column"),
    pytest.param("*", id="star"),
    pytest.param("\\", id="backslash"),
    pytest.param("a\0b", id="nul"),
    pytest.param("]", id="bracket"),
    pytest.param("number_of(x)", id="macro"),
]


@pytest.fixture
def shop(engine: Engine) -> Engine:
    """Two events, as canaries."""
    stored(engine[0], [(START + n, {"type": "server", "event": {"name": f"e{n}"}, "a": n}) for n in range(2)])
    return engine


def everything(engine: Engine) -> list[tuple[Any, ...]]:
    """How many events there are."""
    return table(ask(engine[1], "analytics/scalar", SCALAR, analytics()))


@pytest.mark.parametrize("text", NASTY)
def test_facets_and_metrics_are_data(shop: Engine, text: str) -> None:
    """A facet of any name is just one that no event has."""
    by = {"facet": f"@{text}", "sort": {"aggregation": "sum", "metric": f"@{text}"}}
    grouped = ask(shop[1], "analytics/scalar", SCALAR, analytics(group_by=[by]))
    summed = ask(shop[1], "analytics/scalar", SCALAR, analytics("*", "sum", f"@{text}"))
    distinct = ask(shop[1], "analytics/scalar", SCALAR, analytics("*", "cardinality", f"@{text}"))

    assert table(grouped) == [("N/A", 2.0)]
    assert (table(summed), table(distinct)) == ([(None,)], [(0.0,)])
    assert everything(shop) == [(2.0,)]


@pytest.mark.parametrize("text", NASTY)
def test_values_are_data(shop: Engine, text: str) -> None:
    """A value of any form finds events with exactly that value, and is a group like others."""
    stored(shop[0], [(START, {"type": "server", "event": {"name": text}, text or "x": [text, "y"]})])
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')

    assert table(ask(shop[1], "analytics/scalar", SCALAR, analytics(f'@event.name:"{quoted}"'))) == [(1.0,)]
    by = [{"facet": "@event.name", "limit": 3}]
    names = {row[0] for row in table(ask(shop[1], "analytics/scalar", SCALAR, analytics(group_by=by)))}
    assert names == {"e0", "e1", text}
    own = table(ask(shop[1], "analytics/scalar", SCALAR, analytics(group_by=[{"facet": "@" + quoted}])))
    assert own[0] == ("N/A", 2.0) or "\\" in text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("query", "compute", "aggregation"), "count(*)) FROM events; DROP TABLE events; --"),
        (("query", "compute", "aggregation"), "pc9999"),
        (("query", "compute", "interval"), "1; DROP TABLE events"),
        (("query", "compute", "interval"), -1),
        (("query", "group_by", 0, "limit"), "1; DROP TABLE events"),
        (("query", "group_by", 0, "limit"), 1e9),
        (("query", "group_by", 0, "sort", "order"), "desc; DROP TABLE events"),
        (("query", "query", "data_source"), "events; DROP TABLE events"),
        (("from",), "0 OR 1=1"),
    ],
)
def test_closed_lists_and_checked_numbers(shop: Engine, path: tuple[Any, ...], value: Any) -> None:
    """What becomes part of a statement comes from a list or is a checked number."""
    attributes: Any = analytics(interval=60_000, group_by=[{"facet": "@a", "limit": 1, "sort": {"order": "asc"}}])
    place = attributes
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert post(shop[1], "analytics/timeseries", SCALAR, attributes).status_code == 400
    assert everything(shop) == [(2.0,)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of its own."""
    database = Database(tmp_path_factory.mktemp("data") / "events.duckdb")
    yield database
    database.close()


@pytest.mark.parametrize(
    "sql",
    [
        "COPY events TO '{path}'",
        "ATTACH '{path}' AS other",
        "SELECT * FROM read_text('{path}')",
        "SELECT * FROM '{path}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "EXPORT DATABASE '{path}'",
    ],
)
def test_locked_down(database: Database, tmp_path: Path, sql: str) -> None:
    """Even SQL of somebody's own would reach no file and change no limit."""
    canary = tmp_path / "canary.csv"

    with pytest.raises(Exception, match=r"disabled|configuration|Cannot"):
        database.connection.execute(sql.format(path=canary)).fetchall()
    assert not canary.exists()


@pytest.mark.parametrize("sql", ["SELECT 1; DROP TABLE events", "DROP TABLE events", "SET threads = 1", ""])
def test_only_one_select(database: Database, sql: str) -> None:
    """Reading means one SELECT, whatever somebody managed to put into it."""
    with pytest.raises(WarehouseError, match="only one SELECT"):
        database.read(sql, {}, QueryDeadline(1))
    assert database.read("SELECT count(*) FROM events", {}, QueryDeadline(10)) == [(0,)]


def test_python_objects_are_out_of_reach(database: Database) -> None:
    """A table that is not there is not looked for among Python's variables."""
    secrets = [(1,)]

    with pytest.raises(Exception, match="does not exist"):
        database.read("SELECT * FROM secrets", {}, QueryDeadline(10))
    assert secrets


def test_reading_while_writing() -> None:
    """Queries are answered while batches are appended, from several threads at once."""
    warehouse = Warehouse(None, time.time)
    Statement(warehouse, QueryDeadline(60))
    with ThreadPoolExecutor(3) as pool:
        counting = [pool.submit(_count_often, warehouse) for _ in range(3)]
        for n in range(6_000):
            warehouse.put([Event(ts=n, body={"type": "server", f"k{n % 150}": n})])
    counted = Statement(warehouse, QueryDeadline(60)).rows("SELECT count(*) FROM events")
    warehouse.close()

    assert counted == [(6_000,)]
    assert all(one.result() == sorted(one.result()) for one in counting)


def _count_often(warehouse: Warehouse) -> list[int]:
    return [warehouse.read("SELECT count(*) FROM events", {}, QueryDeadline(60))[0][0] for _ in range(40)]


def test_slow_queries_are_stopped(database: Database) -> None:
    """A query that takes too long ends, and the next one is answered."""
    with pytest.raises(QueryTimeoutError):
        database.read("SELECT count(*) FROM range(100000000) a, range(100000) b", {}, QueryDeadline(0.2))
    assert database.read("SELECT 1", {}, QueryDeadline(10)) == [(1,)]


def test_ingest_does_not_wait_for_a_query(tmp_path: Path) -> None:
    """Events are put and appended, and other queries answered, while a query runs that never ends."""
    warehouse = Warehouse(tmp_path / "data", time.time)
    assert warehouse._open_file is not None
    cursor = warehouse._open_file[0].connection.cursor()
    ends: list[str] = []

    def ask_something_endless() -> None:
        with pytest.raises(duckdb.InterruptException):
            cursor.execute("SELECT count(*) FROM range(100000000) a, range(100000) b").fetchall()
        ends.append("query")

    asking = threading.Thread(target=ask_something_endless)
    asking.start()
    for n in range(50):
        warehouse.put([Event(ts=n, body={"type": "server"})])
    counted = Statement(warehouse, QueryDeadline(30)).rows("SELECT count(*) FROM events")
    ends.append("events")
    while asking.is_alive():
        cursor.interrupt()
        asking.join(0.05)
    warehouse.close()

    assert (counted, ends) == ([(50,)], ["events", "query"])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 10_000, id="parentheses"),
        pytest.param(" OR ".join(["a"] * 50_000), id="terms"),
        pytest.param("@a:" + "*a" * 10_000, id="stars"),
    ],
)
def test_monstrous_searches(shop: Engine, text: str) -> None:
    """Searches are bounded before anything is asked of the engine."""
    assert post(shop[1], "analytics/scalar", SCALAR, analytics(text)).status_code == 400


def test_largest_search(shop: Engine) -> None:
    """A search at its limits is answered."""
    text = " OR ".join(f"@a:*{n}?x" for n in range(1_000))

    assert table(ask(shop[1], "analytics/scalar", SCALAR, analytics(text))) == []
    assert table(ask(shop[1], "analytics/scalar", SCALAR, analytics("@a:" + "?*" * 5_000))) == []
