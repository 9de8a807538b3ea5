"""What a row of the outbox costs its transaction, and how fast rows are delivered: `python -m benchmarks.outbox`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import sqlalchemy as sa

from benchmarks import sdks, sink
from benchmarks.report import Section, Table, run
from dd_pa import BuiltEvent, Emitter, Settings
from dd_pa.outbox import OutboxDeliverer
from dd_pa.outbox.sqlalchemy import SqlAlchemyTable, add, outbox_table

TRANSACTIONS, ROWS = 1_000, 5_000
TEXT = """\
On this machine's PostgreSQL, as it is configured. *Cost*: a transaction that inserts one row of the application, alone
and with one event in the outbox, in turns. *Drain*: rows that wait, until the table is empty, by deliverers in
processes of their own that begin at the same moment; the intake is a local process that answers at once, so this is
what claiming, sending and deleting cost together.
"""
METADATA = sa.MetaData()
OUTBOX = outbox_table(METADATA)
ORDERS = sa.Table("orders", METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("total", sa.Integer))


@contextmanager
def database() -> Iterator[str]:
    """Make an empty database, and drop it at the end."""
    name = f"dd_pa_bench_{os.getpid()}"
    with psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def settings(intake: str) -> Settings:
    return Settings(application_id="bench", api_key="bench", intake_url=intake, spool_dir=None)


def events(count: int) -> Iterator[BuiltEvent]:
    emitter = Emitter(settings("http://127.0.0.1:1"))
    for _ in range(count):
        event = emitter.integration.build(
            sdks.NAME, sdks.NESTED, usr=sdks.USER, account=sdks.ACCOUNT, session=sdks.SESSION
        )
        assert event is not None
        yield event


def cost(engine: sa.Engine, count: int) -> list[list[str]]:
    """Time both kinds of transactions in turns, so that a busy moment meets both."""
    times: dict[str, list[float]] = {"a row of the application": [], "dd-pa: the same row, and an event": []}
    alone, both = times
    for event in events(count):
        times[alone].append(_timed(lambda: _transaction(engine, None)))
        times[both].append(_timed(lambda event=event: _transaction(engine, event)))  # type: ignore[misc]
    return [
        [name, f"{statistics.median(found):,.0f}", f"{sorted(found)[len(found) * 99 // 100]:,.0f}"]
        for name, found in times.items()
    ]


def _transaction(engine: sa.Engine, event: BuiltEvent | None) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(ORDERS).values(total=1))
        if event is not None:
            add(connection, event, OUTBOX)


def _timed(call: Callable[[], None]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1000


def drain(url: str, engine: sa.Engine, workers: int, rows: int) -> list[str]:
    """Store rows, let so many processes deliver them, and return the row of the table."""
    values = [{"event_id": e.id, "name": e.name, "occurred_at": e.occurred_at, "body": e.body} for e in events(rows)]
    with engine.begin() as connection:
        connection.execute(sa.delete(OUTBOX))
        connection.execute(sa.insert(OUTBOX), values)
    with sink.running() as intake, ExitStack() as ending:
        command = [sys.executable, "-m", "benchmarks.outbox", "--deliver", url, intake]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(workers)
        ]
        for process in processes:
            ending.enter_context(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        start = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        delivered = [process.stdout.read() for process in processes if process.stdout is not None]
        seconds = time.perf_counter() - start
    assert sum(map(int, delivered)) == rows
    return [f"dd-pa, {workers} deliverer{'s' * (workers > 1)}", f"{rows:,}", f"{rows / seconds:,.0f}"]


def deliver(url: str, intake: str) -> None:
    """Be a deliverer: say when all is imported, wait for the word, and say how many were delivered."""
    deliverer = OutboxDeliverer(settings(intake), SqlAlchemyTable(sa.create_engine(url), OUTBOX))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    deliverer.run(once=True)
    sys.stdout.write(str(deliverer.stats().delivered))


def benchmark(small: bool) -> Section:
    transactions, rows = (50, 300) if small else (TRANSACTIONS, ROWS)
    with database() as url:
        engine = sa.create_engine(url)
        METADATA.create_all(engine)
        costs = cost(engine, transactions)
        drains = [drain(url, engine, workers, rows) for workers in (1, 2)]
        engine.dispose()
    return Section(
        name="outbox",
        text=TEXT,
        tables=[
            Table(title="Cost of a transaction, µs", columns=["transaction", "median", "p99"], rows=costs),
            Table(title="Drain", columns=["deliverers", "rows", "rows/s"], rows=drains),
        ],
    )


if __name__ == "__main__":
    if "--deliver" in sys.argv:
        deliver(*sys.argv[2:])
    else:
        run(benchmark)
