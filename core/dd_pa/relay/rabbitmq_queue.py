"""A quorum queue of RabbitMQ as deliverers see it, and a queue of dead letters beside it.

What is claimed is held by the connection: when that ends, the broker gives it to others. A broker also ends a channel
that has held a message for longer than its `consumer_timeout` (30 minutes, unless its operators say otherwise).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import Basic

from dd_pa.relay.claims import Claim, Claims
from dd_pa.relay.cloud_event import milliseconds
from dd_pa.relay.rabbitmq_names import PREFIX, QUORUM, connection_parameters, dead_queue, properties
from dd_pa.relay.relay_letters import RelayCounts, RelayLetter
from dd_pa.settings.relay_address import RelayAddress
from dd_pa.store.event_queue import Row

PREFETCH = 500
"""Messages that the broker sends ahead of their acknowledgements."""

LOOK = 0.02
"""Seconds that one look may wait for messages."""


_NOT_FOUND = 404


class RabbitmqQueue:
    """One connection, for one thread."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float = 10.0) -> None:
        self._parameters = connection_parameters(address, ca_file, "deliver")
        self._parameters.blocked_connection_timeout = timeout
        self._queue, self._dead = address.stream, dead_queue(address.stream)
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._consumes = False
        self._claims: Claims[int] = Claims()
        self._arrived: deque[Claim[int]] = deque()
        self._unsettled: dict[int, bool] = {}
        """Delivery tags in the broker's order, and whether each is settled here."""

    def _opened(self) -> BlockingChannel:
        if self._channel is None or not self._channel.is_open:
            self.reset()
            self._connection = pika.BlockingConnection(self._parameters)
            _make_queue(self._connection, self._queue, QUORUM)
            _make_queue(self._connection, self._dead, {})
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
            self._channel.basic_qos(prefetch_count=PREFETCH)
        return self._channel

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        channel = self._opened()
        if not self._consumes:
            channel.basic_consume(self._queue, self._take, consumer_tag=owner)
            self._consumes = True
        self._listen(0.0 if self._arrived else LOOK)
        count = min(limit, len(self._arrived))
        return [self._claims.add(self._arrived.popleft()) for _ in range(count)]

    def _listen(self, seconds: float) -> None:
        """Take in what has arrived, and answer the broker's heartbeats."""
        if self._connection is not None:
            self._connection.process_data_events(time_limit=seconds)  # type: ignore[arg-type]  # takes fractions

    def _take(self, channel: BlockingChannel, method: Basic.Deliver, told: pika.BasicProperties, body: bytes) -> None:
        tag = method.delivery_tag or 0
        self._unsettled[tag] = False
        self._arrived.append(Claim(tag, _headers(told), body))

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> list[int]:
        self._opened()
        self._listen(0.0)
        return [number for number, _ in self._claims.get(ids)]  # those of an ended connection are forgotten

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        channel = self._opened()
        for tag in self._claims.handles(ids):
            channel.basic_nack(tag, requeue=True)
            self._unsettled.pop(tag, None)
        self._claims.forget(ids)

    def settle(self, ids: Sequence[int]) -> None:
        channel = self._opened()
        for tag in self._claims.handles(ids):
            self._unsettled[tag] = True
        self._claims.forget(ids)
        self._acknowledge(channel)

    def _acknowledge(self, channel: BlockingChannel) -> None:
        """Acknowledge all that is settled: by one frame as far as nothing before it is still held."""
        last = None
        for tag, settled in self._unsettled.items():
            if not settled:
                break
            last = tag
        if last is not None:
            channel.basic_ack(last, multiple=True)
        rest = [tag for tag, settled in self._unsettled.items() if settled and (last is None or tag > last)]
        for tag in rest:
            channel.basic_ack(tag)
        self._unsettled = {tag: settled for tag, settled in self._unsettled.items() if not settled}

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        channel = self._opened()
        why = {"dd-pa-reason": reason, "dd-pa-detail": detail, "dd-pa-rejected-at": str(now)}
        for _, claim in self._claims.get(ids):
            headers = {**claim.headers, **why}
            told = properties(headers, claim.headers.get(f"{PREFIX}id", ""))
            channel.basic_publish("", self._dead, claim.body, properties=told, mandatory=True)  # waits for the confirm
        self.settle(ids)

    def oldest(self) -> int | None:
        """Return the time of the oldest message that this deliverer holds: a queue cannot be looked into."""
        self._opened()
        self._listen(0.0)
        held = [claim.headers.get(f"{PREFIX}time", "") for claim in [*self._claims.all(), *self._arrived]]
        moments = [moment for moment in map(milliseconds, held) if moment is not None]
        return min(moments, default=None)

    def is_there(self) -> bool:
        connection = pika.BlockingConnection(self._parameters)
        try:
            with connection.channel() as channel:
                channel.queue_declare(self._queue, passive=True)
        except ChannelClosedByBroker as error:
            if error.reply_code != _NOT_FOUND:
                raise
            return False
        finally:
            connection.close()
        return True

    def weaknesses(self) -> list[str]:
        """Return nothing: the protocol does not tell how a queue was declared."""
        return []

    def counts(self) -> RelayCounts:
        channel = self._opened()
        waiting, dead = (_ready(channel, name) for name in (self._queue, self._dead))
        return RelayCounts(waiting, None, dead)

    def letters(self) -> Iterator[RelayLetter]:
        found: list[RelayLetter] = []

        def look(letter: RelayLetter) -> bool:
            found.append(letter)
            return False

        self._settle_letters(look, lambda told, body: None)
        yield from found

    def replay(self, ids: Sequence[str]) -> int:
        return self._settle_letters(lambda letter: not ids or letter.id in ids, self._publish_again)

    def purge(self, ids: Sequence[str]) -> int:
        return self._settle_letters(lambda letter: not ids or letter.id in ids, lambda told, body: None)

    def _publish_again(self, told: pika.BasicProperties, body: bytes) -> None:
        headers = {name: value for name, value in _headers(told).items() if not name.startswith("dd-pa-")}
        sent = properties(headers, str(told.message_id))
        self._opened().basic_publish("", self._queue, body, properties=sent, mandatory=True)

    def _settle_letters(
        self, is_chosen: Callable[[RelayLetter], bool], settle: Callable[[pika.BasicProperties, bytes], object]
    ) -> int:
        """Settle those that are chosen, put the others back; on a channel of its own, where nothing else is held."""
        self._opened()
        assert self._connection is not None  # noqa: S101 - opened by the line above
        left, done = [], 0
        with self._connection.channel() as channel:
            for tag, told, body in _got(channel, self._dead):
                if is_chosen(_letter(told, body)):
                    settle(told, body)
                    channel.basic_ack(tag)
                    done += 1
                else:
                    left.append(tag)
            for tag in left:
                channel.basic_nack(tag, requeue=True)
            _ready(channel, self._dead)  # answered when they are back
        return done

    def reset(self) -> None:
        """Drop the connection, and with it all that was claimed: the broker gives it to others."""
        connection, self._connection, self._channel = self._connection, None, None
        self._consumes = False
        self._claims.clear()
        self._arrived.clear()
        self._unsettled.clear()
        if connection is not None:
            with contextlib.suppress(Exception):  # it is broken already, which is why it is dropped
                connection.close()

    def close(self) -> None:
        self.reset()


def _make_queue(connection: pika.BlockingConnection, name: str, arguments: Mapping[str, Any]) -> None:
    """Declare a queue where it is missing; one that is there stays as its operators have configured it."""
    try:
        with connection.channel() as channel:
            channel.queue_declare(name, passive=True)
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        with connection.channel() as channel:
            channel.queue_declare(name, durable=True, arguments=dict(arguments))


def _got(channel: BlockingChannel, queue: str) -> Iterator[tuple[int, pika.BasicProperties, bytes]]:
    """Take the messages that are there now, one by one."""
    for _ in range(_ready(channel, queue)):
        method, told, body = cast("tuple[Basic.GetOk | None, Any, Any]", channel.basic_get(queue))
        if method is None:
            return
        yield method.delivery_tag or 0, told, body


def _ready(channel: BlockingChannel, queue: str) -> int:
    return channel.queue_declare(queue, passive=True).method.message_count or 0


def _headers(told: pika.BasicProperties) -> Mapping[str, str]:
    return {str(name): str(value) for name, value in (told.headers or {}).items()}


def _letter(told: pika.BasicProperties, body: bytes) -> RelayLetter:
    headers = _headers(told)
    rejected_at = headers.get("dd-pa-rejected-at", "")
    return RelayLetter(
        id=headers.get(f"{PREFIX}id", "") or str(told.message_id),
        name=headers.get(f"{PREFIX}type", ""),
        reason=headers.get("dd-pa-reason", ""),
        detail=headers.get("dd-pa-detail", ""),
        rejected_at=int(rejected_at) if rejected_at.isdigit() else 0,
        body=body,
    )
