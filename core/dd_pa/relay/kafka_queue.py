"""A topic of Kafka as deliverers see it: one consumer group, and a topic of dead letters beside it.

Who has a partition holds all its messages; the group gives the partitions of a dead deliverer to others. What is
committed of a partition is the first offset that is not settled, so that no event is skipped that fails while others
pass, and a note of what is settled behind it (`OffsetLedger`), so that those do not go twice.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import islice

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dd_pa.relay.claims import Claim, Claims
from dd_pa.relay.kafka_client import GROUP, PREFIX, client_options, headers_of
from dd_pa.relay.kafka_dead_letters import KafkaDeadLetters
from dd_pa.relay.kafka_partitions import KafkaPartitions
from dd_pa.relay.kafka_topic import KafkaTopic
from dd_pa.relay.relay_letters import RelayCounts, RelayLetter
from dd_pa.settings.relay_address import RelayAddress
from dd_pa.store.event_queue import Row

LOOK = 0.02
"""Seconds that one look may wait for messages."""

PATIENCE = 10.0
"""Most seconds that a look waits for the group to give us our share, and for messages that must be there."""

MOST_ARRIVED = 250
"""Messages that may wait here for somebody to claim them."""

FAREWELL = 5.0
"""Seconds that leaving the group may take."""

LEAVING = "dd-pa-kafka-close"
"""Name of the thread that waits for it."""

SHORTEST_LEASE, LONGEST_LEASE = 6.0, 300.0
"""Seconds of silence after which a deliverer is taken for dead: what brokers allow where nothing else is said."""

SLOWEST_POLL = 300.0
"""Seconds, or a lease that is longer, without a call after which the client itself gives its partitions up."""

_REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    }
)
_NO_WAY = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._SSL})


class KafkaQueue:
    """One member of the group, for one thread. The client keeps the connection, and makes it again, by itself."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float = 10.0) -> None:
        self._address, self._topic, self._timeout = address, address.stream, timeout
        self._options = partial(client_options, address, ca_file)
        self._letters = KafkaDeadLetters(address, ca_file=ca_file, timeout=timeout)
        self._kafka_topic = KafkaTopic(address, ca_file=ca_file, timeout=timeout)
        self._member: Consumer | None = None
        self._claims: Claims[tuple[int, int]] = Claims()
        self._arrived: deque[Claim[tuple[int, int]]] = deque()
        self._leased_until: dict[int, float] = {}
        self._share = KafkaPartitions(self._topic, self._kafka_topic)
        self._error: KafkaError | None = None
        """What the client has said of the connection since it was last seen to work."""

    def _joined(self, owner: str, lease: float) -> Consumer:
        if self._member is None:
            session = min(max(lease, SHORTEST_LEASE), LONGEST_LEASE)
            self._member = Consumer(
                {
                    **self._options(owner),
                    "group.id": GROUP,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "earliest",
                    "allow.auto.create.topics": True,
                    "partition.assignment.strategy": "cooperative-sticky",
                    "session.timeout.ms": int(session * 1000),
                    "heartbeat.interval.ms": int(min(session * 1000 / 3, 3000)),
                    "max.poll.interval.ms": int(max(lease, SLOWEST_POLL) * 1000),
                    "fetch.wait.max.ms": 100,
                    "fetch.queue.backoff.ms": 10,  # of a second by default, in which all is delivered that is here
                    "queued.min.messages": 1_000,
                    "queued.max.messages.kbytes": 8 * 1024,
                    "error_cb": self._hear,
                    "on_commit": self._share.committed,
                }
            )
            self._member.subscribe(
                [self._topic], on_assign=self._share.begin, on_revoke=self._revoked, on_lost=self._lost
            )
        return self._member

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        lease, began = (until - now) / 1000, time.monotonic()
        member = self._joined(owner, lease)
        self._look(member, limit)
        self._check(member)
        self._share.commit(member)
        ended = time.monotonic()
        if ended - began > lease / 2:
            return []  # what is given out now would be old before it is taken; the next call gives it
        self._take_back(ended)
        rows = [self._claims.add(claim) for claim in islice(self._unsettled(), limit)]
        self._leased_until.update((row.id, ended + lease) for row in rows)
        return rows

    def _unsettled(self) -> Iterator[Claim[tuple[int, int]]]:
        """Hand out what has arrived, but for what was settled while it waited here again."""
        while self._arrived:
            claim = self._arrived.popleft()
            if claim.handle in self._share:
                yield claim

    def _take_back(self, now: float) -> None:
        """Have what was not renewed in time wait again: whoever claimed it lets go of it then."""
        overdue = [number for number, end in self._leased_until.items() if end <= now]
        self._arrived.extendleft(claim for _, claim in reversed(self._claims.get(overdue)))
        for number in overdue:
            del self._leased_until[number]

    def _look(self, member: Consumer, limit: int) -> None:
        """Look for messages; nothing is found only where there is nothing, which `run(once=True)` goes by."""
        deadline = time.monotonic() + min(self._timeout, PATIENCE)
        self._listen(member, limit - len(self._arrived), LOOK)
        while not self._arrived and self._error is None and not self._share.is_read:
            if time.monotonic() > deadline:
                raise TimeoutError("the group has not given out the partitions, or they cannot be read")
            self._listen(member, limit, LOOK)

    def _listen(self, member: Consumer, limit: int, seconds: float) -> None:
        """Take in what has arrived, and what the group says: partitions may come and go in here."""
        self._share.hold_back(member, everything=len(self._arrived) >= MOST_ARRIVED)
        for message in member.consume(max(1, limit), seconds):
            error = message.error()
            if error is None:
                self._take(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._share.reached_end(message.partition() or 0)
            else:
                self._hear(error)

    def _take(self, message: Message) -> None:
        place = message.partition() or 0, message.offset() or 0
        if self._share.add(*place):
            self._arrived.append(Claim(place, headers_of(message), message.value() or b""))

    def _check(self, member: Consumer) -> None:
        """Raise if the brokers cannot be reached; the client says when they cannot, and not when they can again."""
        if self._error is None:
            return
        error = self._error
        try:
            member.list_topics(self._topic, timeout=min(self._timeout, 1.0))
        except KafkaException:
            raise KafkaException(error) from None
        self._error = None
        if error.fatal() or error.code() in _REFUSED:
            raise KafkaException(error)

    def _hear(self, error: KafkaError) -> None:
        if error.code() in _NO_WAY or error.code() in _REFUSED or error.fatal():
            self._error = error

    def _revoked(self, member: Consumer, partitions: list[TopicPartition]) -> None:
        with contextlib.suppress(KafkaException):  # then it goes twice
            self._share.commit(member, [partition.partition for partition in partitions], wait=True)
        self._lost(member, partitions)

    def _lost(self, member: Consumer, partitions: list[TopicPartition]) -> None:
        with contextlib.suppress(KafkaException):  # the client may take a pause for one that lasts
            member.resume(partitions)
        self._lose({partition.partition for partition in partitions})

    def _lose(self, gone: Collection[int]) -> None:
        """Forget partitions that are others' now, and what came of them."""
        self._share.lose(gone)
        self._forget(self._claims.numbers(lambda handle: handle[0] in gone))
        self._arrived = deque(claim for claim in self._arrived if claim.handle[0] not in gone)

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> list[int]:
        if self._member is not None:
            self._listen(self._member, 1, 0.0)
        own = [number for number in ids if number in self._leased_until]
        leased_until = time.monotonic() + until / 1000 - time.time()
        self._leased_until.update((number, leased_until) for number in own)
        return own

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        """Have them wait again, here or wherever their partition goes."""
        self._arrived.extendleft(claim for _, claim in reversed(self._claims.get(ids)))
        self._forget(ids)

    def _forget(self, ids: Sequence[int]) -> None:
        self._claims.forget(ids)
        for number in ids:
            self._leased_until.pop(number, None)

    def settle(self, ids: Sequence[int]) -> None:
        for partition, offset in self._claims.handles(ids):
            self._share.settle(partition, offset)
        self._forget(ids)
        if self._member is not None:
            self._share.commit(self._member)

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        why = {"dd-pa-reason": reason, "dd-pa-detail": detail, "dd-pa-rejected-at": str(now)}
        for _, claim in self._claims.get(ids):
            place = "{}-{}".format(*claim.handle)
            self._letters.add(
                f"{place}-{claim.headers.get(f'{PREFIX}id', '')[:64]}", {**claim.headers, **why}, claim.body
            )
        self._letters.confirm()
        self.settle(ids)

    def oldest(self) -> int | None:
        return self._kafka_topic.oldest(self._member)

    def is_there(self) -> bool:
        return self._kafka_topic.is_there()

    def weaknesses(self) -> list[str]:
        return self._kafka_topic.weaknesses()

    def counts(self) -> RelayCounts:
        return RelayCounts(self._kafka_topic.waiting(self._member), None, self._letters.count())

    def letters(self) -> Iterator[RelayLetter]:
        yield from self._letters.all()

    def replay(self, ids: Sequence[str]) -> int:
        return self._letters.replay(ids)

    def purge(self, ids: Sequence[str]) -> int:
        return self._letters.purge(ids)

    def reset(self) -> None:
        """Leave the client to itself, which connects again; one that cannot go on is given up with what it held."""
        if self._error is not None and self._error.fatal():
            self._leave()

    def _leave(self) -> None:
        """Leave the group, and wait no longer than `FAREWELL` for it.

        A client whose commit is on its way when the brokers go waits for its answer when it is closed, for ever
        (librdkafka 3740). Then what was settled last may go again, and others take over when the lease has run out.
        """
        member, self._member = self._member, None
        if member is not None:
            self._share.leaves = True
            with contextlib.suppress(KafkaException):
                self._share.commit(member)
            leaving = threading.Thread(target=_close, args=(member,), name=LEAVING, daemon=True)
            leaving.start()
            leaving.join(FAREWELL)
        self._lose(self._share.partitions)
        self._share.leave()

    def close(self) -> None:
        """Commit what is settled, and leave the group."""
        self._leave()
        self._letters.close()
        self._kafka_topic.close()


def _close(member: Consumer) -> None:
    with contextlib.suppress(Exception):  # it is given up in any case
        member.close()
