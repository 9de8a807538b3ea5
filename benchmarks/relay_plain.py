"""The plain batched loops that the relays are measured beside: each client as its documentation says, nothing around.

They publish messages that are ready, and wait until the broker has confirmed them. What they read they hand in batches
to a stand-in for the intake, and acknowledge. Nothing is tried again, nothing is noted, no event is looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dd_pa.settings.relay_address import RelayAddress

BATCH, WINDOW = 100, 256
"""Events that are sent or read at a time; those that may wait for their confirmation."""


class Ready(NamedTuple):
    """A message, as a client takes it."""

    id: str
    headers: Mapping[str, str]
    body: bytes


class Taken(NamedTuple):
    """When so many events had gone, and the processor time of the process until then, in seconds."""

    events: int
    at: float
    cpu: float


def taken(count: int) -> Taken:
    return Taken(count, time.perf_counter(), time.process_time())


Progress = Iterator[Taken]
"""One value before the first event and one after the last, at least."""


def _batches(messages: Sequence[Ready], size: int) -> Iterator[Sequence[Ready]]:
    return (messages[start : start + size] for start in range(0, len(messages), size))


def publish_redis(address: RelayAddress, messages: Sequence[Ready]) -> Progress:
    import redis

    client = redis.Redis.from_url(address.reveal())
    client.ping()
    yield taken(0)
    for batch in _batches(messages, BATCH):
        pipeline = client.pipeline(transaction=False)
        for message in batch:
            fields: Any = {**message.headers, "data": message.body}
            pipeline.xadd(address.stream, fields)
        pipeline.execute()
    yield taken(len(messages))


def consume_redis(address: RelayAddress, answer: float) -> Progress:
    import redis

    client = redis.Redis.from_url(address.reveal())
    client.xgroup_create(address.stream, "plain", id="0")
    streams: Any = {address.stream: ">"}
    count = 0
    while True:
        found: Any = client.xreadgroup("plain", "one", streams, count=BATCH)
        time.sleep(answer)
        client.xack(address.stream, "plain", *(entry for entry, _ in found[0][1]))
        count += len(found[0][1])
        yield taken(count)


async def _connected(address: RelayAddress) -> Any:
    import nats

    return await nats.connect(address.reveal())


def publish_nats(address: RelayAddress, messages: Sequence[Ready]) -> Progress:
    from nats.js.api import RetentionPolicy

    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(_connected(address))
    jetstream, subject = client.jetstream(), f"{address.stream}.events"
    made = jetstream.add_stream(name=address.stream, subjects=[subject], retention=RetentionPolicy.WORK_QUEUE)
    loop.run_until_complete(made)

    async def publish() -> None:
        for batch in _batches(messages, WINDOW):
            sent = [
                await jetstream.publish_async(
                    subject, message.body, headers={**message.headers, "Nats-Msg-Id": message.id}
                )
                for message in batch
            ]
            await asyncio.gather(*sent)

    yield taken(0)
    loop.run_until_complete(publish())
    yield taken(len(messages))


def consume_nats(address: RelayAddress, answer: float) -> Progress:
    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(_connected(address))
    subscription = loop.run_until_complete(
        client.jetstream().pull_subscribe(f"{address.stream}.events", "plain", stream=address.stream)
    )
    count = 0

    async def one_batch() -> int:
        messages = await subscription.fetch(BATCH)
        await asyncio.sleep(answer)
        for message in messages:
            await message.ack()
        return len(messages)

    while True:
        count += loop.run_until_complete(one_batch())
        yield taken(count)


def publish_rabbitmq(address: RelayAddress, messages: Sequence[Ready]) -> Progress:  # noqa: C901, PLR0915 - callbacks
    """Publish with multiple confirms, and a window of those that wait for theirs."""
    import pika

    marks: list[Taken] = []

    def properties(message: Ready) -> Any:
        return pika.BasicProperties(headers=dict(message.headers), message_id=message.id, delivery_mode=2)

    sent = confirmed = 0

    def opened(connection: Any) -> None:
        connection.channel(on_open_callback=declare)

    def declare(channel: Any) -> None:
        arguments = {"x-queue-type": "quorum"}
        channel.queue_declare(address.stream, durable=True, arguments=arguments, callback=lambda _: begin(channel))

    def begin(channel: Any) -> None:
        def confirm(frame: Any) -> None:
            nonlocal confirmed
            confirmed = frame.method.delivery_tag if frame.method.multiple else confirmed + 1
            fill()

        def fill() -> None:
            nonlocal sent
            while sent < min(len(messages), confirmed + WINDOW):
                message = messages[sent]
                channel.basic_publish("", address.stream, message.body, properties(message), mandatory=True)
                sent += 1
            if confirmed >= len(messages):
                marks.append(taken(confirmed))
                connection.ioloop.stop()

        def begun(frame: object) -> None:
            marks.append(taken(0))
            fill()

        channel.confirm_delivery(confirm, callback=begun)

    connection = pika.SelectConnection(pika.URLParameters(address.reveal()), on_open_callback=opened)
    connection.ioloop.start()
    yield from marks


def consume_rabbitmq(address: RelayAddress, answer: float) -> Progress:
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(address.reveal()))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=2 * BATCH)
    for count, (method, _, _) in enumerate(channel.consume(address.stream), 1):
        if count % BATCH == 0:
            time.sleep(answer)
            channel.basic_ack(method.delivery_tag or 0, multiple=True)
            yield taken(count)


def publish_kafka(address: RelayAddress, messages: Sequence[Ready]) -> Progress:
    from confluent_kafka import Producer

    options: dict[str, Any] = {"bootstrap.servers": ",".join(address.hosts), "enable.idempotence": True}
    producer = Producer({**options, "compression.type": "lz4", "linger.ms": 2})
    producer.list_topics(address.stream)
    done = 0

    def confirmed(error: object, message: object) -> None:
        nonlocal done
        done += error is None

    yield taken(0)
    for batch in _batches(messages, WINDOW):
        for message in batch:
            headers: Any = list(message.headers.items())
            producer.produce(address.stream, message.body, key=message.id, headers=headers, on_delivery=confirmed)
        producer.poll(0)
    producer.flush()
    yield taken(done)


def consume_kafka(address: RelayAddress, answer: float) -> Progress:
    from confluent_kafka import Consumer

    options: dict[str, Any] = {"bootstrap.servers": ",".join(address.hosts), "group.id": "plain"}
    consumer = Consumer({**options, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([address.stream])
    count = 0
    while True:
        found = consumer.consume(BATCH, 0.02)
        if found:
            time.sleep(answer)
            consumer.commit(message=found[-1], asynchronous=True)
            count += len(found)
            yield taken(count)


PUBLISH: Mapping[str, Callable[[RelayAddress, Sequence[Ready]], Progress]] = {
    "redis": publish_redis,
    "nats": publish_nats,
    "rabbitmq": publish_rabbitmq,
    "kafka": publish_kafka,
}
CONSUME: Mapping[str, Callable[[RelayAddress, float], Progress]] = {
    "redis": consume_redis,
    "nats": consume_nats,
    "rabbitmq": consume_rabbitmq,
    "kafka": consume_kafka,
}
