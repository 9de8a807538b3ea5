"""A stream of NATS JetStream as deliverers see it: one durable pull consumer, and a stream of dead letters beside it.

The client lives on a loop that runs while one of these methods does; a deliverer calls often enough for it to answer
the server's pings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, Header, RawStreamMsg, StorageType
from nats.js.errors import NotFoundError

from dd_pa.relay.broker_weaknesses import nats_weaknesses
from dd_pa.relay.claims import Claim, Claims
from dd_pa.relay.cloud_event import milliseconds, unescaped
from dd_pa.relay.nats_connection import FAREWELL, NatsConnection
from dd_pa.relay.relay_letters import RelayCounts, RelayLetter
from dd_pa.settings.relay_address import RelayAddress
from dd_pa.store.event_queue import Row

DURABLE = "dd-pa"
"""Name of the consumer that those who deliver share."""

FETCH = 0.1
"""Seconds that one look may wait for messages."""

MOST_CLAIMED = 20_000
"""Messages that all deliverers together may hold; the server's default of 1,000 is four of them."""

T = TypeVar("T")


class NatsQueue:
    """For one thread, which runs the client's loop."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float = 10.0) -> None:
        self._address, self._ca_file, self._timeout = address, ca_file, timeout
        self._runner = asyncio.Runner()
        self._connection: NatsConnection | None = None
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._claims: Claims[str] = Claims()
        self._leased_until: dict[int, float] = {}

    def _run(self, work: Callable[[NatsConnection], Coroutine[Any, Any, T]]) -> T:
        return self._runner.run(self._answered(work))

    async def _answered(self, work: Callable[[NatsConnection], Coroutine[Any, Any, T]]) -> T:
        """Do something that is answered within the time-out; no answer comes when the connection has ended."""
        async with asyncio.timeout(self._timeout):
            connection = await self._connected()
            doing, ended = asyncio.ensure_future(work(connection)), asyncio.ensure_future(connection.closed.wait())
            futures: set[asyncio.Future[Any]] = {doing, ended}
            try:
                await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
                if not doing.done():
                    raise ConnectionResetError("the connection to NATS has ended")
                return doing.result()
            finally:
                ended.cancel()
                if doing.cancel():
                    await asyncio.wait({doing}, timeout=FAREWELL)

    async def _connected(self) -> NatsConnection:
        if self._connection is None:
            self._connection = await NatsConnection.open(self._address, ca_file=self._ca_file, timeout=self._timeout)
        return self._connection

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        lease = (until - now) / 1000
        messages = self._run(lambda connection: self._fetch(connection, limit, lease))
        leased_until = time.monotonic() + lease - FETCH
        rows = [self._claims.add(_claim(message)) for message in messages]
        self._leased_until.update((row.id, leased_until) for row in rows)
        return rows

    async def _fetch(self, connection: NatsConnection, limit: int, lease: float) -> list[Msg]:
        if self._subscription is None:
            self._subscription = await _subscribed(connection, lease)
        try:
            return await self._subscription.fetch(limit, timeout=FETCH)
        except TimeoutError:
            if not connection.is_usable:
                raise
            return []

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> list[int]:
        now = time.monotonic()
        own = [number for number in ids if self._leased_until.get(number, 0.0) > now]
        self._tell(self._claims.handles(own), b"+WPI")
        leased_until = now + until / 1000 - time.time()
        self._leased_until.update((number, leased_until) for number in own)
        return own

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        self._tell(self._claims.handles(ids), b"-NAK")
        self._forget(ids)

    def settle(self, ids: Sequence[int]) -> None:
        self._tell(self._claims.handles(ids), b"+ACK")
        self._forget(ids)

    def _tell(self, handles: Sequence[str], word: bytes) -> None:
        """Say something about messages, and wait until the server has read it."""

        async def tell(connection: NatsConnection) -> None:
            for handle in handles:
                await connection.client.publish(handle, word)
            await connection.client.flush(int(self._timeout))

        self._run(tell)

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        why = {"dd-pa-reason": reason, "dd-pa-detail": detail, "dd-pa-rejected-at": str(now)}
        self._run(lambda connection: self._set_aside(connection, self._claims.get(ids), why))
        self._forget(ids)

    async def _set_aside(
        self, connection: NatsConnection, claims: Sequence[tuple[int, Claim[str]]], why: Mapping[str, str]
    ) -> None:
        for _, claim in claims:
            headers = {name: value for name, value in claim.headers.items() if name != Header.MSG_ID.value}
            await connection.jetstream.publish(connection.dead_subject, claim.body, headers={**headers, **why})
            await connection.client.publish(claim.handle, b"+TERM")
        await connection.client.flush(int(self._timeout))

    def _forget(self, ids: Sequence[int]) -> None:
        self._claims.forget(ids)
        for number in ids:
            self._leased_until.pop(number, None)

    def oldest(self) -> int | None:
        return self._run(_oldest)

    def counts(self) -> RelayCounts:
        return self._run(_counts)

    def is_there(self) -> bool:
        return self._runner.run(self._looked())

    async def _looked(self) -> bool:
        async with asyncio.timeout(self._timeout):
            connection = await NatsConnection.open(
                self._address, ca_file=self._ca_file, timeout=self._timeout, make=False
            )
            try:
                await connection.jetstream.stream_info(connection.stream)
            except NotFoundError:
                return False
            finally:
                await connection.close()
        return True

    def weaknesses(self) -> list[str]:
        return self._run(_weaknesses)

    def letters(self) -> Iterator[RelayLetter]:
        for message in self._dead():
            yield _letter(message)

    def _dead(self) -> Iterator[RawStreamMsg]:
        sequence = 1
        while (message := self._run(partial(_next_dead, sequence))) is not None:
            yield message
            sequence = (message.seq or 0) + 1

    def replay(self, ids: Sequence[str]) -> int:
        chosen = self._chosen(ids)
        for message in chosen:
            self._run(partial(_publish_again, message))
        return len(chosen)

    def purge(self, ids: Sequence[str]) -> int:
        chosen = self._chosen(ids)
        for message in chosen:
            self._run(partial(_delete, message))
        return len(chosen)

    def _chosen(self, ids: Sequence[str]) -> list[RawStreamMsg]:
        return [message for message in self._dead() if not ids or _letter(message).id in ids]

    def reset(self) -> None:
        """Drop the connection. What was claimed stays claimed: any connection may speak of it."""
        connection, self._connection, self._subscription = self._connection, None, None
        if connection is not None:
            self._runner.run(connection.close())

    def close(self) -> None:
        self.reset()
        self._runner.close()


async def _oldest(connection: NatsConnection) -> int | None:
    state = (await connection.jetstream.stream_info(connection.stream)).state
    if not state.messages:
        return None
    try:
        message = await connection.jetstream.get_msg(connection.stream, seq=state.first_seq)
    except NotFoundError:  # delivered meanwhile
        return None
    return milliseconds((message.headers or {}).get("ce-time", ""))


async def _counts(connection: NatsConnection) -> RelayCounts:
    dead = (await connection.jetstream.stream_info(connection.dead_stream)).state.messages
    try:
        consumer = await connection.jetstream.consumer_info(connection.stream, DURABLE)
    except NotFoundError:  # nobody has delivered from it yet
        return RelayCounts((await connection.jetstream.stream_info(connection.stream)).state.messages, 0, dead)
    return RelayCounts(consumer.num_pending or 0, consumer.num_ack_pending or 0, dead)


async def _weaknesses(connection: NatsConnection) -> list[str]:
    config = (await connection.jetstream.stream_info(connection.stream)).config
    is_bounded = max(config.max_msgs or 0, config.max_bytes or 0) > 0
    return nats_weaknesses(
        is_in_memory=config.storage == StorageType.MEMORY,
        drops_oldest=is_bounded and config.discard == DiscardPolicy.OLD,
    )


async def _next_dead(sequence: int, connection: NatsConnection) -> RawStreamMsg | None:
    try:
        return await connection.jetstream.get_msg(
            connection.dead_stream, seq=sequence, subject=connection.dead_subject, next=True
        )
    except NotFoundError:
        return None


async def _publish_again(message: RawStreamMsg, connection: NatsConnection) -> None:
    told = {name: value for name, value in (message.headers or {}).items() if not name.startswith("dd-pa-")}
    # Its own id would be taken for a second one; this one is the same however often the replay is tried.
    headers = told | {Header.MSG_ID.value: f"{connection.dead_stream}-{message.seq}"}
    await connection.jetstream.publish(connection.subject, message.data or b"", headers=headers)
    await connection.jetstream.delete_msg(connection.dead_stream, message.seq or 0)


async def _delete(message: RawStreamMsg, connection: NatsConnection) -> None:
    await connection.jetstream.delete_msg(connection.dead_stream, message.seq or 0)


async def _subscribed(connection: NatsConnection, lease: float) -> JetStreamContext.PullSubscription:
    config = ConsumerConfig(
        durable_name=DURABLE,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=lease,
        max_deliver=-1,
        max_ack_pending=MOST_CLAIMED,
        filter_subject=connection.subject,
    )
    await connection.jetstream.add_consumer(connection.stream, config)
    return await connection.jetstream.pull_subscribe_bind(consumer=DURABLE, stream=connection.stream)


def _claim(message: Msg) -> Claim[str]:
    return Claim(message.reply, message.headers or {}, message.data)


def _letter(message: RawStreamMsg) -> RelayLetter:
    headers = message.headers or {}
    rejected_at = headers.get("dd-pa-rejected-at", "")
    return RelayLetter(
        id=unescaped(headers.get("ce-id", "")) or str(message.seq),
        name=unescaped(headers.get("ce-type", "")),
        reason=headers.get("dd-pa-reason", ""),
        detail=headers.get("dd-pa-detail", ""),
        rejected_at=int(rejected_at) if rejected_at.isdigit() else 0,
        body=message.data or b"",
    )
