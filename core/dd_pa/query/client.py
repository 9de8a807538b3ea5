"""Two senders, for plain and for async code. What they share is nearly all: `query_exchange` and `retry_policy`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, Self, TypeVar

import httpx

from dd_pa.network.tls_trust import tls_context, tls_to_nobody
from dd_pa.query.credentials import Access
from dd_pa.query.envelope import Query
from dd_pa.query.measures import Measure
from dd_pa.query.numeric_answers import Scalar, Timeseries
from dd_pa.query.pages import Pages
from dd_pa.query.query_exchange import Limits, QueryExchange
from dd_pa.query.rows import Row
from dd_pa.query.schema.analytics import ListRequest, Records
from dd_pa.settings.settings import Settings

A = TypeVar("A")

DEADLINE = 60.0
TIMEOUT = 30.0


class QueryClient:
    """Runs queries, also from several threads. Keeps connections until `close()`.

    `run()` blocks for at most `deadline` seconds, retries and waiting for a rate limit included; one step of one
    request may take `timeout` of them. `transport` is used instead of the network, and closed with the client.
    Raises `SettingsError` where a key is missing, and ImportError without the extra `query`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        deadline: float = DEADLINE,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._queries = _Queries(settings, deadline, timeout)
        self._http = transport or httpx.HTTPTransport(**self._queries.transport_options)
        self._sleep = sleep

    def run(self, query: Query[A]) -> A:
        """Return the answer to a query or request. Raises `QueryError`."""
        exchange = self._queries.begin(query)
        retrying = self._queries.retry_policy.Retrying(sleep=self._sleep, **self._queries.retry_policy.policy(exchange))
        found: A = retrying(lambda: self._attempt(exchange))
        return found

    def scalar(self, query: Query[Scalar]) -> Scalar:
        """Return one number, or one for each group. Raises `QueryError`."""
        return self.run(query)

    def timeseries(self, measure: Measure, *, interval: timedelta) -> Timeseries:
        """Return the numbers for each time of this length. Raises `QueryError`."""
        return self.run(measure.every(interval))

    def iterate(self, listing: Query[Records]) -> Iterator[Row]:
        """Yield the events of a list to its end, or to its limit; one request for each 1,000, when they are needed.

        `run()` returns 1,000 at most. The list goes by time, the youngest first unless the order is "asc". Raises
        ValueError for another order, and `QueryError`.
        """
        pages = Pages(self._queries.fixed(listing))
        while pages.request is not None:
            yield from pages.take(self.run(pages.request))

    def _attempt(self, exchange: QueryExchange[A]) -> A:
        with exchange.failing():
            response = self._http.handle_request(exchange.send())
            with contextlib.closing(response):
                for chunk in response.iter_bytes() if exchange.is_readable(response) else ():
                    exchange.take(chunk)
        return exchange.read(response)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class AsyncQueryClient:
    """The same for async code: `await client.run(query)`. Belongs to the event loop that uses it first."""

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = DEADLINE,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._queries = _Queries(settings, deadline, timeout)
        self._http = transport or httpx.AsyncHTTPTransport(**self._queries.transport_options)
        self._sleep = sleep

    async def run(self, query: Query[A]) -> A:
        """Return the answer to a query or request. Raises `QueryError`."""
        exchange = self._queries.begin(query)
        retrying = self._queries.retry_policy.AsyncRetrying(
            sleep=self._sleep, **self._queries.retry_policy.policy(exchange)
        )
        found: A = await retrying(self._attempt, exchange)
        return found

    async def scalar(self, query: Query[Scalar]) -> Scalar:
        """Return one number, or one for each group. Raises `QueryError`."""
        return await self.run(query)

    async def timeseries(self, measure: Measure, *, interval: timedelta) -> Timeseries:
        """Return the numbers for each time of this length. Raises `QueryError`."""
        return await self.run(measure.every(interval))

    async def iterate(self, listing: Query[Records]) -> AsyncIterator[Row]:
        """Yield the events of a list to its end, or to its limit; see `QueryClient.iterate()`."""
        pages = Pages(self._queries.fixed(listing))
        while pages.request is not None:
            for row in pages.take(await self.run(pages.request)):
                yield row

    async def _attempt(self, exchange: QueryExchange[A]) -> A:
        with exchange.failing():
            response = await self._http.handle_async_request(exchange.send())
            async with contextlib.aclosing(response):
                if exchange.is_readable(response):
                    async for chunk in response.aiter_bytes():
                        exchange.take(chunk)
        return exchange.read(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()


class _Queries:
    """What both clients do alike."""

    def __init__(self, settings: Settings, deadline: float, timeout: float) -> None:
        try:
            from dd_pa.query import retry_policy  # noqa: PLC0415 - belongs to an extra
        except ImportError as error:
            raise ImportError("queries need tenacity; install it with: pip install 'dd-pa[query]'") from error
        self.retry_policy = retry_policy
        self._access = Access(settings)
        self._limits = Limits(deadline=deadline, timeout=timeout, connect=settings.timeout)
        self._settings = settings

    @property
    def transport_options(self) -> dict[str, Any]:
        """How to reach the API: no HTTP/2, whose library logs headers; no variables of the environment."""
        secure = self._access.url.startswith("https:")
        tls = tls_context(self._settings.ca_file) if secure else tls_to_nobody()
        return {"verify": tls, "http2": False, "proxy": self._settings.proxy, "trust_env": False}

    def fixed(self, listing: Query[Records]) -> ListRequest:
        """Return the request of a list, with the times that all its pages keep."""
        request = listing.request(time.time_ns() // 1_000_000)
        if not isinstance(request, ListRequest):
            raise TypeError(f"iterate() takes a list of events, not {type(listing).__name__}")
        return request

    def begin(self, query: Query[A]) -> QueryExchange[A]:
        """Return a query that was not sent yet."""
        return QueryExchange(query.request(time.time_ns() // 1_000_000), self._access, self._limits)
