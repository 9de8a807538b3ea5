"""Where the time of an event goes, part by part: `python -m benchmarks.breakdown`."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import child, far_intake, sdks
from benchmarks.report import Section, Table, run
from benchmarks.rounds import in_turns, spread
from dd_pa.network.outcome import DELIVERED, Outcome

ROUNDS, CALLS, POSTS, IN_FLIGHT, DELAY = 40, 100, 2_000, 100, 0.08
TEXT = f"""\
The same event, part by part: first each part of `track()` by itself (CPU of the calling thread in {ROUNDS} rounds of
{CALLS} calls each, in turns, no delivery), then what one delivered event costs in processor time {DELAY * 1000:.0f} ms
away with {IN_FLIGHT} requests in flight, from the transport alone to the whole of dd-pa: the best of 3 rounds. What the
transport costs is the limit for what is built upon it.
"""


def calls(directory: str) -> list[tuple[str, float, float]]:
    """Return part, least and median in microseconds; to be run in a fresh process."""
    from dd_pa import Emitter, Settings
    from dd_pa.capture.fast_path import GoodNames, plain
    from dd_pa.capture.linking import Linker

    common: dict[str, Any] = {"application_id": "bench", "api_key": "bench", "intake_url": "http://127.0.0.1:1"}
    who: dict[str, Any] = {"usr": sdks.USER, "account": sdks.ACCOUNT, "session": sdks.SESSION}
    memory = Emitter(Settings(**common, spool_dir=None, buffer_size=1_000_000, buffer_max_bytes=1 << 32))
    # No delivery beside it: only the writing is to be seen.
    spool = Emitter(Settings(**common, spool_dir=directory, delivery="process"))
    event = memory.integration.build(sdks.NAME, sdks.NESTED, **who)
    assert event is not None
    names = GoodNames()
    linker = Linker(None, strict=False)
    alone = os.open(Path(directory, "alone"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    line = event.body + b"\n"
    parts: dict[str, Callable[[], object]] = {
        "an empty call": lambda: None,
        "who: `Linker.link`": lambda: linker.link(**who, on_problem=print),
        "check: `plain`": lambda: plain(sdks.NESTED, names),
        "who, check, id and encoding: `Integration.build`": lambda: memory.integration.build(
            sdks.NAME, sdks.NESTED, **who
        ),
        "keep in memory: `Integration.submit`": lambda: memory.integration.submit(event),
        "keep in the spool: `Integration.submit`": lambda: spool.integration.submit(event),
        "of that, one `os.write` of as many bytes": lambda: os.write(alone, line),
        "all: `track()`, memory": lambda: memory.track(sdks.NAME, sdks.NESTED, **who),
        "all: `track()`, spool": lambda: spool.track(sdks.NAME, sdks.NESTED, **who),
    }
    found = in_turns(list(parts), ROUNDS, lambda name: _timed(parts[name]))
    return [(name, *spread(costs)) for name, costs in found.items()]


def _timed(part: Callable[[], object]) -> float:
    before = time.thread_time_ns()
    for _ in range(CALLS):
        part()
    return (time.thread_time_ns() - before) / CALLS / 1000


def posts(url: str, ca_file: str, *, httpx: bool) -> list[tuple[str, float]]:
    """Return layer and microseconds of processor time per event; to be run in a fresh process."""
    from dd_pa import Emitter, Settings
    from dd_pa.delivery.outlet_factory import open_outlet
    from dd_pa.network.outlet import direct

    settings = Settings(
        application_id="bench",
        api_key="bench",
        intake_url=url,
        ca_file=ca_file,
        spool_dir=None,
        transport="httpx" if httpx else "auto",
    )
    who: dict[str, Any] = {"usr": sdks.USER, "account": sdks.ACCOUNT, "session": sdks.SESSION}
    many = POSTS // 10 if httpx else POSTS  # so much dearer that fewer do
    event = Emitter(settings).integration.build(sdks.NAME, sdks.NESTED, **who)
    assert event is not None

    async def outlet() -> float:
        opened = direct(open_outlet(settings))
        cost = min([await _cost(lambda done: opened.start(event, event.body, done), many) for _ in range(3)])
        await opened.aclose()
        return cost

    def whole() -> float:
        sdk = sdks.dd_pa(sdks.Place(url=url, directory="", ca_file=ca_file), httpx=httpx)
        sdk.fire(sdk.attributes())
        sdk.flush()
        costs = []
        for _ in range(3):
            before = time.process_time()
            for _ in range(many):
                sdk.fire(sdk.attributes())
            sdk.flush()
            costs.append((time.process_time() - before) / many * 1e6)
        return min(costs)

    return [
        ("the outlet alone: request, transport, verdict", asyncio.run(outlet())),
        ("all: `track()`, store, dispatcher, outlet", whole()),
    ]


async def _cost(start: Callable[[Callable[[Outcome], None]], None], posts: int) -> float:
    """Return the processor time of one of many requests, in microseconds."""
    await _post(IN_FLIGHT, start)  # the connection is made before
    before = time.process_time()
    await _post(posts, start)
    return (time.process_time() - before) / posts * 1e6


async def _post(posts: int, start: Callable[[Callable[[Outcome], None]], None]) -> None:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    unsent = unanswered = posts

    def send() -> None:
        nonlocal unsent
        if unsent:
            unsent -= 1
            start(done)

    def done(outcome: Outcome) -> None:
        nonlocal unanswered
        assert outcome is DELIVERED, outcome
        unanswered -= 1
        send()
        if not unanswered:
            over.set_result(None)

    for _ in range(IN_FLIGHT):
        send()
    await over


def benchmark(small: bool) -> Section:
    del small  # it is short
    with tempfile.TemporaryDirectory() as directory:
        parts = child.call("benchmarks.breakdown", "calls", directory)
    with far_intake.running(DELAY) as intake:
        ours, httpx = (
            child.call("benchmarks.breakdown", "posts", intake.url, intake.ca_file, transport)
            for transport in ("auto", "httpx")
        )
    return Section(
        name="breakdown",
        text=TEXT,
        tables=[
            Table(
                title="Parts of `track()`, µs",
                columns=["part", "least", "median"],
                rows=[[name, f"{least:.2f}", f"{median:.2f}"] for name, least, median in parts],
            ),
            Table(
                title="Processor time of one delivered event, µs",
                columns=["layer", "our HTTP/2", "httpx"],
                rows=[
                    [name, f"{quick:,.0f}", f"{slow:,.0f}"]
                    for (name, quick), (_, slow) in zip(ours, httpx, strict=True)
                ],
            ),
        ],
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["calls", directory]:
            child.answer(calls(directory))
        case ["posts", url, ca_file, transport]:
            child.answer(posts(url, ca_file, httpx=transport == "httpx"))
        case _:
            run(benchmark)
