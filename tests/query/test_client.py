"""Both clients against everything that an API and a network do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dd_pa.query import (
    AsyncQueryClient,
    BadQueryError,
    Query,
    QueryClient,
    QueryError,
    QueryForbiddenError,
    QueryRateLimitError,
    QueryTimeoutError,
    QueryUnavailableError,
    events,
)
from dd_pa.query.query_exchange import reset as reset_of
from tests.query.api import APP_KEY, Api, counted, done, reading, refused

COUNT = events("order.placed").count().last(days=7)
RUNNING = done("scalar_response", {}, status="running", request_id="r-9")
Run = Callable[..., Any]


class Slept(list[float]):
    """How long was slept, in turn; it costs no time."""

    def now(self, seconds: float) -> None:
        self.append(seconds)

    async def later(self, seconds: float) -> None:
        self.append(seconds)


def run_plain(api: Api, query: Query[Any] = COUNT, slept: Slept | None = None, **options: Any) -> Any:
    """Run a query with the plain client."""
    with QueryClient(
        reading(), transport=api, sleep=(slept if slept is not None else Slept()).now, **options
    ) as client:
        return client.run(query)


def run_async(api: Api, query: Query[Any] = COUNT, slept: Slept | None = None, **options: Any) -> Any:
    """Run a query with the async client."""

    async def main() -> Any:
        sleep = (slept if slept is not None else Slept()).later
        async with AsyncQueryClient(reading(), transport=api, sleep=sleep, **options) as client:
            return await client.run(query)

    return asyncio.run(main())


both = pytest.mark.parametrize("run", [pytest.param(run_plain, id="plain"), pytest.param(run_async, id="async")])


@both
def test_an_answer(run: Run) -> None:
    """One POST to the site's API with both keys; asked for as it is sent, uncompressed."""
    api = Api(counted(3))

    assert run(api).value == 3
    [request] = api.requests
    assert (request.method, str(request.url)) == (
        "POST",
        "https://api.datadoghq.com/api/v2/product-analytics/analytics/scalar",
    )
    names = ("dd-api-key", "dd-application-key", "content-type", "accept-encoding", "authorization")
    assert [request.headers.get(name) for name in names] == ["k", APP_KEY, "application/json", "identity", None]


@both
@pytest.mark.parametrize(
    ("reply", "kind", "told"),
    [
        pytest.param(
            refused(400, 'Expected "timeseries_request".'),
            BadQueryError,
            '400 Bad Request: Expected "timeseries_request".',
            id="400",
        ),
        pytest.param(refused(401, "Unauthorized"), QueryForbiddenError, "401 Unauthorized: Unauthorized", id="401"),
        pytest.param(refused(403, "Forbidden"), QueryForbiddenError, "403 Forbidden: Forbidden", id="403"),
        pytest.param(refused(404), BadQueryError, "404 Not Found", id="404"),
        pytest.param(
            httpx.Response(400, json={"errors": [{"title": "Bad", "detail": "no such facet"}, "b\x1b[2Ja"]}),
            BadQueryError,
            "400 Bad Request: no such facet: b?[2Ja",
            id="objects-and-controls",
        ),
        pytest.param(
            httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
            QueryError,
            "302 Found",
            id="redirect",
        ),
        pytest.param(httpx.Response(418, content=b"<p>" + b"x" * 900), BadQueryError, "x", id="html"),
        pytest.param(
            httpx.Response(403, json={"errors": [f"key {APP_KEY} is unknown"]}),
            QueryForbiddenError,
            "403 Forbidden: key *** is unknown",
            id="echo",
        ),
        pytest.param(
            httpx.Response(200, content=b"", headers={"content-encoding": "br"}),
            QueryError,
            "the answer is compressed",
            id="compressed",
        ),
    ],
)
def test_a_refusal_is_said_at_once_in_datadogs_own_words(
    run: Run, reply: httpx.Response, kind: type[QueryError], told: str
) -> None:
    """Another attempt would not fare better; no redirect is followed."""
    api, slept = Api(reply), Slept()

    with pytest.raises(QueryError) as caught:
        run(api, slept=slept)

    assert type(caught.value) is kind
    assert told in str(caught.value)
    assert len(str(caught.value)) < 600
    assert (len(api.requests), slept) == (1, [])
    assert caught.value.status == reply.status_code


@both
def test_a_rate_limit_is_waited_for(run: Run) -> None:
    """As many seconds as `X-RateLimit-Reset` says; `Retry-After` where that is missing."""
    limited = {"X-RateLimit-Limit": "10", "X-RateLimit-Period": "10", "X-RateLimit-Reset": "3", "Retry-After": "9"}
    api, slept = Api(httpx.Response(429, headers=limited), refused(429, **{"Retry-After": "7"}), counted(1)), Slept()

    assert run(api, slept=slept).value == 1
    assert slept == [3.0, 7.0]


@both
def test_a_rate_limit_beyond_the_deadline_is_said_at_once(run: Run) -> None:
    """The caller knows better what to do in that time."""
    api, slept = Api(refused(429, "Too many requests", **{"X-RateLimit-Reset": "61"})), Slept()

    with pytest.raises(QueryRateLimitError, match="429 Too Many Requests: Too many requests") as caught:
        run(api, slept=slept)

    assert (caught.value.reset, slept, len(api.requests)) == (61.0, [], 1)


@pytest.mark.parametrize(
    ("value", "reset"),
    [("-1", None), ("NaN", None), ("inf", None), ("soon", None), ("1e9", 900.0), ("0", 0.0)],
)
def test_what_a_reset_may_say(value: str, reset: float | None) -> None:
    """Nonsense is passed over, and nobody is made to wait for days."""
    assert reset_of({"x-ratelimit-reset": value}) == reset


@both
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(refused(408), id="408"),
        pytest.param(refused(500), id="500"),
        pytest.param(refused(503, "Service Unavailable"), id="503"),
        pytest.param(httpx.ConnectError("refused"), id="refused"),
        pytest.param(httpx.ReadError(""), id="lost"),
        pytest.param(httpx.ReadTimeout("late"), id="late"),
        pytest.param(httpx.RemoteProtocolError("nonsense"), id="nonsense"),
    ],
)
def test_a_failure_is_tried_again(run: Run, failure: Any) -> None:
    """After a moment."""
    api, slept = Api(failure, failure, counted(1)), Slept()

    assert run(api, slept=slept).value == 1
    assert len(slept) == 2
    assert max(slept) <= 10


@both
@pytest.mark.parametrize(
    ("failure", "kind", "told"),
    [
        pytest.param(refused(503, "upstream"), QueryUnavailableError, "503 Service Unavailable: upstream", id="503"),
        pytest.param(
            httpx.ConnectError(f"cannot send {APP_KEY}"),
            QueryUnavailableError,
            "https://api.datadoghq.com cannot be reached (ConnectError)",
            id="refused",
        ),
        pytest.param(httpx.ReadTimeout("late"), QueryTimeoutError, "no answer in time (ReadTimeout)", id="late"),
    ],
)
def test_four_failures_are_enough(run: Run, failure: Any, kind: type[QueryError], told: str) -> None:
    """The last one is what the caller sees, and what it quotes is Datadog's, never the network's."""
    api = Api(failure)

    with pytest.raises(kind) as caught:
        run(api)

    assert (str(caught.value), len(api.requests)) == (told, 4)


@both
@pytest.mark.parametrize("status", ["running", "timeout"])
def test_a_query_that_is_still_worked_on_is_asked_for_by_its_id(run: Run, status: str) -> None:
    """Up to the answer, more often than it may fail; the same query each time."""
    waiting = done("scalar_response", None, status=status, request_id="r-9")
    api, slept = Api(*[waiting] * 6, counted(5)), Slept()

    assert run(api, slept=slept).value == 5
    first, *others = api.attributes
    assert "request_id" not in first
    assert [asked["request_id"] for asked in others] == ["r-9"] * 6
    assert all({**first, "request_id": "r-9"} == asked for asked in others)
    assert slept == sorted(slept)
    assert max(slept) <= 3


@both
def test_a_list_has_no_id_to_ask_for(run: Run) -> None:
    """Its request schema knows none, though its answer has one: it is asked again as it was."""
    waiting = done("list_response", {}, status="running", request_id="r-9")
    api = Api(waiting, done("list_response", {"records": [], "total_count": 0}))

    assert run(api, events("a").last(days=1).list()).total_count == 0
    assert api.attributes[0] == api.attributes[1]


@both
def test_a_query_that_never_ends(run: Run) -> None:
    """Is given up at the deadline, with its id."""
    with pytest.raises(QueryTimeoutError, match=r"^Datadog still works on the query after 2.5 s; request_id r-9$"):
        run(Api(RUNNING), deadline=2.5)


@both
def test_an_endless_answer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not read to its end."""
    monkeypatch.setattr("dd_pa.query.query_exchange.MAX_ANSWER", 1000)

    with pytest.raises(QueryError, match="the answer is longer than"):
        run(Api(httpx.Response(200, content=b" " * 1001)))


@both
def test_a_slow_answer(run: Run) -> None:
    """No piece of it is late, but the whole is."""

    def slowly(request: httpx.Request) -> httpx.Response:
        end = time.monotonic() + 0.06
        while time.monotonic() < end:
            pass
        return counted(1)

    with pytest.raises(QueryTimeoutError, match=r"no complete answer within 0\.05 s"):
        run(Api(slowly), deadline=0.05)


@both
def test_no_step_may_take_longer_than_what_is_left(run: Run) -> None:
    """Of the deadline."""
    api = Api(counted(1))

    run(api, deadline=5.0, timeout=30.0)
    run(api, deadline=50.0, timeout=30.0)

    first, second = (request.extensions["timeout"] for request in api.requests)
    assert max(first.values()) <= 5
    assert (second["connect"], max(second.values()) <= 30, max(second.values()) > 10) == (10, True, True)


def test_a_bug_is_not_hidden() -> None:
    """What is none of the network's errors passes through."""
    with pytest.raises(ZeroDivisionError):
        run_plain(Api(lambda request: httpx.Response(1 // 0)))


def test_one_client_runs_many_at_once() -> None:
    """Each query has a state of its own."""

    async def main() -> list[Any]:
        api = Api(RUNNING, RUNNING, *[counted(1)] * 9)
        async with AsyncQueryClient(reading(), transport=api, sleep=Slept().later) as client:
            return await asyncio.gather(*(client.scalar(COUNT) for _ in range(5)))

    assert [found.value for found in asyncio.run(main())] == [1] * 5
