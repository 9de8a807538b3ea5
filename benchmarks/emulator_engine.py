"""The emulator's engine with a million events: how fast it answers, and how fast it takes events meanwhile.

Run alone: `python -m benchmarks.emulator_engine`. The server is a process of its own, held to one core.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.report import Aim, Section, Table, aims, run

EVENTS = 1_000_000
SECONDS = 20
SENDERS = 8
START = 1_790_000_000_000
SPAN = 30 * 24 * 3600 * 1000
KEYS = {"content-type": "application/json", "dd-api-key": "a" * 32, "dd-application-key": "b"}
NAMES = ("page.viewed", "product.viewed", "cart.updated", "checkout.started", "checkout.completed")

TEXT = """
A million server events of 11 facets over 30 days, of 20,000 users in 125,000 sessions, are put into the engine. A
server is asked each query three times over all of them; the median counts. Then one that is held to one core takes
single events over HTTP from eight connections: first alone, then while it is asked a scalar by a facet every second.
Everything shares two cores, the senders as well; "per second of processor time" is what the server would take with a
core to itself.
"""


def event(rng: random.Random, number: int) -> dict[str, Any]:
    """A server event as our client sends it."""
    return {
        "type": "server",
        "application": {"id": "123abcde-123a-123b-1234-123456789abc"},
        "event": {"name": rng.choice(NAMES)},
        "usr": {"id": f"user-{rng.randrange(20_000)}"},
        "account": {"id": f"account-{rng.randrange(500)}"},
        "session": {"id": f"session-{number // 8}"},
        "service": "shop",
        "order": {"total": round(rng.random() * 200, 2), "plan": rng.choice(("free", "pro", "team"))},
        "dd_pa": {"event_id": f"{rng.getrandbits(128):032x}", "occurred_at": START + SPAN * number // EVENTS},
    }


def base(text: str) -> dict[str, Any]:
    return {"data_source": "product_analytics", "search": {"query": text}}


def steps(key: str) -> dict[str, Any]:
    nodes = {alias: base(f"@event.name:{name}") for alias, name in zip("ABC", (*NAMES[1:3], NAMES[4]), strict=True)}
    return {"expression": "A -> B -> C", "node_objects": nodes, "join_keys": {"primary": key}}


def analytics(text: str, aggregation: str = "count", **more: Any) -> dict[str, Any]:
    compute = {"aggregation": aggregation, "interval": 24 * 3600 * 1000}
    if aggregation != "count":
        compute["metric"] = "@order.total"
    return {"query": {"query": base(text), "compute": compute, **more}}


WEEKS = {"type": "calendar", "value": {"type": "week", "quantity": 1, "alignment": "monday", "timezone": "UTC"}}
COHORTS = {
    "cohort_criteria": {"base_query": base("@event.name:product.viewed"), "time_interval": WEEKS},
    "return_criteria": {"base_query": base("@event.name:checkout.completed")},
    "retention_entity": "@usr.id",
    "return_condition": "conversion_on",
}
BY_NAME: dict[str, Any] = {"group_by": [{"facet": "@event.name", "limit": 10}]}
SCALAR = ("analytics/scalar", "formula_analytics_extended_request")
FUNNEL = ("journey/funnel", "journey_request")
QUERIES: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
    "count by @event.name": (SCALAR, analytics("*", **BY_NAME)),
    "count by @usr.id (20,000 groups, top 10)": (SCALAR, analytics("*", group_by=[{"facet": "@usr.id"}])),
    "sum(@order.total) by @event.name, filtered": (SCALAR, analytics("@order.plan:(pro OR team)", "sum", **BY_NAME)),
    "pc95(@order.total) where @order.total:>50": (SCALAR, analytics("@order.total:>50", "pc95")),
    "distinct users by @event.name": (
        SCALAR,
        {"query": {"query": base("*"), "compute": {"aggregation": "cardinality", "metric": "@usr.id"}, **BY_NAME}},
    ),
    "count by day and @event.name": (("analytics/timeseries", SCALAR[1]), analytics("*", **BY_NAME)),
    "free text: checkout": (SCALAR, analytics("checkout")),
    "funnel of 3 steps by session": (FUNNEL, {"query": {"search": steps("@session.id")}}),
    "funnel of 3 steps by user": (FUNNEL, {"query": {"search": steps("@usr.id")}}),
    "retention grid, weekly": (
        ("retention/grid", "retention_grid_request"),
        {"query": {"search": COHORTS, "compute": {"metric": "__dd.retention_rate", "aggregation": "count"}}},
    ),
    "sankey of @event.name": (
        ("sankey", "sankey_request"),
        {"search": {"query": "*"}, "definition": {"source": "@event.name", "target": "@event.name"}},
    ),
}


def fill(folder: Path, events: int) -> tuple[float, float]:
    """Put events into a data folder; returns events per second, and per second of processor time."""
    from dd_pa.emulator.warehouse.table_row import Event
    from dd_pa.emulator.warehouse.warehouse import Warehouse

    rng = random.Random(1)
    warehouse = Warehouse(folder, lambda: START / 1000)
    made, seconds, cpu = 0, 0.0, 0.0
    while made < events:
        batch = [Event(ts=START + SPAN * n // events, body=event(rng, n)) for n in range(made, made + 20_000)]
        began, used = time.perf_counter(), time.process_time()
        warehouse.put(batch)
        warehouse.catalogue(600)
        seconds, cpu = seconds + time.perf_counter() - began, cpu + time.process_time() - used
        made += len(batch)
    warehouse.close()
    return made / seconds, made / cpu


class Server:
    """An emulator in a process of its own."""

    def __init__(self, folder: Path, cores: set[int]) -> None:
        options = ["--port", "0", "--data", str(folder), "--keep", "1000"]
        command = [sys.executable, "-c", "from dd_pa.cli.program import main; main()", "emulator", *options]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509 - no thread runs yet
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split("127.0.0.1:")[1].split("/")[0])

    def cpu(self) -> float:
        """The processor time it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def ask(self, path: str, kind: str, attributes: dict[str, Any]) -> float:
        """Ask a query; returns the seconds it took."""
        moments = {"from": START - 1, "to": START + SPAN}
        whole = {"time": moments, **attributes} if path == "sankey" else {**moments, **attributes}
        body = json.dumps({"data": {"type": kind, "attributes": whole}})
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        began = time.perf_counter()
        connection.request("POST", f"/api/v2/product-analytics/{path}", body, KEYS)
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        connection.close()
        return time.perf_counter() - began

    def sending(self, seconds: float) -> int:
        """Send events over several connections for a while; returns how many were taken."""
        end = time.monotonic() + seconds
        taken = [0] * SENDERS
        threads = [threading.Thread(target=self._send, args=(taken, n, end)) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(taken)

    def _send(self, taken: list[int], sender: int, end: float) -> None:
        rng = random.Random(sender)
        bodies = [json.dumps(event(rng, n)) for n in range(500)]
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.monotonic() < end:
            connection.request("POST", "/api/v2/prodlytics", bodies[taken[sender] % 500], KEYS)
            response = connection.getresponse()
            assert response.status == 202, response.read()
            response.read()
            taken[sender] += 1
        connection.close()


def _median(server: Server, where: tuple[str, str], what: dict[str, Any]) -> float:
    return sorted(server.ask(*where, what) for _ in range(3))[1]


def querying(server: Server, over: threading.Event) -> Iterator[float]:
    """Ask the first query every second."""
    (path, kind), attributes = QUERIES["count by @event.name"]
    while not over.wait(1):
        yield server.ask(path, kind, attributes)


def taken_while_querying(server: Server, seconds: float) -> tuple[int, list[float]]:
    """Send events while queries run; returns how many were taken and how long the queries took."""
    over = threading.Event()
    times: list[float] = []
    thread = threading.Thread(target=lambda: times.extend(querying(server, over)))
    thread.start()
    taken = server.sending(seconds)
    over.set()
    thread.join()
    return taken, times


def benchmark(small: bool) -> Section:
    events, seconds = (20_000, 2) if small else (EVENTS, SECONDS)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "data"
        rate, per_core = fill(folder, events)
        size = sum(file.stat().st_size for file in folder.iterdir())
        cores = os.sched_getaffinity(0)
        with Server(folder, cores) as server:
            asked = {name: _median(server, *query) for name, query in QUERIES.items()}
        with Server(folder, {min(cores)}) as server:
            used = server.cpu()
            alone = server.sending(seconds)
            used = server.cpu() - used
            used_beside = server.cpu()
            taken, times = taken_while_querying(server, seconds)
            used_beside = server.cpu() - used_beside
    beside = taken / seconds
    grouped = asked["count by @event.name"]
    middle = sorted(times)[len(times) // 2]
    rows = [[name, f"{value * 1000:,.0f}"] for name, value in asked.items()]
    ingest = [
        ["put into the engine", f"{rate:,.0f}"],
        ["the same, per second of processor time", f"{per_core:,.0f}"],
        ["over HTTP, server on one core", f"{alone / seconds:,.0f}"],
        ["the same, per second of the server's processor time", f"{alone / used:,.0f}"],
        [f"the same while {len(times)} queries ran (median {middle * 1000:,.0f} ms)", f"{beside:,.0f}"],
        ["the same, per second of the server's processor time", f"{taken / used_beside:,.0f}"],
        ["bytes on disk per event", f"{size / events:,.0f}"],
    ]
    return Section(
        name="emulator_engine",
        text=TEXT,
        tables=[
            Table(title=f"Queries over {events:,} events", columns=["query", "ms"], rows=rows),
            Table(title="Taking events", columns=["what", "events/s"], rows=ingest),
            aims(
                Aim("grouped scalar over 1,000,000 events", "< 1 s", f"{grouped:.2f} s", grouped < 1),
                Aim("events taken on one core while querying", "≥ 2,000/s", f"{beside:,.0f}/s", beside >= 2000),
            ),
        ],
    )


if __name__ == "__main__":
    run(benchmark)
