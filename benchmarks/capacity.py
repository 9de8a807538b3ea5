"""What a load needs of each way of delivery: the arithmetic behind docs/scaling.md.

`python -m benchmarks.capacity` prints the tables. The costs are measured; each names where. The rest is
multiplication, so that a reader puts in figures of his own: `--core-hour` and `--gigabyte` are prices, in any currency,
for which a month of each way is printed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import NamedTuple

from dd_pa.capture.event import BuiltEvent
from dd_pa.relay.cloud_event import Binding, Messages

BODY = 500
"""Bytes of an event, as in the measurements."""

LATENCY = 0.08
"""Seconds until the intake's answer."""

IN_FLIGHT = 100
"""Requests that one process has in flight: the usual CONCURRENCY."""

FILL = 0.5
"""Part of what a process can deliver that is planned for: the rest is for peaks, and for what waited."""

LOADS = (100, 1_000, 10_000, 1_000_000 / 60)
"""Events a second; the last is a million a minute."""


class Way(NamedTuple):
    """One way of delivery, and the processor time of one event in µs, by where it is spent."""

    name: str
    tracking: float
    """In the process that calls `track()`, delivery or publishing included if that is its own."""

    delivering: float
    """In processes that do nothing else."""

    broker: float | None
    """In the broker or the database; None where it was not measured."""

    message: int = 0
    """Bytes of one event there; 0 where there is no such place."""

    most: float = math.inf
    """Events a second that one delivering process was seen to take, where less than its core or its requests allow."""


def message_bytes() -> int:
    """Return the bytes of one message: the event, and what CloudEvents puts beside it."""
    event = BuiltEvent(id="0" * 32, name="order.paid", occurred_at=1_795_780_726_595, body=b"x" * BODY)
    message = Messages("51419fd9-d3bf-4d3f-9a75-3f3a2a1a1a1a").of(event, event.body)
    return len(message.body) + sum(len(f"{name}{value}") for name, value in Binding("ce-").headers(message).items())


MESSAGE, ROW = message_bytes(), 1_520
"""Bytes of a message; of a row of the outbox, its indexes included."""

WRITES = 15.0
"""`track()` into a spool that others deliver, at 10,000 a second (README.md: rates, quiet machine)."""

DELIVERS = 67.0 - WRITES
"""The rest of the whole way over HTTP/2 and TLS, 80 ms away (README.md: throughput, quiet machine)."""

WAYS = (
    Way("thread", WRITES + DELIVERS, 0.0, 0.0),
    Way("process", WRITES, DELIVERS, 0.0),
    # PostgreSQL, SQLAlchemy: a transaction with one event beside the same without, CPU, least of three, busy machine.
    Way("outbox", 223.0, 111.0, 66.0 + 35.0, ROW, 990.0),
    # What is published, and delivered: README.md, relay (busy machine). Brokers: plain loops, 26 November.
    Way("Redis", WRITES + 42.5, 90.0, 20.5 + 12.5, MESSAGE),
    Way("NATS", WRITES + 50.1, 97.0, 14.5 + 23.5, MESSAGE),
    Way("RabbitMQ", WRITES + 40.9, 76.0, 73.5 + 65.0, MESSAGE),
    Way("Kafka", WRITES + 27.1, 52.0, None, MESSAGE),
)


class Need(NamedTuple):
    """What a load takes."""

    tracking_cores: float
    deliverers: int
    """Processes of `dd-pa deliver`; 0 where the application's own threads do it."""

    delivering_cores: float
    broker_cores: float | None
    broker_bytes: float
    """Bytes a second into the broker or the table; as many come out of it."""

    @property
    def cores(self) -> float:
        """All that were measured."""
        return self.tracking_cores + self.delivering_cores + (self.broker_cores or 0.0)


HOURS = 730
"""Of a month."""


class Prices(NamedTuple):
    """What a reader pays, in his currency."""

    core_hour: float
    gigabyte: float
    """For 10**9 bytes that go into the broker and out of it again; 0 within a network that costs nothing."""


def month(told: Need, prices: Prices) -> float:
    """Return what a month of a load costs."""
    return HOURS * told.cores * prices.core_hour + HOURS * 3600 * told.broker_bytes / 1e9 * prices.gigabyte


def rate_of_one(way: Way) -> float:
    """Return the events a second that are planned for a delivering process: what is in flight, or a core, bounds it."""
    return FILL * min(IN_FLIGHT / LATENCY, 1e6 / way.delivering, way.most)


def need(way: Way, rate: float) -> Need:
    """Return what a way needs for so many events a second."""
    return Need(
        tracking_cores=rate * way.tracking / 1e6,
        deliverers=math.ceil(rate / rate_of_one(way)) if way.delivering else 0,
        delivering_cores=rate * way.delivering / 1e6,
        broker_cores=None if way.broker is None else rate * way.broker / 1e6,
        broker_bytes=float(rate * way.message),
    )


def rows() -> Iterator[str]:
    """Yield the table of docs/scaling.md."""
    titles = ("events a second", "way", "cores that track", "deliverers", "their cores", "broker's cores")
    yield f"| {' | '.join(titles)} | into the broker |"
    yield "|---:|---|---:|---:|---:|---:|---:|"
    for rate in LOADS:
        for way in WAYS:
            told = need(way, rate)
            measured = "not measured" if told.broker_cores is None else f"{told.broker_cores:.2f}"
            broker = f"{measured} | {_size(told.broker_bytes)}" if way.message else "– | –"
            cores = f"{told.tracking_cores:.2f} | {told.deliverers or '–'} | {told.delivering_cores:.2f}"
            yield f"| {rate:,.0f} | {way.name} | {cores} | {broker} |"


def bill() -> Iterator[str]:
    """Yield what a month of each way takes of what is paid for."""
    yield "| way | core-hours a month at 1,000 a second | GB a month into the broker |"
    yield "|---|---:|---:|"
    for way in WAYS:
        told = need(way, 1_000)
        gigabytes = f"{HOURS * 3600 * told.broker_bytes / 1e9:,.0f}" if way.message else "–"
        note = "" if way.broker is not None else " and the broker's"
        yield f"| {way.name} | {HOURS * told.cores:.0f}{note} | {gigabytes} |"


def months(prices: Prices) -> Iterator[str]:
    """Yield what a month of each load costs at these prices."""
    yield "| events a second | way | a month |"
    yield "|---:|---|---:|"
    for rate in LOADS:
        for way in WAYS:
            yield f"| {rate:,.0f} | {way.name} | {month(need(way, rate), prices):,.2f} |"


def _size(each_second: float) -> str:
    return f"{each_second / 1e6:,.2f} MB/s, {each_second * 86_400 / 1e9:,.1f} GB a day"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity")
    parser.add_argument("--core-hour", type=float, help="price of a core for an hour")
    parser.add_argument(
        "--gigabyte", type=float, default=0.0, help="price of 10**9 bytes into the broker and out again"
    )
    arguments = parser.parse_args()
    told = [*rows(), "", *bill()]
    if arguments.core_hour is not None:
        told += ["", *months(Prices(arguments.core_hour, arguments.gigabyte))]
    print("\n".join(told))


if __name__ == "__main__":
    main()
