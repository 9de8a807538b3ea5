"""How fast the relays publish and deliver beside plain loops of the same clients: `python -m benchmarks.relay`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks import child, far_intake, relay_plain, sdks
from benchmarks.far_intake import FarIntake
from benchmarks.relay_plain import Ready, Taken, taken
from benchmarks.report import Aim, Section, Table, aims, run
from benchmarks.rounds import in_turns, spread
from dd_pa import Emitter, Settings
from dd_pa.capture.event import BuiltEvent
from dd_pa.delivery.event_age import Ages
from dd_pa.network.outcome import DELIVERED
from dd_pa.network.outlet import Done
from dd_pa.outbox import OutboxDeliverer
from dd_pa.relay.brokers import open_queue
from dd_pa.relay.cloud_event import Binding, Messages
from dd_pa.settings.relay_address import address as address_of
from dd_pa.store.store_factory import open_store
from tests.relay.brokers import broker_of

KINDS = {"redis": "Redis", "nats": "NATS", "rabbitmq": "RabbitMQ", "kafka": "Kafka (mock)"}
PREFIXES = {"redis": "ce-", "nats": "ce-", "rabbitmq": "cloudEvents:", "kafka": "ce_"}
SERVERS = ("beam.smp",)
ROUNDS, PUBLISHED, CONSUMED = 5, 10_000, 3_000
ANSWER, IN_FLIGHT = 0.02, 100
LOOK = 0.005
"""Seconds between two looks at how many events have gone, and so how sharp the first and the last moment are."""

PATIENCE = 100.0
TEXT = f"""\
Brokers of this machine, started for each round (RabbitMQ: the one that runs here, with a queue of its own; Kafka: the
mock cluster of librdkafka, in memory): Redis with `appendfsync always`, NATS and a quorum queue on disk. {ROUNDS}
rounds in turns, each contestant in a fresh process; medians. What is before the first event (imports, connecting,
joining a group) counts for nobody.

*Publishing*: {PUBLISHED:,} events of about 500 bytes that wait in a spool, until the broker has confirmed them. The
plain loop has its messages ready in memory, with the same headers: Redis a pipeline of {relay_plain.BATCH} `XADD`; NATS
`publish_async` with ids, and RabbitMQ multiple confirms, {relay_plain.WINDOW} at a time; Kafka callbacks and
idempotence. *The spool's*: to take the same events out of it and settle them, and nothing else.

*Delivering*: the first {CONSUMED:,} of them, to a stand-in for the intake in the same process that answers after
{ANSWER * 1000:.0f} ms; {IN_FLIGHT} in flight. The plain loop reads {relay_plain.BATCH}, waits for the answer, and
acknowledges them. *The whole way*: the next {CONSUMED:,}, over HTTP/2 and TLS to a process that answers as late, beside
the same without a broker, from a spool.
"""


class Pace(NamedTuple):
    """How something went."""

    rate: float
    """Events a second."""

    cpu: float
    """Microseconds of processor time of one, of the whole process."""


def pace(marks: Sequence[Taken]) -> Pace:
    """Return how it went from the first mark to the last."""
    first, last = marks[0], marks[-1]
    count = last.events - first.events
    return Pace(count / (last.at - first.at), (last.cpu - first.cpu) / count * 1e6)


class Round(NamedTuple):
    """What one contestant came to in one round."""

    publishing: Pace
    delivering: Pace
    spool: float
    """Microseconds of processor time that the spool takes of one event; the plain loop's process measures it."""

    whole: Pace
    """Delivering over the network; not of the plain loop."""


def _settings(url: str, spool: str, **more: Any) -> Settings:
    return Settings(application_id="shop", relay_url=url, spool_dir=spool, spool_max_bytes=1 << 30, **more)


def leave(url: str, spool: str, count: int) -> None:
    """Leave events in a spool, as a process whose broker is away; in a fresh process."""
    emitter = Emitter(_settings(url, spool, delivery="process"))
    for number in range(count):
        session = f"2b1b778e-9ef6-45d6-89b8-{number % 997:012d}"
        emitter.track(sdks.NAME, sdks.NESTED, usr=sdks.USER, account=sdks.ACCOUNT, session=session)


def publish(url: str, spool: str, count: int) -> Pace:
    """Publish what waits in the spool; in a fresh process."""
    emitter = Emitter(_settings(url, spool))
    emitter.track(sdks.NAME, sdks.NESTED, usr=sdks.USER)

    def delivered() -> int:
        return emitter.stats().delivered

    return pace(_watched(delivered, count + 1))


def _watched(count_now: Callable[[], int], count: int) -> list[Taken]:
    """Look at a count from when it begins until it comes to `count`."""
    marks: list[Taken] = []
    ends = time.monotonic() + PATIENCE
    while not marks or marks[-1].events < count:
        time.sleep(LOOK)
        now = count_now()
        if now and (not marks or now > marks[-1].events):
            marks.append(taken(now))
        if time.monotonic() > ends:
            raise TimeoutError(f"{marks[-1:]} of {count}")
    return marks


def plain_publish(kind: str, url: str, spool: str, count: int) -> tuple[Pace, float]:
    """Take the events out of the spool, and then publish them with the plain loop; in a fresh process."""
    began = time.process_time()
    messages = list(_emptied(_settings(url, spool), count))
    cost = (time.process_time() - began) / count * 1e6
    making, binding = Messages("shop"), Binding(PREFIXES[kind])
    ready = [Ready(event.id, binding.headers(making.of(event, event.body)), event.body) for event in messages]
    return pace(list(relay_plain.PUBLISH[kind](address_of("url", url), ready))), cost


def _emptied(settings: Settings, count: int) -> Iterator[BuiltEvent]:
    def never(*why: object) -> None:
        raise RuntimeError(why)

    told: dict[str, Any] = {"on_dropped": never, "say": never, "can_deliver": lambda: True, "on_waiting": lambda: None}
    store = open_store(settings, **told, for_all=True)
    left = count
    while left:
        store.tend()
        events = store.take(IN_FLIGHT)
        for event in events:
            store.settle(event)
        yield from events
        left -= len(events)
    store.close()


class StandIn:
    """An intake that takes everything, after a while."""

    width = IN_FLIGHT

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def start(self, event: BuiltEvent, body: bytes, done: Done) -> None:
        self._loop.call_later(ANSWER, done, DELIVERED)

    async def aclose(self) -> None:
        pass


class Deliverer(OutboxDeliverer):
    """Delivers to the stand-in."""

    def _open_outlet(self) -> StandIn:
        self._ages = Ages(self._store, max_age=self.settings.max_age)
        return StandIn()


def deliver(url: str, count: int, intake: str = "", ca_file: str = "") -> Pace:
    """Deliver what is on the broker, to the stand-in or to an intake; in a fresh process."""
    common: dict[str, Any] = {"application_id": "shop", "api_key": "k" * 32, "spool_dir": None}
    settings = Settings(**common, intake_url=intake or "http://127.0.0.1:9", ca_file=ca_file or None)
    make = OutboxDeliverer if intake else Deliverer
    queue = open_queue(address_of("url", url))
    deliverer = make(settings, queue)
    thread = threading.Thread(target=deliverer.run, daemon=True)
    thread.start()
    found = pace(_watched(lambda: deliverer.stats().delivered, count))
    deliverer.stop()
    thread.join()
    queue.close()  # else Kafka waits for this one until its lease has run out
    return found


def leave_for(intake: str, spool: str, count: int) -> None:
    """Leave events in a spool, as a process whose intake is away; in a fresh process."""
    common: dict[str, Any] = {"application_id": "shop", "api_key": "k" * 32, "intake_url": intake, "spool_dir": spool}
    emitter = Emitter(Settings(**common, delivery="process", spool_max_bytes=1 << 30))
    for _ in range(count):
        emitter.track(sdks.NAME, sdks.NESTED, usr=sdks.USER, account=sdks.ACCOUNT, session=sdks.SESSION)


def deliver_spool(spool: str, count: int, intake: str, ca_file: str) -> Pace:
    """Deliver what waits in a spool; in a fresh process."""
    common: dict[str, Any] = {"application_id": "shop", "api_key": "k" * 32, "intake_url": intake, "spool_dir": spool}
    emitter = Emitter(Settings(**common, ca_file=ca_file))
    emitter.track(sdks.NAME, sdks.NESTED, usr=sdks.USER)
    return pace(_watched(lambda: emitter.stats().delivered, count + 1))


def plain_deliver(kind: str, url: str, count: int) -> Pace:
    """The same with the plain loop."""
    marks: list[Taken] = []
    for mark in relay_plain.CONSUME[kind](address_of("url", url), ANSWER):
        marks.append(mark)
        if mark.events >= count:
            break
    return pace(marks)


def measure(kind: str, contestant: str, published: int, consumed: int, far: FarIntake) -> Round:
    """Have one contestant publish and deliver, on a broker of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, broker_of(kind, Path(folder)) as broker:
        spool, url = f"{folder}/spool", broker.url
        _call("leave", url, spool, published)
        if contestant == "plain":
            publishing, cost = _call("plain_publish", kind, url, spool, published)
            delivering = whole = _call("plain_deliver", kind, url, consumed)
        else:
            publishing, cost = _call("publish", url, spool, published), 0.0
            delivering = _call("deliver", url, consumed, "", "")
            whole = _call("deliver", url, consumed, far.url, far.ca_file)
    return Round(Pace(*publishing), Pace(*delivering), cost, Pace(*whole))


def without_broker(count: int, far: FarIntake) -> Pace:
    """Deliver from a spool."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as spool:
        _call("leave_for", far.url, spool, count)
        return Pace(*_call("deliver_spool", spool, count, far.url, far.ca_file))


def brokers_here() -> list[str]:
    """Return the kinds of which there is a broker here."""
    found = []
    for kind in KINDS:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            contextlib.suppress(pytest.skip.Exception),
            broker_of(kind, Path(folder)),
        ):
            found.append(kind)
    return found


def _call(*what: object) -> Any:
    return child.call("benchmarks.relay", *what)


class Medians(NamedTuple):
    """Of all rounds of one kind."""

    plain: Round
    relay: Round


def _medians(rounds: Sequence[Round]) -> Round:
    return Round(
        _middle([one.publishing for one in rounds]),
        _middle([one.delivering for one in rounds]),
        spread(one.spool for one in rounds).median,
        _middle([one.whole for one in rounds]),
    )


def _middle(found: Sequence[Pace]) -> Pace:
    return Pace(spread(one.rate for one in found).median, spread(one.cpu for one in found).median)


def benchmark(small: bool) -> Section:
    found = {}
    published, consumed = (2_000, 500) if small else (PUBLISHED, CONSUMED)
    rounds = 1 if small else ROUNDS
    with far_intake.running(ANSWER) as far:
        for kind in brokers_here():
            both = in_turns(
                ["plain", "relay"],
                rounds,
                lambda contestant, kind=kind: measure(kind, contestant, published, consumed, far),  # type: ignore[misc]
            )
            found[kind] = Medians(_medians(both["plain"]), _medians(both["relay"]))
        alone = _middle([without_broker(consumed, far) for _ in range(rounds)])
    return Section(
        name="relay",
        text=TEXT,
        tables=[
            _table("Publishing", [(kind, one.plain.publishing, one.relay.publishing) for kind, one in found.items()]),
            _table("Delivering", [(kind, one.plain.delivering, one.relay.delivering) for kind, one in found.items()]),
            Table(
                title="The whole way of delivering",
                columns=["from", "events/s", "CPU µs/event"],
                rows=[
                    ["dd-pa: a spool, without a broker", f"{alone.rate:,.0f}", f"{alone.cpu:,.0f}"],
                    *(
                        [f"dd-pa: {KINDS[kind]}", f"{one.relay.whole.rate:,.0f}", f"{one.relay.whole.cpu:,.0f}"]
                        for kind, one in found.items()
                    ),
                ],
            ),
            aims(*(aim for kind, one in found.items() for aim in _aims(KINDS[kind], one))),
        ],
        distributions=["dd-pa", "redis", "nats-py", "pika", "confluent-kafka"],
    )


def _table(title: str, rows: Sequence[tuple[str, Pace, Pace]]) -> Table:
    shown = [
        [KINDS[kind], *(f"{one:,.0f}" for one in (plain.rate, ours.rate, plain.cpu, ours.cpu))]
        for kind, plain, ours in rows
    ]
    columns = ["", "plain loop, events/s", "dd-pa, events/s", "plain loop, CPU µs/event", "dd-pa, CPU µs/event"]
    return Table(title=title, columns=columns, rows=shown)


def _aims(name: str, found: Medians) -> Iterator[Aim]:
    plain, ours, spool = found.plain, found.relay, found.plain.spool
    ratio = ours.publishing.rate / plain.publishing.rate
    yield Aim(f"{name}: publishing", "≥ 0.7 × the plain loop", f"{ratio:.2f} ×", ratio >= 0.7)
    most = 1.5 * plain.publishing.cpu + spool
    cpu = ours.publishing.cpu
    limit = f"≤ 1.5 × {plain.publishing.cpu:.1f} µs and the spool's {spool:.1f} µs"
    yield Aim(f"{name}: CPU of publishing", limit, f"{cpu:.1f} µs of {most:.1f}", cpu <= most)
    ratio = ours.delivering.rate / plain.delivering.rate
    yield Aim(f"{name}: delivering", "≥ 0.9 × the plain loop", f"{ratio:.2f} ×", ratio >= 0.9)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["leave" | "leave_for" as name, url, spool, count]:
            child.answer({"leave": leave, "leave_for": leave_for}[name](url, spool, int(count)))
        case ["publish", url, spool, count]:
            child.answer(publish(url, spool, int(count)))
        case ["plain_publish", kind, url, spool, count]:
            child.answer(plain_publish(kind, url, spool, int(count)))
        case ["deliver", url, count, intake, ca_file]:
            child.answer(deliver(url, int(count), intake, ca_file))
        case ["deliver_spool", spool, count, intake, ca_file]:
            child.answer(deliver_spool(spool, int(count), intake, ca_file))
        case ["plain_deliver", kind, url, count]:
            child.answer(plain_deliver(kind, url, int(count)))
        case _:
            run(benchmark, servers=SERVERS)
