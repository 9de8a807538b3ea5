"""librdkafka's mock cluster: it speaks Kafka's protocol, keeps everything in this process's memory, and proves nothing
about disks. Python's client can only start one; to set it down, or have it answer errors, the library in C is called.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import closing
from ctypes import c_char_p, c_int, c_int16, c_int32, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import pytest

from tests.relay.entry import Entry

NONE: Mapping[str, str] = {}
PARTITIONS = 4
JOIN = 100
"""Milliseconds that a group waits for more members before it shares the partitions out."""

UNKNOWN_TOPIC, TOO_LARGE, METADATA_TOO_LARGE, NOT_ALLOWED, STORAGE_ERROR = 3, 10, 12, 29, 56
"""What brokers answer, by the protocol's numbers."""

_BROKER = 1
_WRITE, _COMMIT = 0, 8  # the protocol's numbers of requests


def _library() -> Any:
    client = pytest.importorskip("confluent_kafka", reason="needs confluent-kafka, which has a mock of Kafka")
    folder = Path(client.__file__).parents[1] / "confluent_kafka.libs"
    found = sorted(folder.glob("librdkafka*"))
    if not found:
        pytest.skip("needs confluent-kafka's wheel: the mock is in the library that it brings")
    library = ctypes.CDLL(str(found[0]))
    for name, answer in (("new", c_void_p), ("mock_cluster_new", c_void_p), ("mock_cluster_bootstraps", c_char_p)):
        getattr(library, f"rd_kafka_{name}").restype = answer
    library.rd_kafka_conf_new.restype = c_void_p
    return library


class MockKafka:
    """A cluster of one broker, with a topic for events and one for dead letters."""

    kind = "kafka"

    def __init__(self) -> None:
        self.stream = "events"
        self._library = library = _library()
        conf = c_void_p(library.rd_kafka_conf_new())
        library.rd_kafka_conf_set(conf, b"log_level", b"0", None, c_size_t(0))
        self._handle = c_void_p(library.rd_kafka_new(c_int(0), conf, None, c_size_t(0)))
        self._cluster = c_void_p(library.rd_kafka_mock_cluster_new(self._handle, c_int(1)))
        self.servers: str = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, c_int32(JOIN))
        for topic in (self.stream, f"{self.stream}-dead"):
            library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), c_int(PARTITIONS), c_int(1))

    @property
    def url(self) -> str:
        return f"kafka://{self.servers}/{self.stream}"

    def remove(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    def kill(self) -> None:
        """Cut all connections, and take no more."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, c_int32(_BROKER))

    def start(self) -> None:
        """Take connections again."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, c_int32(_BROKER))

    def refuse(self) -> None:
        """Let nobody write events: it knows no passwords."""
        self.answer(NOT_ALLOWED)

    def answer(self, error: int) -> None:
        """Have requests about the events answered with an error; 0 is none."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, c_char_p(self.stream.encode()), c_int(error))

    def answer_commits(self, error: int) -> None:
        """Have the next commit of offsets answered with an error."""
        self._answer_next(_COMMIT, error)

    def answer_writes(self, error: int) -> None:
        """Have the next request that writes messages answered with an error."""
        self._answer_next(_WRITE, error)

    def _answer_next(self, request: int, error: int) -> None:
        push = self._library.rd_kafka_mock_push_request_errors
        push(self._cluster, c_int16(request), c_size_t(1), c_int(error))

    def entries(self) -> list[Entry]:
        """Look at all messages; in order within a partition."""
        return self.read(self.stream)

    def read(self, topic: str) -> list[Entry]:
        from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - it may not be there

        with closing(Consumer({"bootstrap.servers": self.servers, "group.id": "look", "log_level": 0})) as reader:
            partitions = [TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
            count = sum(reader.get_watermark_offsets(partition, timeout=10)[1] for partition in partitions)
            reader.assign(partitions)
            found: list[Entry] = []
            while len(found) < count:
                for message in reader.consume(1000, 0.05):
                    pairs: Any = message.headers() or []
                    found.append(Entry({name: value.decode() for name, value in pairs}, message.value() or b""))
        return found

    def put(self, body: bytes, headers: Mapping[str, str] = NONE) -> None:
        from confluent_kafka import Producer  # noqa: PLC0415 - it may not be there

        producer = Producer({"bootstrap.servers": self.servers, "log_level": 0, "message.max.bytes": 10_000_000})
        producer.produce(self.stream, body, headers=dict(headers))
        assert producer.flush(10) == 0

    def fill(self, most: int) -> None:
        self.answer(STORAGE_ERROR)

    def make_room(self) -> list[Entry]:
        self.answer(0)
        return []
