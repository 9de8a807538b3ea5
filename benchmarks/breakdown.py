"""Where the time of an event goes, part by part: `python -m benchmarks.breakdown`."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks import child, far_intake, sdks
from benchmarks.report import Section, Table, run

CALLS, POSTS, IN_FLIGHT, DELAY = 3_000, 3_000, 100, 0.08
TEXT = f"""\
The same event, part by part: first each part of `track()` by itself ({CALLS:,} calls in a row, no delivery), then what
one delivered event costs in processor time {DELAY * 1000:.0f} ms away with {IN_FLIGHT} requests in flight, from the
bare HTTP transport up to the whole of dd-pa. What the transport costs alone is the limit for what is built upon it.
"""


def calls(directory: str) -> list[tuple[str, float, float]]:
    """Return part, median and p99 in microseconds; to be run in a fresh process."""
    from dd_pa import Emitter, Settings
    from dd_pa.capture.attributes import is_plain
    from dd_pa.capture.linking import Linker

    common: dict[str, Any] = {"application_id": "bench", "api_key": "bench", "intake_url": "http://127.0.0.1:1"}
    who = {"usr": sdks.USER, "account": sdks.ACCOUNT, "session": sdks.SESSION}
    memory = Emitter(Settings(**common, spool_dir=None, buffer_size=10 * CALLS))
    # No delivery beside it: only the writing is to be seen.
    spool = Emitter(Settings(**common, spool_dir=directory, delivery="process"))
    event = memory.build(sdks.NAME, sdks.NESTED, **who)
    assert event is not None
    linker = Linker(None, strict=False)
    alone = os.open(Path(directory, "alone"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    line = event.body + b"\n"
    parts: dict[str, Callable[[], object]] = {
        "an empty call": lambda: None,
        "who: `Linker.link`": lambda: linker.link(**who, on_problem=print),
        "check: `is_plain`": lambda: is_plain(sdks.NESTED),
        "who, check, id and encoding: `Emitter.build`": lambda: memory.build(sdks.NAME, sdks.NESTED, **who),
        "keep in memory: `Emitter.submit`": lambda: memory.submit(event),
        "keep in the spool: `Emitter.submit`": lambda: spool.submit(event),
        "of that, one `os.write` of as many bytes": lambda: os.write(alone, line),
        "all: `track()`, memory": lambda: memory.track(sdks.NAME, sdks.NESTED, **who),
        "all: `track()`, spool": lambda: spool.track(sdks.NAME, sdks.NESTED, **who),
    }
    return [(name, *_timed(part)) for name, part in parts.items()]


def _timed(part: Callable[[], object]) -> tuple[float, float]:
    costs = []
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        part()
        costs.append((time.perf_counter_ns() - start) / 1000)
    costs.sort()
    return statistics.median(costs), costs[len(costs) * 99 // 100]


def posts(url: str, ca_file: str, extra: bool) -> list[tuple[str, float]]:
    """Return layer and microseconds of processor time per event; to be run in a fresh process."""
    import httpx

    from dd_pa import Emitter, Settings
    from dd_pa.delivery.intake import PATH, Intake
    from dd_pa.delivery.transport import fast_transport, httpx_transport

    settings = Settings(application_id="bench", api_key="bench", intake_url=url, ca_file=ca_file, spool_dir=None)
    who = {"usr": sdks.USER, "account": sdks.ACCOUNT, "session": sdks.SESSION}
    event = Emitter(settings).build(sdks.NAME, sdks.NESTED, **who)
    assert event is not None
    make = fast_transport if extra else httpx_transport

    async def transport_alone() -> float:
        transport = make(settings)

        async def send() -> None:
            headers = {"Host": httpx.URL(url).netloc.decode(), "DD-API-KEY": "bench"}
            answer = await transport.handle_async_request(
                httpx.Request("POST", url + PATH, headers=headers, content=event.body)
            )
            await answer.aread()
            await answer.aclose()

        return await _cost(send)

    async def intake() -> float:
        outlet = Intake(settings, make(settings))
        return await _cost(lambda: outlet.send(event, event.body))

    def whole() -> float:
        sdk = sdks.dd_pa(sdks.Place(url=url, directory="", ca_file=ca_file), extra=extra)
        sdk.fire(sdk.attributes())
        sdk.flush()
        before = time.process_time()
        for _ in range(POSTS):
            sdk.fire(sdk.attributes())
        sdk.flush()
        return (time.process_time() - before) / POSTS * 1e6

    return [
        ("the transport alone", asyncio.run(transport_alone())),
        ("with our requests, limits and verdicts: `Intake`", asyncio.run(intake())),
        ("all: `track()`, store, dispatcher, `Intake`", whole()),
    ]


async def _cost(send: Callable[[], Awaitable[object]]) -> float:
    """Return the processor time of one of many requests, in microseconds."""
    await send()
    left = iter(range(POSTS))

    async def some() -> None:
        for _ in left:
            await send()

    before = time.process_time()
    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
    return (time.process_time() - before) / POSTS * 1e6


def benchmark(small: bool) -> Section:
    del small  # it is short
    with tempfile.TemporaryDirectory() as directory:
        parts = child.call("benchmarks.breakdown", "calls", directory)
    with far_intake.running(DELAY) as intake:
        httpx, fast = (
            child.call("benchmarks.breakdown", "posts", intake.url, intake.ca_file, extra) for extra in ("", "fast")
        )
    return Section(
        name="breakdown",
        text=TEXT,
        tables=[
            Table(
                title="Parts of `track()`, µs",
                columns=["part", "median", "p99"],
                rows=[[name, f"{median:.2f}", f"{p99:.1f}"] for name, median, p99 in parts],
            ),
            Table(
                title="Processor time of one delivered event, µs",
                columns=["layer", "httpx", "`fast`"],
                rows=[
                    [name, f"{slow:,.0f}", f"{quick:,.0f}"]
                    for (name, slow), (_, quick) in zip(httpx, fast, strict=True)
                ],
            ),
        ],
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["calls", directory]:
            child.answer(calls(directory))
        case ["posts", url, ca_file, extra]:
            child.answer(posts(url, ca_file, bool(extra)))
        case _:
            run(benchmark)
