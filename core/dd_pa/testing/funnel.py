"""A funnel in a test: whether a flow still produces its events, in order, for the same user."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx

from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.query import Events, Funnel, FunnelBuilder, QueryClient

_LOCAL = "http://127.0.0.1"


def assert_funnel(
    source: QueryClient | Any,
    *steps: str | Events,
    reached: Sequence[int],
    by: str = "@usr.id",
    last_days: float = 1,
) -> Funnel:
    """Assert how many users (or what else `by` names) reached each step; return the funnel.

    `source` is an `Emulator`, running or not, or a `QueryClient`. Flush the emitter before. Blocks; needs
    `dd-pa[query]`, and `dd-pa[emulator]` for an emulator. Raises `QueryError` where there is no answer.
    """
    __tracebackhide__ = True
    from dd_pa.query import QueryClient, funnel  # noqa: PLC0415 - belongs to an extra

    if len(steps) != len(reached):
        raise ValueError(f"{len(steps)} steps, but {len(reached)} numbers in reached")
    query = funnel(*steps).joined_by(by).last(days=last_days)
    found = source.run(query) if isinstance(source, QueryClient) else _in_process(source, query)
    if found.reached != list(reached):
        raise AssertionError(_differences(found, reached, by))
    return found


def _in_process(app: Any, query: FunnelBuilder) -> Funnel:
    """Ask an emulator without a socket, in a loop of its own: the caller may be in one."""
    from dd_pa.query import AsyncQueryClient  # noqa: PLC0415 - belongs to an extra

    async def ask() -> Funnel:
        settings = Settings(enabled=False, api_url=_LOCAL, bearer_token="assert_funnel")  # noqa: S106 - any will do
        async with AsyncQueryClient(settings, transport=httpx.ASGITransport(app=app)) as client:
            return await client.run(query)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, ask()).result()


def _differences(found: Funnel, reached: Sequence[int], by: str) -> str:
    lines = [f"the funnel by {by} was not reached as expected:"]
    names = [row["step"] for row in found.rows]
    width = max(map(len, names), default=0)
    for number, (name, value, expected) in enumerate(zip(names, found.reached, reached, strict=False), 1):
        said = "" if value == expected else f", not {expected}"
        lines.append(f"  {number}. {name:<{width}}  {value:g}{said}")
    return "\n".join(lines)
