"""The dead letters of a topic, in a topic beside it.

Nothing can be taken out of a topic. A letter's key says which message it is, and an empty message with the same key
that the letter is settled: a topic that is compacted forgets both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from dd_pa.relay.kafka_client import (
    GROUP,
    PREFIX,
    client_options,
    dead_topic,
    headers_of,
    pairs,
    producer_options,
)
from dd_pa.relay.kafka_publisher import ordering_key
from dd_pa.relay.relay_letters import RelayLetter
from dd_pa.settings.relay_address import RelayAddress


class _Entry(NamedTuple):
    """A letter as it stands in the topic."""

    key: bytes
    headers: Mapping[str, str]
    body: bytes

    @property
    def letter(self) -> RelayLetter:
        rejected_at = self.headers.get("dd-pa-rejected-at", "")
        return RelayLetter(
            id=self.headers.get(f"{PREFIX}id", "") or self.key.decode("utf-8", "replace"),
            name=self.headers.get(f"{PREFIX}type", ""),
            reason=self.headers.get("dd-pa-reason", ""),
            detail=self.headers.get("dd-pa-detail", ""),
            rejected_at=int(rejected_at) if rejected_at.isdigit() else 0,
            body=self.body,
        )


class KafkaDeadLetters:
    """For one thread. What is written is confirmed when a method returns; else it raises."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float) -> None:
        self._topic, self._dead, self._timeout = address.stream, dead_topic(address), timeout
        self._reading = {
            **client_options(address, ca_file, "letters"),
            "group.id": GROUP,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
        self._writing = producer_options(address, ca_file, "letters", timeout)
        self._producer: Producer | None = None
        self._refused: list[KafkaError] = []

    def add(self, key: str, headers: Mapping[str, str], body: bytes) -> None:
        """Begin to write a letter; `confirm` waits for it."""
        self._write(self._dead, key, headers, body)

    def _write(self, topic: str, key: str | bytes | None, headers: Mapping[str, str], body: bytes | None) -> None:
        if self._producer is None:
            self._producer, self._refused = Producer(self._writing), []
        self._producer.produce(topic, body, key=key, headers=pairs(headers), on_delivery=self._heard)

    def _heard(self, error: KafkaError | None, message: object) -> None:
        if error is not None:
            self._refused.append(error)

    def confirm(self) -> None:
        """Wait until all that was written is confirmed."""
        if self._producer is None:
            return
        left, refused = self._producer.flush(self._timeout), self._refused
        if left or refused:
            self.close()
            raise KafkaException(refused[0] if refused else KafkaError(KafkaError._TIMED_OUT))

    def all(self) -> list[RelayLetter]:
        """Return the letters, oldest first."""
        return sorted((entry.letter for entry in self._entries()), key=lambda letter: letter.rejected_at)

    def count(self) -> int:
        """Count them, by reading them."""
        return len(self._entries())

    def replay(self, ids: Sequence[str]) -> int:
        """Write letters to the topic of events again, then settle them here."""
        chosen = self._chosen(ids)
        for entry in chosen:
            headers = {name: value for name, value in entry.headers.items() if not name.startswith("dd-pa-")}
            self._write(self._topic, ordering_key(entry.body), headers, entry.body)
        self.confirm()
        return self._settle(chosen)

    def purge(self, ids: Sequence[str]) -> int:
        """Settle letters."""
        return self._settle(self._chosen(ids))

    def _settle(self, chosen: Sequence[_Entry]) -> int:
        for entry in chosen:
            self._write(self._dead, entry.key, {}, None)
        self.confirm()
        return len(chosen)

    def _chosen(self, ids: Sequence[str]) -> list[_Entry]:
        return [entry for entry in self._entries() if not ids or entry.letter.id in ids]

    def _entries(self) -> list[_Entry]:
        found: dict[bytes, _Entry] = {}
        for message in self._messages():
            key, body = message.key() or b"", message.value()
            if body is None:
                found.pop(key, None)
            else:
                found[key] = _Entry(key, headers_of(message), body)
        return list(found.values())

    def _messages(self) -> Iterator[Message]:
        """Read the whole topic, as it is now."""
        reader = Consumer(
            {**self._reading, "group.id": GROUP, "enable.auto.commit": False, "enable.partition.eof": True}
        )
        try:
            unread = partitions_of(reader, self._dead, self._timeout)
            reader.assign([TopicPartition(self._dead, number, 0) for number in unread])
            deadline = time.monotonic() + self._timeout
            while unread:
                message = reader.poll(max(0.0, deadline - time.monotonic()))
                if message is None:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
                error = message.error()
                if error is None:
                    deadline = time.monotonic() + self._timeout
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition() or 0)
                elif not error.retriable():
                    raise KafkaException(error)
        finally:
            reader.close()

    def close(self) -> None:
        """Give up what is not confirmed."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge(blocking=False)
            producer.poll(0)


def partitions_of(client: Any, topic: str, timeout: float) -> set[int]:
    """Return the numbers of a topic's partitions; none if there is no such topic. Makes none."""
    found = client.list_topics(topic, timeout=timeout).topics.get(topic)
    if found is None or (found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART):
        return set()
    if found.error is not None:
        raise KafkaException(found.error)
    return set(found.partitions)
