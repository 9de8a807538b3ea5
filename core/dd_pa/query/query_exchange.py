"""One query from first request to answer, without I/O: what to send, what an answer means, whether to try again."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx

from dd_pa.errors import (
    BadQueryError,
    QueryError,
    QueryForbiddenError,
    QueryRateLimitError,
    QueryTimeoutError,
    QueryUnavailableError,
)
from dd_pa.observe.log import printable
from dd_pa.query.credentials import Access
from dd_pa.query.envelope import Request

A = TypeVar("A")

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer that are read."""

MAX_WORDS = 500
"""Characters of Datadog's own words that are kept."""

LONGEST_RESET = 15 * 60.0
"""Seconds that `X-RateLimit-Reset` may ask for, and be believed."""

ATTEMPTS = 4
"""How often a query may fail; questions for one that is worked on do not count."""

_KINDS: dict[int, type[QueryError]] = {
    401: QueryForbiddenError,
    403: QueryForbiddenError,
    408: QueryUnavailableError,
    429: QueryRateLimitError,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds."""

    deadline: float
    """For all of it."""
    timeout: float
    """For any step of one request."""
    connect: float


class UnfinishedQuery(Exception):  # noqa: N818 - not an error: the next question may find it done
    """Datadog still works on the query."""


class QueryExchange(Generic[A]):
    """One query until it is answered, given up or late. Its own for each call of `run()`."""

    def __init__(
        self, request: Request[A], access: Access, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._request = request
        self._access = access
        self._limits = limits
        self._clock = clock
        self._end = clock() + limits.deadline
        self._request_id: str | None = None
        self._failures = 0
        self._body = bytearray()

    def send(self) -> httpx.Request:
        """Return the next request."""
        self._body.clear()
        left = max(0.001, min(self._limits.timeout, self._end - self._clock()))
        limits = {"connect": min(self._limits.connect, left), "read": left, "write": left, "pool": left}
        body = self._request.encode(self._request_id)
        url = f"{self._access.url}{self._request.path}"
        return httpx.Request("POST", url, headers=self._access.headers(), content=body, extensions={"timeout": limits})

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Turn what the network does into errors of ours, which quote none of its words: they may hold the keys."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise QueryTimeoutError(f"no answer in time ({type(error).__name__})") from None
        except httpx.TransportError as error:
            problem = f"{self._access.url} cannot be reached ({type(error).__name__})"
            raise QueryUnavailableError(problem) from None

    def is_readable(self, response: httpx.Response) -> bool:
        """Tell whether to read the body: nothing is inflated."""
        return str(response.headers.get("content-encoding", "identity")) == "identity"

    def take(self, chunk: bytes) -> None:
        """Keep a piece of the answer. Raises `QueryError` when it gets too long or too late."""
        self._body += chunk
        if len(self._body) > MAX_ANSWER:
            raise QueryError(f"the answer is longer than {MAX_ANSWER // 2**20} MiB; ask for less")
        if self._clock() > self._end:
            raise QueryTimeoutError(f"no complete answer within {self._limits.deadline:g} s")

    def read(self, response: httpx.Response) -> A:
        """Return the answer. Raises `QueryError`, or `UnfinishedQuery`."""
        if response.status_code != 200:
            raise self._refusal(response)
        if not self.is_readable(response):
            raise QueryError("the answer is compressed, which was not asked for", status=200)
        meta, answer = self._request.decode(bytes(self._body))
        if answer is not None:
            return answer
        self._request_id = meta.request_id or self._request_id
        raise UnfinishedQuery

    def _refusal(self, response: httpx.Response) -> QueryError:
        status = response.status_code
        kind = _KINDS.get(status) or {4: BadQueryError, 5: QueryUnavailableError}.get(status // 100, QueryError)
        error = kind(_title(status), status=status, words=self._words())
        if isinstance(error, QueryRateLimitError):
            error.reset = reset(response.headers)
        return error

    def _words(self) -> tuple[str, ...]:
        """Return Datadog's own words, or the answer as it came."""
        try:
            errors = json.loads(self._body)["errors"]
            found = [error if isinstance(error, str) else _detail(error) for error in errors]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            found = [self._body[:MAX_WORDS].decode("utf-8", "replace")]
        return tuple(printable(self._access.masked(words))[:MAX_WORDS] for words in found[:10] if words)

    def is_over(self, wait: float) -> bool:
        """Tell whether to give up: too many failures, or an attempt after this wait would be too late."""
        return self._failures >= ATTEMPTS or self._clock() + wait > self._end

    def is_worth_another(self, error: BaseException) -> bool:
        """Tell whether another attempt may fare better; counts the failures."""
        if isinstance(error, UnfinishedQuery):
            return True
        self._failures += 1
        return isinstance(error, QueryRateLimitError | QueryTimeoutError | QueryUnavailableError)

    def gave_up(self, error: BaseException | None) -> QueryError:
        """Return what the caller gets to see for the last error."""
        if isinstance(error, QueryError):
            return error
        named = f"; request_id {self._request_id}" if self._request_id else ""
        return QueryTimeoutError(f"Datadog still works on the query after {self._limits.deadline:g} s{named}")


def reset(headers: Mapping[str, str]) -> float | None:
    """Return after how many seconds queries are answered again, if the answer says so and can be believed."""
    for name in ("x-ratelimit-reset", "retry-after"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return min(seconds, LONGEST_RESET)
    return None


def _title(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _detail(error: Any) -> str:
    return str(error.get("detail") or error.get("title") or "")
