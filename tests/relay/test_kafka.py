"""What only Kafka has: partitions that come and go, one offset for all that is settled, a client with a memory."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dd_pa import Emitter, Settings
from dd_pa.doctor import examine_relay
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.process import testbed
from dd_pa.relay.brokers import open_publisher
from dd_pa.relay.cloud_event import Message
from dd_pa.settings.relay_address import RelayAddress, address
from dd_pa.store.event_queue import Row
from tests.relay.conftest import SOON
from tests.relay.mock_kafka import METADATA_TOO_LARGE, NOT_ALLOWED, TOO_LARGE, UNKNOWN_TOPIC, MockKafka
from tests.test_docs import ROOT, blocks
from tests.waiting import wait_until

pytest.importorskip("confluent_kafka", reason="needs confluent-kafka, which has a mock of Kafka")

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from dd_pa.relay import kafka_partitions, kafka_queue, offset_ledger
from dd_pa.relay.kafka_queue import LEAVING, KafkaQueue

LEASE = 3.0
"""Seconds; the mock shares partitions out anew a second before a session of this length would end."""


@pytest.fixture
def cluster() -> Iterator[MockKafka]:
    made = MockKafka()
    yield made
    made.remove()


@pytest.fixture(autouse=True)
def _short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_queue, "SHORTEST_LEASE", LEASE)


@pytest.fixture
def where(cluster: MockKafka) -> RelayAddress:
    return address("RELAY_URL", cluster.url)


class Member:
    """A deliverer's queue, and what it holds."""

    def __init__(self, where: RelayAddress, name: str) -> None:
        self.queue, self.name = KafkaQueue(where, ca_file=None, timeout=10.0), name
        self.held: list[Row] = []

    def claim(self, limit: int = 100, lease: float = LEASE) -> list[Row]:
        now = time.time_ns() // 1_000_000
        try:
            rows = self.queue.claim(limit, owner=self.name, now=now, until=now + int(lease * 1000))
        except TimeoutError:  # the group has not shared out yet
            return []
        self.held = list({row.id: row for row in [*self.held, *rows]}.values())
        return rows

    def settle(self, rows: Sequence[Row]) -> None:
        self.queue.settle([row.id for row in rows])
        self.held = [row for row in self.held if row not in rows]

    @property
    def numbers(self) -> list[int]:
        return sorted(json.loads(row.body)["number"] for row in self.held)


Members = Callable[..., Member]


@pytest.fixture
def member(where: RelayAddress) -> Iterator[Members]:
    with ExitStack() as stack:

        def join() -> Member:
            made = Member(where, "somebody")
            stack.callback(made.queue.close)
            return made

        yield join
    assert LEAVING not in [thread.name for thread in threading.enumerate()]


def fill(cluster: MockKafka, count: int, partition: int | None = None) -> None:
    """Write events, spread over the partitions or in one."""
    producer = Producer({"bootstrap.servers": cluster.servers, "log_level": 0})
    for number in range(count):
        body = json.dumps({"number": number}).encode()
        producer.produce(cluster.stream, body, partition=number % 4 if partition is None else partition)
    assert producer.flush(10) == 0


def messages(count: int) -> list[Message]:
    return [Message(str(number), "order.paid", "/shop", "2026-11-27T12:00:00.000Z", b"{}") for number in range(count)]


def test_one_event_that_stays_holds_back_no_other_and_is_not_skipped(cluster: MockKafka, member: Members) -> None:
    fill(cluster, 50, partition=0)
    first = member()
    wait_until(lambda: (first.claim(), len(first.held) == 50)[1])
    first.settle([row for row in first.held if json.loads(row.body)["number"] not in (7, 30)])
    assert first.queue.counts().waiting == 43  # from the first that is not settled
    first.queue.close()

    heir = member()
    wait_until(lambda: (heir.claim(), heir.numbers == [7, 30])[1])  # and not what was settled behind it
    heir.settle(heir.held)
    assert heir.queue.counts().waiting == 0


def test_partitions_move_to_who_joins_and_nothing_is_lost(
    cluster: MockKafka, member: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_queue, "PATIENCE", 0.2)  # one thread has both: neither may wait for the other
    fill(cluster, 80)
    first, second = member(), member()
    wait_until(lambda: (first.claim(), len(first.held) == 80)[1])
    first.settle(first.held[::2])
    own = [row.id for row in first.held]

    def have_moved() -> bool:
        kept = first.queue.renew(own, owner="somebody", until=time.time_ns() // 1_000_000 + 60_000)
        first.held = [row for row in first.held if row.id in kept]
        second.claim()
        return bool(second.held) and {*first.numbers, *second.numbers} >= unsettled

    def all_settled() -> bool:
        for one in (first, second):
            one.claim()
            one.settle(one.held)
        return first.queue.counts().waiting == 0

    unsettled = set(first.numbers)
    assert len(unsettled) == 40
    wait_until(have_moved)
    wait_until(all_settled)


def test_who_is_given_partitions_while_it_leaves_is_not_kept(
    cluster: MockKafka, member: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed of them was asked for, which a client that is being closed answers after ten seconds."""
    monkeypatch.setattr(kafka_queue, "PATIENCE", 0.0)
    given: list[int] = []
    begin = kafka_partitions.KafkaPartitions.begin

    def noted(share: kafka_partitions.KafkaPartitions, client: Consumer, partitions: Sequence[TopicPartition]) -> None:
        given.append(len(partitions))
        begin(share, client, partitions)

    monkeypatch.setattr(kafka_partitions.KafkaPartitions, "begin", noted)
    fill(cluster, 4)
    while not given:  # the group may give out nothing before it is left
        alone = member()
        alone.claim()
        client = alone.queue._member
        assert client is not None
        wait_until(client.memberid)
        alone.queue.close()
        assert LEAVING not in [thread.name for thread in threading.enumerate()]


def test_what_is_not_renewed_in_time_waits_again(cluster: MockKafka, member: Members) -> None:
    fill(cluster, 4)
    alone = member()
    wait_until(lambda: (alone.claim(lease=0.2), len(alone.held) >= 4)[1])
    before = {row.id for row in alone.held}
    wait_until(alone.claim)
    assert {row.id for row in alone.held} == before  # as the same rows: an answer that comes late settles them
    alone.settle(alone.held)
    assert alone.claim() == []
    assert alone.queue.counts().waiting == 0


def test_what_is_given_back_waits_again(cluster: MockKafka, member: Members) -> None:
    fill(cluster, 4, partition=0)
    alone = member()
    wait_until(lambda: (alone.claim(), len(alone.held) == 4)[1])
    alone.queue.release([row.id for row in alone.held[2:]], owner="somebody")
    alone.held = []
    wait_until(alone.claim)
    assert alone.numbers == [2, 3]


def test_what_is_no_event_and_large_is_set_aside_whole(cluster: MockKafka, member: Members) -> None:
    cluster.put(bytes(5_000_000))
    alone = member()
    wait_until(alone.claim)
    alone.queue.reject([row.id for row in alone.held], reason="damaged", detail="", now=1)
    (letter,) = alone.queue.letters()
    assert (letter.reason, letter.body) == ("damaged", bytes(5_000_000))
    assert alone.queue.counts().waiting == 0


def test_no_more_is_taken_than_may_be_ahead_of_one_event(
    cluster: MockKafka, member: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offset_ledger, "MOST_AHEAD", 20)
    fill(cluster, 100, partition=0)
    alone = member()
    wait_until(lambda: (alone.claim(10), len(alone.held) >= 20)[1])
    alone.settle(alone.held[1:])
    assert [alone.claim(10) for _ in range(3)] == [[], [], []]
    alone.settle(alone.held)
    wait_until(lambda: (alone.claim(10), len(alone.held) >= 20)[1])
    assert len(alone.held) < 40


def test_a_cluster_that_takes_no_notes_has_the_offsets_only(cluster: MockKafka, member: Members) -> None:
    fill(cluster, 10, partition=0)
    alone = member()
    wait_until(lambda: (alone.claim(), len(alone.held) == 10)[1])
    cluster.answer_commits(METADATA_TOO_LARGE)
    alone.settle(alone.held[:5])
    wait_until(lambda: (alone.claim(), not alone.queue._share._takes_notes)[1])
    wait_until(lambda: (alone.claim(), alone.queue.counts().waiting == 5)[1])

    assert not alone.queue._share._takes_notes


def test_a_cluster_that_is_away_is_trouble_until_it_is_back(cluster: MockKafka, member: Members) -> None:
    fill(cluster, 4)
    alone = member()
    wait_until(lambda: (alone.claim(), len(alone.held) == 4)[1])
    cluster.kill()

    def fails() -> bool:
        try:
            alone.claim()
        except KafkaException:
            alone.queue.reset()
            return True
        return False

    wait_until(fails)
    cluster.start()
    wait_until(lambda: not fails())
    alone.settle(alone.held)
    wait_until(lambda: (alone.claim(), alone.queue.counts().waiting == 0)[1])


async def published(where: RelayAddress, sent: Sequence[Message], timeout: float = 10.0) -> Sequence[Outcome]:
    publisher = open_publisher(where, ca_file=None, timeout=timeout)
    try:
        return await publisher.publish(sent)
    finally:
        await publisher.aclose()


def test_an_event_that_is_too_large_holds_nobody_up(cluster: MockKafka, where: RelayAddress) -> None:
    cluster.answer_writes(TOO_LARGE)
    [outcome] = asyncio.run(published(where, messages(1)))
    assert (outcome.verdict, outcome.reason) == (Verdict.REJECT, "too_large")
    assert {outcome.verdict for outcome in asyncio.run(published(where, messages(3)))} == {Verdict.DELIVERED}


def test_one_that_a_broker_refuses_spoils_none_that_came_with_it(cluster: MockKafka, where: RelayAddress) -> None:
    cluster.answer_writes(TOO_LARGE)  # to one request, whatever is in it
    outcomes = asyncio.run(published(where, messages(20)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
    assert len(cluster.entries()) == 20


def test_what_no_broker_takes_is_given_back_at_once(cluster: MockKafka, where: RelayAddress) -> None:
    cluster.kill()
    outcomes = asyncio.run(published(where, messages(10), timeout=60.0))
    assert {(outcome.verdict, outcome.reason) for outcome in outcomes} == {(Verdict.RETRY, "_ALL_BROKERS_DOWN")}


def test_what_takes_too_long_does_not_stay_in_the_client(cluster: MockKafka, where: RelayAddress) -> None:
    async def cut_off() -> None:
        publisher = open_publisher(where, ca_file=None, timeout=10.0)
        await publisher.publish(messages(1))
        cluster.kill()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await publisher.publish(messages(100))
        cluster.start()
        outcomes = await publisher.publish(messages(1))
        assert [outcome.verdict for outcome in outcomes] == [Verdict.DELIVERED]
        await publisher.aclose()

    asyncio.run(cut_off())
    assert len(cluster.entries()) == 2


def test_the_events_of_a_session_keep_their_order(cluster: MockKafka, where: RelayAddress) -> None:
    bodies = [
        json.dumps({"session": {"id": f"s-{number % 7}"}, "usr": {"id": "u"}, "number": number}).encode()
        for number in range(70)
    ]
    sent = [
        Message(str(number), "order.paid", "/shop", "2026-11-27T12:00:00.000Z", body)
        for number, body in enumerate(bodies)
    ]
    asyncio.run(published(where, sent))
    found = [json.loads(entry.body) for entry in cluster.entries()]
    for session in range(7):
        numbers = [event["number"] for event in found if event["session"]["id"] == f"s-{session}"]
        assert numbers == sorted(numbers)
        assert len(numbers) == 10


def test_who_may_not_write_while_it_runs_tries_the_same_events_again(
    cluster: MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testbed, "_is_on", False)  # asked once in a process: another test may have been first
    settings = Settings(application_id="shop", relay_url=cluster.url, spool_dir=str(tmp_path / "spool"))
    with Emitter(settings, retry=SOON) as emitter:
        emitter.track("order.paid", {"number": 0}, usr="u-1")
        assert emitter.flush(30), emitter.stats()
        cluster.answer_writes(NOT_ALLOWED)
        for number in range(1, 4):
            emitter.track("order.paid", {"number": number}, usr="u-1")
        assert emitter.flush(30), emitter.stats()
        assert emitter.stats().last_error == "TOPIC_AUTHORIZATION_FAILED"
    assert [json.loads(entry.body)["number"] for entry in cluster.entries()] == [0, 1, 2, 3]


class Enough(Exception):  # noqa: N818 - ends a loop that has no end
    pass


def test_the_reader_in_the_docs_reads_what_is_published(
    cluster: MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testbed, "_is_on", False)  # asked once in a process: another test may have been first
    settings = Settings(application_id="shop", relay_url=cluster.url, spool_dir=str(tmp_path / "spool"))
    with Emitter(settings) as emitter:
        for number in range(3):
            emitter.track("order.paid", {"number": number}, usr="u-1")
        assert emitter.flush(30)

    (reader,) = (code for code in blocks(ROOT / "docs/relay.md", "python") if "confluent_kafka" in code)
    assert len(reader.splitlines()) <= 15
    lines: list[tuple[object, ...]] = []

    def printed(*line: object) -> None:
        lines.append(line)
        if len(lines) == 3:
            raise Enough

    names: dict[str, Any] = {"print": printed}
    with pytest.raises(Enough):
        exec(reader.replace("127.0.0.1:9092", cluster.servers).replace("dd-pa", cluster.stream), names)  # noqa: S102
    names["client"].close()
    assert {(name, user) for name, _, user in lines} == {("order.paid", "u-1")}


def test_the_doctor_looks_at_the_topic(cluster: MockKafka, where: RelayAddress) -> None:
    def found(timeout: float = 10.0) -> list[tuple[str, str]]:
        return [(finding.state, finding.text) for finding in examine_relay(where, ca_file=None, timeout=timeout)]

    fill(cluster, 3)
    assert found() == [
        ("warning", "Kafka: topic events has one replica: it is lost with the disk of one broker"),
        ("ok", f"{where.shown}: 3 wait"),
    ]
    cluster.answer(UNKNOWN_TOPIC)
    assert [state for state, _ in found()] == ["note"]
    outcomes = asyncio.run(published(where, messages(2), timeout=2.0))
    assert {(outcome.verdict, outcome.reason) for outcome in outcomes} == {(Verdict.PAUSE, "UNKNOWN_TOPIC_OR_PART")}
    cluster.kill()
    assert [state for state, _ in found(timeout=0.5)] == ["failure"]
