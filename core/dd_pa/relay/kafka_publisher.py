"""Publishes to a topic of Kafka.

The client repeats what was not confirmed by itself, with a number that lets the broker drop a second one. It gives up
before `TIMEOUT` does; what the delivery then tries again has a new number, and may be there twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from dd_pa.network.outcome import DELIVERED, Outcome, Verdict
from dd_pa.relay.cloud_event import Binding, Message
from dd_pa.relay.kafka_client import PREFIX, pairs, producer_options
from dd_pa.settings.relay_address import RelayAddress

FIRST_LOOK, LONGEST_LOOK = 0.001, 0.02
"""Seconds between two looks at what the client's threads have heard from the broker, while something is on its way."""

_BINDING = Binding(PREFIX)

_ABOUT_US = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
    }
)
_ABOUT_THE_EVENT = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}
)
_FULL = frozenset({KafkaError._QUEUE_FULL, KafkaError.KAFKA_STORAGE_ERROR, KafkaError.THROTTLING_QUOTA_EXCEEDED})
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
_NO_WAY = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL})


class KafkaPublisher:
    """Publishes events, a batch at a time. The client has threads of its own; its news is taken up here."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float, name: str) -> None:
        self._topic = address.stream
        self._options = producer_options(address, ca_file, name, timeout) | {"error_cb": self._hear}
        self._producer: Producer | None = None
        self._error: KafkaError | None = None
        """Why nothing gets through, if the client has said so since the last confirmation."""

        self._is_reached = False
        """Something was confirmed: what was sent meanwhile is for the client to repeat, which knows its numbers."""

    async def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        if self._producer is None:
            self._producer, self._is_reached = Producer(self._options), False
        producer, self._error = self._producer, None
        try:
            outcomes = await self._send_together(producer, messages)
            for number, outcome in enumerate(outcomes):
                if outcome.verdict is Verdict.REJECT and len(messages) > 1:  # a broker refuses a whole request
                    [outcomes[number]] = await self._send_together(producer, [messages[number]])
        except asyncio.CancelledError:  # it has taken too long
            producer.purge(blocking=False)
            raise
        return outcomes

    async def _send_together(self, producer: Producer, messages: Sequence[Message]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        for number, message in enumerate(messages):
            self._send(producer, message, partial(self._settle, outcomes, number))
        await self._wait(producer, outcomes, len(messages))
        return [outcomes[number] for number in range(len(messages))]

    def _send(self, producer: Producer, message: Message, settle: Callable[[KafkaError | None, object], None]) -> None:
        headers = pairs(_BINDING.headers(message))
        try:
            producer.produce(
                self._topic, message.body, key=ordering_key(message.body), headers=headers, on_delivery=settle
            )
        except BufferError:
            settle(KafkaError(KafkaError._QUEUE_FULL), None)
        except KafkaException as error:
            settle(error.args[0], None)

    async def _wait(self, producer: Producer, outcomes: Mapping[int, Outcome], count: int) -> None:
        """Wait until all are confirmed or given up; the client's callbacks are called in here."""
        pause = FIRST_LOOK
        while True:
            producer.poll(0)
            if self._error is not None:
                self._give_up(producer, self._error)
            if len(outcomes) == count:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK)

    def _give_up(self, producer: Producer, error: KafkaError) -> None:
        """Have the spool wait instead of the client, unless the client may have sent what is not yet confirmed."""
        if error.fatal():
            producer.purge(blocking=False)
            self._producer = None
        elif not self._is_reached or error.code() == KafkaError._AUTHENTICATION:
            producer.purge(in_flight=False, blocking=False)

    def _settle(self, outcomes: dict[int, Outcome], number: int, error: KafkaError | None, message: object) -> None:
        """Take up what became of a message."""
        if error is None:
            self._is_reached, self._error = True, None
            outcomes[number] = DELIVERED
        else:
            outcomes[number] = refusal(self._error if error.code() in _PURGED and self._error else error)

    def _hear(self, error: KafkaError) -> None:
        """Take up what the client says of the connection."""
        if error.fatal() or (error.code() in _NO_WAY and (self._error is None or self._error.code() not in _ABOUT_US)):
            self._error = error

    async def aclose(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge(blocking=False)
            producer.poll(0)


def refusal(error: KafkaError) -> Outcome:
    """Return what an error means for the events."""
    code, reason = error.code(), error.name()
    if code in _ABOUT_THE_EVENT:
        detail = "larger than the message.max.bytes or max.message.bytes of this Kafka, or refused by the topic's rules"
        return Outcome(verdict=Verdict.REJECT, reason="too_large" if "LARGE" in reason else reason, detail=detail)
    if code in _ABOUT_US:
        return Outcome(verdict=Verdict.PAUSE, reason=reason)
    return Outcome(verdict=Verdict.LIMIT if code in _FULL else Verdict.RETRY, reason=reason)


class _Link(msgspec.Struct):
    id: str = ""


class _Linked(msgspec.Struct):
    session: _Link | None = None
    usr: _Link | None = None
    account: _Link | None = None


_linked = msgspec.json.Decoder(_Linked)


def ordering_key(body: bytes) -> str | None:
    """Return what the events that keep their order have in common: session, else user, else account."""
    try:
        found = _linked.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):  # somebody else's
        return None
    return next((link.id for link in (found.session, found.usr, found.account) if link is not None and link.id), None)
