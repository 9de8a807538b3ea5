"""The share of a topic that a member of the group has: its partitions, and what of each is settled and committed."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dd_pa.relay.kafka_topic import KafkaTopic
from dd_pa.relay.offset_ledger import OffsetLedger


class KafkaPartitions:
    """Partitions come and go within the client's calls, on the thread that makes them."""

    def __init__(self, topic: str, kafka_topic: KafkaTopic) -> None:
        self._topic, self._kafka_topic = topic, kafka_topic
        self._ledgers: dict[int, OffsetLedger] = {}
        self._uncommitted: set[int] = set()
        self._takes_notes = True
        self._paused: set[int] = set()
        self._unread: set[int] | None = None
        """Partitions that were not yet read to their end; None before the group has given us our share."""

        self.leaves = False
        """The member is about to leave the group: what it is given now, it gives back at once.

        Nothing may be asked then about what it is given: a client that leaves answers no question about commits, and
        waits for the whole of the question's time-out.
        """

    def __contains__(self, place: tuple[int, int]) -> bool:
        """Tell whether the message at a partition and offset is ours, and not settled."""
        partition, offset = place
        return partition in self._ledgers and offset in self._ledgers[partition]

    @property
    def partitions(self) -> set[int]:
        return set(self._ledgers)

    @property
    def is_read(self) -> bool:
        """All that was there has been read, but for what is held back; False before the group has shared it out."""
        return self._unread is not None and not self._unread - self._paused

    def begin(self, member: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Take over partitions, and what is committed of them."""
        if self.leaves:
            return
        self._unread = (self._unread or set()) | {partition.partition for partition in partitions}
        for partition in partitions:
            self._ledgers[partition.partition] = OffsetLedger()
        with contextlib.suppress(KafkaException):  # then what is settled behind the positions goes twice
            found = self._kafka_topic.positions(member, [partition.partition for partition in partitions])
            for number, (offset, note) in found.items():
                ledger = OffsetLedger(offset, note)
                if not note or ledger.reach <= self._kafka_topic.end(member, number):  # else it is another
                    self._ledgers[number] = ledger

    def lose(self, gone: Collection[int]) -> None:
        """Forget partitions that are others' now."""
        for number in gone:
            self._ledgers.pop(number, None)
        for numbers in (self._uncommitted, self._paused, self._unread or set()):
            numbers.difference_update(gone)

    def leave(self) -> None:
        """Forget them all, and wait to be given some again."""
        self.lose(self.partitions)
        self._unread, self.leaves = None, False

    def add(self, partition: int, offset: int) -> bool:
        """Note a message that has arrived; return whether it is to be given out."""
        ledger = self._ledgers.get(partition)
        if ledger is None:  # it was taken away while the message came
            return False
        if ledger.add(offset):
            return True
        self._uncommitted.add(partition)
        return False

    def reached_end(self, partition: int) -> None:
        """Note that nothing more is there of a partition."""
        if self._unread is not None:
            self._unread.discard(partition)

    def settle(self, partition: int, offset: int) -> None:
        """Note that a message is done with."""
        self._ledgers[partition].settle(offset)
        self._uncommitted.add(partition)

    def hold_back(self, member: Consumer, *, everything: bool) -> None:
        """Fetch no more of partitions that have run far ahead of one event, or of any."""
        wanted = {number for number, ledger in self._ledgers.items() if everything or ledger.is_far_ahead}
        for change, numbers in ((member.pause, wanted - self._paused), (member.resume, self._paused - wanted)):
            if numbers:
                change([TopicPartition(self._topic, number) for number in numbers])
        self._paused = wanted

    def commit(self, member: Consumer, partitions: Sequence[int] | None = None, *, wait: bool = False) -> None:
        """Commit what was settled since the last time. Raises `KafkaException` if it waits, and cannot be done."""
        offsets = []
        for number in self._uncommitted.intersection(self._uncommitted if partitions is None else partitions):
            ledger = self._ledgers[number]
            if ledger.position is not None:
                note = ledger.note() if self._takes_notes else ""
                offsets.append(TopicPartition(self._topic, number, ledger.position, metadata=note))
        self._uncommitted -= {offset.partition for offset in offsets}
        if not offsets:
            return
        if wait:
            member.commit(offsets=offsets, asynchronous=False)
        else:
            member.commit(offsets=offsets, asynchronous=True)

    def committed(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Have what could not be committed tried again, where the partition is still ours."""
        errors = {partition.partition: partition.error or error for partition in partitions}
        failed = {number: found for number, found in errors.items() if found is not None}
        self._uncommitted |= failed.keys() & self._ledgers.keys()
        if any(found.code() == KafkaError.OFFSET_METADATA_TOO_LARGE for found in failed.values()):
            self._takes_notes = False
