"""No query works for an asker who has left, and none longer than its time."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.query.audience_filter import Audience
from dd_pa.emulator.query.kept_segments import KeptSegments
from dd_pa.emulator.query.request import Request
from dd_pa.emulator.query.request_fields import Fields
from dd_pa.emulator.query.routes import ENDPOINTS, Endpoint
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.warehouse.query_deadline import AbandonedError, QueryDeadline, QueryTimeoutError
from tests.emulator.asking import END, KEYS, QUERIES, SCALAR, analytics, ask, stored, table
from tests.emulator.complete import COMPLETE, SEGMENT
from tests.emulator.test_whole_requests import events

PATIENT = 600.0
"""Seconds that a query may take here, far more than a test."""
ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000) b"


class Spent(QueryDeadline):
    """What is asked of the database is answered; then there is no time left."""

    def check(self) -> None:
        raise QueryTimeoutError

    @contextmanager
    def interrupting(self, stop: object) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    "path",
    [path for path in COMPLETE if path.split("/")[0] in ("sankey", "retention", "users", "accounts")]
    + ["analytics/scalar", "journey/funnel"],
)
def test_work_in_python(engine: tuple[Emulator, httpx.Client], path: str) -> None:
    """Whatever goes through many results in Python looks at the clock: sets of people, cohorts, ways."""
    emulator, _ = engine
    stored(emulator, events())
    statement = Statement(emulator._warehouse, Spent(PATIENT))
    audience = Audience(KeptSegments({SEGMENT: {"user_ids": ["u7"]}}))
    request = Request(Fields(COMPLETE[path][1], "data.attributes"), statement, audience, END)

    with pytest.raises(QueryTimeoutError):
        ENDPOINTS[path].compute(request)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, queue.Queue[str]]]:
    """The address of an emulator with a query that never ends, and what became of each."""
    told: queue.Queue[str] = queue.Queue()

    def endless(request: Request) -> dict[str, Any]:
        told.put("begun")
        try:
            request.statement.rows(ENDLESS)
        except BaseException as error:
            told.put(type(error).__name__)
            raise
        return {}

    monkeypatch.setitem(ENDPOINTS, "endless", Endpoint("endless", "endless", endless))
    emulator = Emulator(query_seconds=PATIENT)
    with emulator.running() as url:
        yield url, told
    emulator.close()


def asked(url: str) -> socket.socket:
    """A connection on which the endless query was asked."""
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"data": {"type": "endless", "attributes": {}}})
    headers = {"host": f"{host}:{port}", "content-length": str(len(body)), **KEYS}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection = socket.create_connection((host, int(port)))
    connection.sendall(f"POST {QUERIES}/endless HTTP/1.1\r\n{head}\r\n{body}".encode())
    return connection


def test_asker_who_leaves(slow: tuple[str, queue.Queue[str]]) -> None:
    """A query ends when its connection does."""
    url, told = slow
    connection = asked(url)
    assert told.get(timeout=60) == "begun"
    connection.close()

    assert told.get(timeout=60) == AbandonedError.__name__


def test_many_who_leave(slow: tuple[str, queue.Queue[str]]) -> None:
    """Those that waited for their turn never begin, and the next asker is answered."""
    url, told = slow
    connections = [asked(url) for _ in range(30)]
    for _ in range(4):
        assert told.get(timeout=60) == "begun"
    for connection in connections:
        connection.close()
    with httpx.Client(base_url=url, timeout=60) as http:
        answer = ask(http, "analytics/scalar", SCALAR, analytics())

    assert table(answer) == []


def test_patience_that_ends_before() -> None:
    """What has ended is not begun, and says which end it was."""
    gone, late = QueryDeadline(PATIENT), QueryDeadline(-1)
    gone.leave()

    for deadline, error in ((gone, AbandonedError), (late, QueryTimeoutError)):
        with pytest.raises(error), deadline.interrupting(threading.Event().set):
            pytest.fail("it was begun")
