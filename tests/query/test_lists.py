"""Lists to their end, times without events, whole counts: what the client makes of answers, asked of the emulator."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.errors import QueryError
from dd_pa.query import AsyncQueryClient, QueryClient, events
from dd_pa.query.terminal import Question, ask
from tests.core.wire import settings
from tests.emulator.asking import stored
from tests.query.api import APP_KEY, Api, done, reading

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """2,500 events, hundreds of them in the same milliseconds, of which some are equal, too."""
    found, chance = Emulator(), random.Random(3)
    rows = []
    for number in range(2_500):
        at = NOW - HOUR * chance.choice((1, 2, 2, 2, 5)) + timedelta(milliseconds=chance.randrange(6))
        who = {"usr": {"id": f"u{number % 40}"}, "n": number // 2, "plan": "=pro" if number % 2 else "free"}
        rows.append((int(at.timestamp() * 1000), {"type": "server", "event": {"name": "a"}, **who}))
    stored(found, rows)
    yield found
    found.close()


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Iterator[QueryClient]:
    with emulator.running() as url, QueryClient(settings(intake_url=url, app_key=APP_KEY)) as client:
        yield client


@pytest.mark.parametrize("order", ["asc", "desc", None])
def test_a_list_goes_on_to_its_end(client: QueryClient, order: Any) -> None:
    """Each event once, in the order of time, whatever shares a millisecond."""
    listing = events().last(days=1).list("timestamp", "@n", order=order)

    rows = list(client.iterate(listing))

    assert sorted(row["@n"] for row in rows) == sorted(number // 2 for number in range(2_500))
    times = [row["timestamp"] for row in rows]
    assert times == sorted(times, reverse=order != "asc")


def test_a_limit_ends_it(client: QueryClient) -> None:
    """Before its end, in the middle of a page; and the time is left out, where nobody asked for it."""
    rows = list(client.iterate(events().last(days=1).list("@usr.id", limit=1_234)))

    assert len(rows) == 1_234
    assert list(rows[0]) == ["@usr.id"]


def test_the_same_for_async_code(emulator: Emulator) -> None:
    async def main() -> int:
        transport = httpx.ASGITransport(app=emulator)
        options = settings(intake_url="http://127.0.0.1:8994", app_key=APP_KEY)
        async with AsyncQueryClient(options, transport=transport) as client:
            return len([row async for row in client.iterate(events().last(days=1).list())])

    assert asyncio.run(main()) == 2_500


def test_lists_that_cannot_go_on() -> None:
    """By another order, or where a page is full of one moment; what is asked for is nothing else than a list."""
    row = {"timestamp": 5, "@n": 1}
    api = Api(done("list_response", {"records": [row] * 1_000, "total_count": 5_000}))
    listing = events().last(days=1).list("@n")
    with QueryClient(reading(), transport=api) as client:
        pages = client.iterate(listing)
        with pytest.raises(QueryError, match=r"more than 1,000 events have the same time"):
            list(pages)
        with pytest.raises(ValueError, match="a list goes on by time"):
            list(client.iterate(events().last(days=1).list("@n", sort="@n")))
        with pytest.raises(TypeError, match="takes a list of events"):
            list(client.iterate(events().last(days=1).count()))  # type: ignore[arg-type]


def test_times_without_events_and_whole_counts(client: QueryClient) -> None:
    """Every bucket that was asked for, where one asks; counts are integers, sums are what they are."""
    span = events().between(NOW - 6 * HOUR, NOW)
    answer = client.run(span.count().every(hours=1))
    filled = answer.filled()

    assert len(answer.times) == 3
    hours = [datetime.fromtimestamp(time / 1000, UTC) for time in filled.times]
    assert hours == [NOW - number * HOUR for number in range(6, 0, -1)]
    [values] = filled.values
    assert [value == 0 for value in values] == [True, False, True, True, False, False]
    assert sum(value or 0 for value in values) == 2_500
    assert repr(client.run(span.distinct("@usr.id")).value) == "40"
    assert client.run(span.avg("@n").by("@plan").every(hours=1)).filled(None).values[0][0] is None
    assert client.run(span.list("@n", limit=1)).total_count == 2_500


def shown(emulator: Emulator, **typed: Any) -> str:
    """What the command prints."""
    out, err = io.StringIO(), io.StringIO()
    with emulator.running() as url:
        status = ask(settings(intake_url=url, app_key=APP_KEY), Question(**typed), out=out, err=err)
    assert (status, err.getvalue()) == (0, "")
    return out.getvalue()


def test_in_a_terminal(emulator: Emulator) -> None:
    """Lists beyond a thousand rows, retention and paths; CSV in which nothing is a formula."""
    rows = list(csv.DictReader(io.StringIO(shown(emulator, query="a", listed="@usr.id,@plan", limit=2_000, csv=True))))
    assert len(rows) == 2_000
    assert {row["@plan"] for row in rows} == {"'=pro", "free"}
    assert datetime.fromisoformat(rows[0]["time"]) > NOW - 2 * HOUR

    cells = json.loads(shown(emulator, retention="a", period="day", last="2d", json=True))
    assert max(cell["size"] for cell in cells) == 40
    assert "users" in shown(emulator, retention="a,a", period="day", last="2d")
    assert "Nothing matched." in shown(emulator, paths="@event.name")
    assert "u1" in shown(emulator, query="a", listed="@usr.id")
