"""What waits in a topic of Kafka, seen without a share in it. Nothing is made, and nothing claimed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dd_pa.relay.broker_weaknesses import kafka_weaknesses
from dd_pa.relay.cloud_event import milliseconds
from dd_pa.relay.kafka_client import GROUP, PREFIX, client_options, headers_of
from dd_pa.relay.kafka_dead_letters import partitions_of
from dd_pa.settings.relay_address import RelayAddress


class Position(NamedTuple):
    """Where the group reads on in a partition."""

    offset: int
    note: str
    """What was committed beside it."""


class KafkaTopic:
    """For one thread; connects when it is asked. Each call blocks for `timeout` at each of its steps, and raises."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float) -> None:
        self._topic, self._timeout = address.stream, timeout
        self._options = {
            **client_options(address, ca_file, "lookout"),
            "group.id": GROUP,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "queued.min.messages": 1,
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 10,
        }
        self._client: Consumer | None = None

    def _opened(self) -> Consumer:
        if self._client is None:
            self._client = Consumer(self._options)
        return self._client

    def positions(self, client: Consumer, partitions: Iterable[int]) -> Mapping[int, Position]:
        """Return what is committed, where something is. `client` is asked: what it has committed before is in it."""
        asked = [TopicPartition(self._topic, number) for number in partitions]
        found = client.committed(asked, timeout=self._timeout) if asked else []
        failed = [partition.error for partition in found if partition.error is not None]
        if failed:
            raise KafkaException(failed[0])
        return {
            partition.partition: Position(partition.offset, partition.metadata or "")
            for partition in found
            if partition.offset >= 0
        }

    def end(self, client: Consumer, partition: int) -> int:
        """Return the offset of the message that comes next."""
        return client.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=self._timeout)[1]

    def _unsettled(self, member: Consumer | None) -> Mapping[int, range]:
        """Return the offsets of each partition from its position on, where there are any."""
        client = self._opened()
        numbers = partitions_of(client, self._topic, self._timeout)
        positions = self.positions(member or client, numbers)
        stretches = {}
        for number in numbers:
            low, high = client.get_watermark_offsets(TopicPartition(self._topic, number), timeout=self._timeout)
            start = max(low, positions[number].offset) if number in positions else low
            stretches[number] = range(start, high)
        return {number: stretch for number, stretch in stretches.items() if stretch}

    def waiting(self, member: Consumer | None) -> int:
        """Count the messages from the positions on."""
        return sum(map(len, self._unsettled(member).values()))

    def oldest(self, member: Consumer | None) -> int | None:
        """Return the time of the oldest event that is not settled, in epoch milliseconds."""
        client, unsettled = self._opened(), self._unsettled(member)
        if not unsettled:
            return None
        client.assign([TopicPartition(self._topic, number, stretch[0]) for number, stretch in unsettled.items()])
        try:
            times = self._first_times(client, set(unsettled))
        finally:
            client.unassign()
        return min(times, default=None)

    def _first_times(self, client: Consumer, unread: set[int]) -> list[int]:
        times = []
        deadline = time.monotonic() + self._timeout
        while unread:
            message = client.poll(max(0.0, deadline - time.monotonic()))
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            number, error = message.partition() or 0, message.error()
            if error is None and number in unread:
                moment = milliseconds(headers_of(message).get(f"{PREFIX}time", ""))
                times += [] if moment is None else [moment]
            if error is None or error.code() == KafkaError._PARTITION_EOF:  # what is there need be no message
                unread.discard(number)
        return times

    def is_there(self) -> bool:
        """Tell whether there is such a topic."""
        return bool(partitions_of(self._opened(), self._topic, self._timeout))

    def weaknesses(self) -> list[str]:
        """Return what the cluster tells of the topic that may lose events."""
        found = self._opened().list_topics(self._topic, timeout=self._timeout).topics[self._topic]
        return kafka_weaknesses(self._topic, [len(partition.replicas) for partition in found.partitions.values()])

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
