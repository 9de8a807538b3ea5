"""A stand-in for the API: answers what a test says, in order, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx

from dd_pa import Settings
from tests.core.intakes import Post, RawIntake, answer
from tests.core.wire import settings

APP_KEY = "application-key"
Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def reading(**changes: Any) -> Settings:
    """Return settings that may read; `changes` win."""
    return settings(**({"app_key": APP_KEY} | changes))


def done(kind: str, attributes: Any, status: str | None = "done", **meta: Any) -> httpx.Response:
    """Return a complete answer in JSON:API's envelope."""
    said = {} if status is None else {"meta": {"request_id": "r-1", "status": status, **meta}}
    return httpx.Response(200, json={"data": {"id": "0", "type": kind, "attributes": attributes}, **said})


def counted(*values: float) -> httpx.Response:
    """Return a scalar answer without groups."""
    return done("scalar_response", {"columns": [{"name": "query", "type": "number", "values": list(values)}]})


def refused(status: int, *words: str, **headers: str) -> httpx.Response:
    """Return an error as Datadog words it."""
    return httpx.Response(status, json={"errors": list(words)}, headers=headers)


def serving(body: bytes, status: int = 200) -> RawIntake:
    """Return an API on a real port that has one answer."""

    async def reply(post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status, body))

    return RawIntake(reply)


class Api(httpx.MockTransport):
    """Both kinds of transport."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(self._reply)
        self._replies = list(replies)
        self.requests: list[httpx.Request] = []

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply(request) if callable(reply) else reply

    @property
    def attributes(self) -> list[dict[str, Any]]:
        """What each request asked."""
        return [json.loads(request.content)["data"]["attributes"] for request in self.requests]
