"""What holds whichever broker carries the events."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from dd_pa import Emitter
from dd_pa.emulator import Emulator
from dd_pa.outbox import OutboxDeliverer
from dd_pa.relay.brokers import RelayQueue
from tests.relay.brokers import Broker, OwnNats, OwnRedis
from tests.relay.conftest import Publishers
from tests.relay.mock_kafka import MockKafka
from tests.waiting import wait_until

Running = tuple[Emulator, str]
_OF_THE_BROKER = ("Nats-Msg-Id", "x-delivery-count")


def track(emitter: Emitter, count: int, name: str = "order.paid") -> list[str]:
    """Track events; return their ids in this order."""
    return [str(emitter.track(name, {"number": number}, usr="u-1", session="s-1")) for number in range(count)]


def ids(emulator: Emulator) -> list[str]:
    return sorted(event["dd_pa"]["event_id"] for event in emulator.events)


def test_events_are_published_once_and_in_order(broker: Broker, publisher: Publishers) -> None:
    emitter = publisher()
    tracked = track(emitter, 600)
    assert emitter.flush(30)
    assert [json.loads(entry.body)["dd_pa"]["event_id"] for entry in broker.entries()] == tracked
    assert emitter.stats().delivered == 600


def test_a_message_is_a_cloud_event_in_binary_mode(broker: Broker, publisher: Publishers) -> None:
    emitter = publisher()
    (event_id,) = track(emitter, 1, "Bestellung größer als 5 €")
    assert emitter.flush(30)
    (entry,) = broker.entries()
    prefix = {"rabbitmq": "cloudEvents:", "kafka": "ce_"}.get(broker.kind, "ce-")
    headers = {name.removeprefix(prefix): value for name, value in entry.headers.items() if name not in _OF_THE_BROKER}
    told = {name: unquote(value) if broker.kind == "nats" else value for name, value in headers.items()}
    time = told.pop("time")
    assert time.endswith("Z")
    assert told == {
        "specversion": "1.0",
        "id": event_id,
        "type": "Bestellung größer als 5 €",
        "source": "/dd-pa/applications/shop",
        "content-type": "application/json",
        "ddpaformat": "1",
    }
    assert json.loads(entry.body)["event"] == {"name": "Bestellung größer als 5 €"}


def test_what_was_published_is_delivered_once_and_gone(
    queue: RelayQueue, publisher: Publishers, deliverer: OutboxDeliverer, emulator: Running
) -> None:
    emitter = publisher()
    tracked = track(emitter, 600)
    assert emitter.flush(30)
    assert deliverer.run(once=True)
    assert ids(emulator[0]) == sorted(tracked)
    assert queue.counts()[0] == 0
    assert queue.counts().claimed in (0, None)
    assert queue.oldest() is None


def test_rejected_events_become_dead_letters_and_go_again(
    queue: RelayQueue, publisher: Publishers, deliverer: OutboxDeliverer, emulator: Running
) -> None:
    emulator[0].fail(status=400, times=3)
    emitter = publisher()
    tracked = track(emitter, 5)
    assert emitter.flush(30)
    assert deliverer.run(once=True)
    letters = list(queue.letters())
    assert len(ids(emulator[0])) == 2
    assert {letter.id for letter in letters} == set(tracked) - set(ids(emulator[0]))
    assert {(letter.name, letter.reason) for letter in letters} == {("order.paid", "400")}
    assert [json.loads(letter.body)["dd_pa"]["event_id"] for letter in letters] == [letter.id for letter in letters]
    assert min(letter.rejected_at for letter in letters) > 0
    assert queue.counts().rejected == 3
    first, *others = [letter.id for letter in letters]
    assert queue.replay([first]) == 1
    assert [letter.id for letter in queue.letters()] == others
    assert queue.purge([others[0]]) == 1
    assert queue.replay([]) == 1
    assert queue.counts().rejected == 0
    again = OutboxDeliverer(deliverer.settings, queue, lease=5.0, poll=0.05)
    assert again.run(once=True)
    assert ids(emulator[0]) == sorted(set(tracked) - {others[0]})


@pytest.mark.parametrize("body", [b"", b"no json", b"\xff\xfe", b'{"event": {}}'])
def test_what_is_no_event_is_set_aside_and_holds_nobody_up(
    body: bytes, broker: Broker, queue: RelayQueue, publisher: Publishers, deliverer: OutboxDeliverer, emulator: Running
) -> None:
    emitter = publisher()
    before = track(emitter, 1)
    assert emitter.flush(30)
    broker.put(body)
    after = track(emitter, 1)
    assert emitter.flush(30)
    assert deliverer.run(once=True)
    assert ids(emulator[0]) == sorted(before + after)
    (letter,) = queue.letters()
    assert (letter.reason, letter.body) == ("damaged", body)
    assert deliverer.stats().dropped == {"damaged": 1}


def test_a_full_broker_keeps_the_rest_in_the_spool(broker: Broker, publisher: Publishers) -> None:
    broker.fill(10)
    emitter = publisher(timeout=2.0)
    tracked = track(emitter, 400)
    wait_until(lambda: emitter.stats().last_error)
    assert emitter.stats().pending  # how many: RabbitMQ goes over the limit that it is given
    assert emitter.stats().dropped == {}
    taken = broker.make_room()
    while not emitter.flush(0.5):
        taken += broker.make_room()
    there = {json.loads(entry.body)["dd_pa"]["event_id"] for entry in [*taken, *broker.entries()]}
    assert there == set(tracked)


def test_a_refused_password_pauses_and_keeps_the_events(broker: Broker, publisher: Publishers) -> None:
    wrong = broker.url.replace("guest:guest", "guest:wrong")
    if isinstance(broker, OwnRedis):
        with broker.client() as client:
            client.config_set("requirepass", "right")
    elif isinstance(broker, OwnNats):
        broker.kill()
        broker.password = "right"
        broker.start()
    elif isinstance(broker, MockKafka):
        broker.refuse()
    emitter = publisher(wrong)
    track(emitter, 3)
    wait_until(lambda: emitter.stats().state == "paused", emitter.stats)
    assert emitter.stats().pending == 3
