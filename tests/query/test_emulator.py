"""The client and the emulator, which share no code, over a socket and in process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from dd_pa import Emitter
from dd_pa.emulator import Emulator
from dd_pa.query import (
    AsyncQueryClient,
    BadQueryError,
    Query,
    QueryClient,
    QueryForbiddenError,
    QueryRateLimitError,
    QueryTimeoutError,
    QueryUnavailableError,
    audience,
    events,
    search,
)
from dd_pa.query.terminal import Question, ask
from tests.core.wire import settings
from tests.query.api import APP_KEY
from tests.query.test_terminal import Utf8

SYNTAX = st.text(' "\\*?():[]{}<>=!~^-+&|/ORAND', max_size=9)
ODD = 'a "quoted" name: (*) OR -x\\'


@dataclass(frozen=True)
class World:
    """An emulator with some orders in it."""

    emulator: Emulator
    url: str

    def client(self, **options: Any) -> QueryClient:
        """Return a client over a socket."""
        return QueryClient(settings(intake_url=self.url, app_key=APP_KEY), **options)

    def run(self, query: Query[Any], **options: Any) -> Any:
        """Run a query over a socket."""
        with self.client(**options) as client:
            return client.run(query)

    def run_in_process(self, query: Query[Any]) -> Any:
        """Run a query without a socket, with the async client."""

        async def main() -> Any:
            made = settings(intake_url="http://127.0.0.1", app_key=APP_KEY)
            transport = httpx.ASGITransport(app=self.emulator)
            async with AsyncQueryClient(made, transport=transport) as client:
                return await client.run(query)

        return asyncio.run(main())


@pytest.fixture(scope="module")
def filled() -> Iterator[World]:
    """Six orders of three users with two plans, and one event with an odd name."""
    emulator = Emulator()
    with emulator.running() as url:
        with Emitter(settings(intake_url=url, strict=True, shutdown_timeout=30.0)) as emitter:
            for number in range(6):
                order = {"total": 10.5 * number}
                plan = {"plan": "pro" if number % 3 else "team [1]"}
                emitter.track("order.placed", {"order": order, **plan}, usr=f"u-{number % 3}")
            emitter.track(ODD, {"first name": "Ann"}, usr="u-9")
        emulator.wait_for(7, timeout=30)
        yield World(emulator, url)
    emulator.close()


@pytest.fixture
def world(filled: World) -> Iterator[World]:
    yield filled
    filled.emulator.clear_faults()


ORDERS = events("order.placed").last(hours=1)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        pytest.param(ORDERS.count(), [{"value": 6}], id="count"),
        pytest.param(ORDERS.distinct("@usr.id"), [{"value": 3}], id="distinct"),
        pytest.param(ORDERS.sum("@order.total"), [{"value": 157.5}], id="sum"),
        pytest.param(ORDERS.max("@order.total"), [{"value": 52.5}], id="max"),
        pytest.param(ORDERS.min("@order.total"), [{"value": 0}], id="min"),
        pytest.param(ORDERS.avg("@order.total"), [{"value": 26.25}], id="avg"),
        pytest.param(ORDERS.median("@order.total"), [{"value": 26.25}], id="median"),
        pytest.param(
            ORDERS.count().by("@plan"), [{"@plan": "pro", "value": 4}, {"@plan": "team [1]", "value": 2}], id="groups"
        ),
        pytest.param(ORDERS.count().by("@plan", limit=1, order="asc"), [{"@plan": "team [1]", "value": 2}], id="limit"),
        pytest.param(ORDERS.having("@plan", "team [1]").count(), [{"value": 2}], id="having"),
        pytest.param(ORDERS.where("@order.total:>20 OR @usr.id:u-0").count(), [{"value": 5}], id="where"),
        pytest.param(ORDERS.occurring(">=", 3).count(), [], id="occurrence-none"),
        pytest.param(ORDERS.occurring("=", 2).count(), [{"value": 6}], id="occurrence"),
        pytest.param(
            ORDERS.of(audience(users={"one": "@usr.id:u-1"}, formula="NOT one")).count(), [{"value": 4}], id="audience"
        ),
        pytest.param(events(ODD).having("@first name", "Ann").count().last(hours=1), [{"value": 1}], id="odd-names"),
        pytest.param(events("order.paid").count().last(hours=1), [], id="nothing"),
        pytest.param(search("").count().last(hours=1), [{"value": 7}], id="everything"),
        pytest.param(
            ORDERS.count().between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)), [], id="earlier"
        ),
    ],
)
def test_scalar(world: World, query: Query[Any], rows: list[Any]) -> None:
    """The same over a socket and in process."""
    assert world.run(query).rows == rows
    assert world.run_in_process(query).rows == rows


def test_timeseries(world: World) -> None:
    """Buckets that begin at whole minutes, and hold everything."""
    with world.client() as client:
        rows = client.timeseries(ORDERS.count().by("@plan"), interval=timedelta(minutes=1)).rows

    assert sum(row["value"] for row in rows if row["@plan"] == "pro") == 4
    assert {row["time"].second for row in rows} == {0}


def test_list(world: World) -> None:
    """Single events, of how many there are."""
    found = world.run(ORDERS.list("@usr.id", "@order.total", limit=2, sort="@order.total", order="desc"))

    assert found.rows == [{"@usr.id": "u-2", "@order.total": 52.5}, {"@usr.id": "u-1", "@order.total": 42.0}]
    assert found.total_count == 6


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.text(' "\\*?():[]{}<>=!~^-+&|/ORAND', max_size=9)
)
def test_any_value_is_only_a_value(world: World, value: str) -> None:
    """It is understood, and finds nothing that does not have it."""
    assert world.run_in_process(ORDERS.having("@plan", value).count()).rows == []
    assert world.run_in_process(ORDERS.having("@plan", value, "team [1]").count()).value == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status": 429, "headers": {"X-RateLimit-Reset": "0"}, "times": 2}, id="429"),
        pytest.param({"status": 503, "times": 2}, id="503"),
        pytest.param({"close": True, "times": 1}, id="closed"),
        pytest.param({"delay": 5.0, "times": 1}, id="hangs"),
        pytest.param({"query_status": "running", "times": 5}, id="running"),
        pytest.param({"query_status": "timeout", "times": 5}, id="timeout"),
    ],
)
def test_faults_that_pass(world: World, fault: dict[str, Any]) -> None:
    """Are sat out."""
    world.emulator.fail(on="query", **fault)

    assert world.run(ORDERS.count(), timeout=2.0, sleep=lambda _: None).value == 6
    assert world.emulator.faults == []


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        pytest.param({"status": 400}, BadQueryError, "400 Bad Request: fault on demand", id="400"),
        pytest.param({"status": 403}, QueryForbiddenError, "403 Forbidden", id="403"),
        pytest.param({"status": 429, "headers": {"X-RateLimit-Reset": "99"}}, QueryRateLimitError, "429 Too", id="429"),
        pytest.param({"status": 500}, QueryUnavailableError, "500 Internal Server Error", id="500"),
        pytest.param({"query_status": "running"}, QueryTimeoutError, "request_id", id="running"),
    ],
)
def test_faults_that_stay(world: World, fault: dict[str, Any], kind: type[Exception], told: str) -> None:
    """Become the error that says so."""
    world.emulator.fail(on="query", times=None, **fault)

    with pytest.raises(kind, match=told):
        world.run(ORDERS.count(), deadline=6.0, sleep=lambda _: None)


def test_what_the_emulator_refuses(world: World) -> None:
    """In its own words, with the place."""
    with pytest.raises(BadQueryError, match=r"400 Bad Request: .*column"):
        world.run(search("@plan:(").count().last(hours=1))
    with pytest.raises(BadQueryError, match="aggregation"):
        world.run(ORDERS.aggregate("mode", "@plan"))


def test_the_terminal(world: World) -> None:
    """From the option to the bar."""
    out = Utf8()
    made = settings(intake_url=world.url, enabled=False)

    assert ask(made, Question(query="order.*", by=("@plan",), last="1h"), out=out, err=Utf8()) == 0
    assert [line.split()[:2] for line in out.getvalue().splitlines()[3:]] == [["pro", "4"], ["team", "[1]"]]
