"""What a load needs of each way of delivery: the arithmetic behind docs/scaling.md.

`python -m benchmarks.capacity` prints the table. The costs are measured; each names where. The rest is
multiplication, so that a reader puts in figures of his own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import NamedTuple

from dd_pa.capture.event import BuiltEvent
from dd_pa.relay.message import Binding, Messages

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

    broker: float
    has_broker: bool = False


WRITES = 15.0
"""`track()` into a spool that others deliver, at 10,000 a second (README.md: rates, quiet machine)."""

DELIVERS = 67.0 - WRITES
"""The rest of the whole way over HTTP/2 and TLS, 80 ms away (README.md: throughput, quiet machine)."""

WAYS = (
    Way("thread", WRITES + DELIVERS, 0.0, 0.0),
    Way("process", WRITES, DELIVERS, 0.0),
    # Clients and brokers: plain batched loops of the same libraries, one run each, 26 November; not dd-pa's own relays.
    Way("Redis", WRITES + 8.2, 12.7 + DELIVERS, 20.5 + 12.5, has_broker=True),
    Way("NATS", WRITES + 17.5, 61.3 + DELIVERS, 14.5 + 23.5, has_broker=True),
    Way("RabbitMQ", WRITES + 50.8, 69.0 + DELIVERS, 73.5 + 65.0, has_broker=True),
)


class Need(NamedTuple):
    """What a load takes."""

    tracking_cores: float
    deliverers: int
    """Processes of `dd-pa deliver`; 0 where the application's own threads do it."""

    delivering_cores: float
    broker_cores: float
    broker_bytes: float
    """Bytes a second into the broker; as many come out of it."""


def message_bytes() -> int:
    """Return the bytes of one message: the event, and what CloudEvents puts beside it."""
    event = BuiltEvent(id="0" * 32, name="order.paid", occurred_at=1_795_780_726_595, body=b"x" * BODY)
    message = Messages("51419fd9-d3bf-4d3f-9a75-3f3a2a1a1a1a").of(event, event.body)
    return len(message.body) + sum(len(f"{name}{value}") for name, value in Binding("ce-").headers(message).items())


def rate_of_one(cpu: float) -> float:
    """Return the events a second that are planned for a delivering process: what is in flight, or a core, bounds it."""
    return FILL * min(IN_FLIGHT / LATENCY, 1e6 / cpu)


def need(way: Way, rate: float) -> Need:
    """Return what a way needs for so many events a second."""
    return Need(
        tracking_cores=rate * way.tracking / 1e6,
        deliverers=math.ceil(rate / rate_of_one(way.delivering)) if way.delivering else 0,
        delivering_cores=rate * way.delivering / 1e6,
        broker_cores=rate * way.broker / 1e6,
        broker_bytes=rate * message_bytes() if way.has_broker else 0.0,
    )


def rows() -> Iterator[str]:
    """Yield the table of docs/scaling.md."""
    titles = ("events a second", "way", "cores that track", "deliverers", "their cores", "broker's cores")
    yield f"| {' | '.join(titles)} | into the broker |"
    yield "|---:|---|---:|---:|---:|---:|---:|"
    for rate in LOADS:
        for way in WAYS:
            told = need(way, rate)
            broker = f"{told.broker_cores:.2f} | {_size(told.broker_bytes)}" if way.has_broker else "– | –"
            cores = f"{told.tracking_cores:.2f} | {told.deliverers or '–'} | {told.delivering_cores:.2f}"
            yield f"| {rate:,.0f} | {way.name} | {cores} | {broker} |"


def _size(each_second: float) -> str:
    return f"{each_second / 1e6:,.2f} MB/s, {each_second * 86_400 / 1e9:,.1f} GB a day"


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
