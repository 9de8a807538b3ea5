from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

import httpx

from tests.simulation.plan import Outage
from tests.simulation.process import Process

OLD_KEY, KEY = "0" * 32, "1" * 32


class PanicError(BaseException):
    """What a transport written in Rust raises when it fails."""


_FAILURES: dict[str, Callable[[], BaseException]] = {
    "hang": lambda: httpx.ReadTimeout(""),
    "refused": lambda: httpx.ConnectError("refused"),
    "panic": PanicError,
    "lost": lambda: httpx.WriteError(""),
    "cut": lambda: httpx.RemoteProtocolError("server disconnected"),
}


@dataclass(eq=False, kw_only=True)
class Intake:
    """Takes events, or answers as the plan says."""

    draws: random.Random
    clock: Callable[[], float]
    note: Callable[..., None]
    timeout: float
    outages: list[Outage] = field(default_factory=list)
    latency: float = 0.05
    flaky: float = 0.0
    """Share of requests that fail with 500."""

    lost: float = 0.0
    """Share of requests whose connection goes away, with all that are in flight on it."""

    lost_answer: float = 0.0
    """Share of events that are taken, but whose answer is lost."""

    date: Callable[[], float] | None = None
    """What its answers say of the time; None: nothing."""

    altered: set[str] = field(default_factory=set)
    """Events that came with what nobody wrote."""

    stripped: set[str] = field(default_factory=set)
    """Events that came without the session that they were tracked with."""

    revoked_from: float = float("inf")
    """When the old key ends."""

    arrivals: dict[str, list[tuple[float, Process]]] = field(default_factory=lambda: defaultdict(list))
    unsure: set[str] = field(default_factory=set)
    """Events that were taken without the sender's knowledge."""

    attempts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    in_flight: dict[Process, int] = field(default_factory=lambda: defaultdict(int))
    on_the_way: set[str] = field(default_factory=set)
    """Events of the requests in flight."""

    most_in_flight: int = 0
    questions: int = 0
    """How often it was asked for the time."""

    cuts: int = 0
    """How often all connections were cut."""

    async def answer(self, request: httpx.Request, process: Process) -> httpx.Response:
        body = json.loads(request.content)
        if not body:  # somebody asks for the time
            self.questions += 1
        event, name = (str(body["dd_pa"]["event_id"]), str(body["event"]["name"])) if body else ("", "bad.400")
        if "y" in str(body.get("filling", "")):
            self.altered.add(event)
        if "session_id" in body.get("dd_pa", {}):
            self.stripped.add(event)
        self.attempts[event] += 1
        self.in_flight[process] += 1
        self.on_the_way.add(event)
        self.most_in_flight = max(self.most_in_flight, self.in_flight[process])
        try:
            wanted = self._wanted(name, request.headers["dd-api-key"])
            response = await self._act(wanted, event, process, request)
            if self.date is not None:
                response.headers["date"] = formatdate(self.date(), usegmt=True)
        finally:
            self.in_flight[process] -= 1
            self.on_the_way.discard(event)
        return response

    def _wanted(self, name: str, key: str) -> str:
        now = self.clock()
        if key == OLD_KEY and now >= self.revoked_from:
            return "403"
        for outage in self.outages:
            if outage.begins <= now < outage.ends:
                return outage.answer
        if name.startswith("bad."):
            return name.removeprefix("bad.")
        if self.draws.random() < self.lost:
            return "lost"
        return "500" if self.draws.random() < self.flaky else "202"

    async def _act(self, wanted: str, event: str, process: Process, request: httpx.Request) -> httpx.Response:
        cuts = self.cuts
        if wanted in _FAILURES:
            self.note("intake", process, f"lets {event[:6]} down: {wanted}")
            self.cuts += wanted == "lost"
            await asyncio.sleep({"hang": self.timeout, "cut": self.latency}.get(wanted, 0.0))
            raise _FAILURES[wanted]()
        await asyncio.sleep(self.latency * self.draws.uniform(0.5, 2))
        if self.cuts > cuts:
            raise httpx.WriteError("")
        self.note("intake", process, f"answers {wanted} to {event[:6]}")
        if wanted == "202":
            return self._take(event, process)
        return _refusal(wanted, request)

    def _take(self, event: str, process: Process) -> httpx.Response:
        self.arrivals[event].append((self.clock(), process))
        if self.draws.random() < self.lost_answer:
            self.unsure.add(event)
            raise httpx.ReadError("")
        return httpx.Response(202, content=b"{}")


def _refusal(wanted: str, request: httpx.Request) -> httpx.Response:
    status, _, wait = wanted.partition(" ")
    headers: dict[str, str] = {"location": "http://elsewhere.example"} if status == "302" else {}
    if wait:
        headers["retry-after"] = "30"
    words = {"errors": [{"detail": f"refused: {request.content.decode()}"}]}
    return httpx.Response(int(status), headers=headers, content=json.dumps(words).encode())


class Line(httpx.AsyncBaseTransport):
    """The way to the intake of whichever process uses it."""

    def __init__(self, intake: Intake, who: Callable[[], Process]) -> None:
        self._intake, self._who = intake, who

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._intake.answer(request, self._who())
