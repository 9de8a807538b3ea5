"""Publishes to a quorum queue of RabbitMQ, with publisher confirms.

The connection runs on the loop of the delivery thread. Nothing is repeated by itself: what was not confirmed when a
connection ends is tried again by the delivery, and may then be there twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)
from pika.frame import Method
from pika.spec import Basic

from dd_pa.network.outcome import DELIVERED, Outcome, Verdict
from dd_pa.relay.cloud_event import Binding, Message
from dd_pa.relay.rabbitmq_names import PREFIX, QUORUM, connection_parameters, properties
from dd_pa.settings.relay_address import RelayAddress

_BINDING = Binding(PREFIX)

_REFUSED = (ProbableAuthenticationError, ProbableAccessDeniedError)
_NO_ACCESS, _OTHER_QUEUE = 403, 406


class RabbitmqPublisher:
    """Publishes events, a batch at a time."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float, name: str) -> None:
        self._parameters = connection_parameters(address, ca_file, name)
        self._queue = address.stream
        self._channel: _ConfirmingChannel | None = None

    async def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        try:
            channel = await self._opened()
        except (AMQPConnectionError, ChannelClosedByBroker, OSError) as error:
            return [_not_opened(error)] * len(messages)
        return await channel.publish(messages)

    async def _opened(self) -> _ConfirmingChannel:
        if self._channel is not None and not self._channel.is_open:
            await self.aclose()
        if self._channel is None:
            self._channel = await _ConfirmingChannel.open(self._parameters, self._queue)
        return self._channel

    async def aclose(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()


def _not_opened(error: BaseException) -> Outcome:
    refused = isinstance(error, _REFUSED) or (
        isinstance(error, ChannelClosedByBroker) and error.reply_code in (_NO_ACCESS, _OTHER_QUEUE)
    )
    return Outcome(verdict=Verdict.PAUSE if refused else Verdict.RETRY, reason=type(error).__name__)


class _JoinedConnection(AsyncioConnection):
    """Sends together what is said in one turn of the loop; the client would send each of a message's three frames."""

    def __init__(self, *settings: Any, **more: Any) -> None:
        self._frames: list[bytes] = []
        self._turns = asyncio.get_running_loop()
        super().__init__(*settings, **more)

    def _adapter_emit_data(self, data: bytes) -> None:
        if not self._frames:
            self._turns.call_soon(self._emit)
        self._frames.append(data)

    def _emit(self) -> None:
        frames, self._frames = self._frames, []
        if self._transport is not None:  # type: ignore[attr-defined]  # else the connection has ended
            super()._adapter_emit_data(b"".join(frames))  # type: ignore[misc]  # what an adapter is made of


class _ConfirmingChannel:
    """A connection and its one channel, on which the broker confirms what is published."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._loop = asyncio.get_running_loop()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._number = 0
        self._unconfirmed: dict[int, str] = {}
        """Ids of the events that are on their way, by the channel's number of the message, in its order."""

        self._outcomes: dict[str, Outcome] = {}
        """What became of the events of the batch."""

        self._complete = asyncio.Event()
        self._connection: AsyncioConnection | None = None
        self._publish: Callable[[bytes, pika.BasicProperties], None]

    @classmethod
    async def open(cls, parameters: pika.URLParameters, queue: str) -> _ConfirmingChannel:
        """Connect, and declare the queue. Raises what pika has for it."""
        made = cls(queue)
        try:
            await made._connect(parameters)
        except BaseException:
            await made.close()
            raise
        return made

    async def _connect(self, parameters: pika.URLParameters) -> None:
        opened = self._loop.create_future()
        connection = self._connection = _JoinedConnection(
            parameters,
            on_open_callback=lambda connection: _set(opened, None),
            on_open_error_callback=lambda connection, error: _fail(opened, error),
            on_close_callback=lambda connection, error: self._end(error),
            custom_ioloop=self._loop,
        )
        await opened
        await self._make_queue(connection)
        channel = await self._open_channel(connection)
        channel.add_on_close_callback(lambda channel, error: self._end(error))
        channel.add_on_return_callback(self._returned)
        self._publish = partial(channel.basic_publish, "", self._queue, mandatory=True)
        await self._asked(lambda done: channel.confirm_delivery(self._confirmed, callback=done))

    async def _open_channel(self, connection: AsyncioConnection) -> Channel:
        opened: Channel = await self._asked(lambda done: connection.channel(on_open_callback=done))
        return opened

    async def _make_queue(self, connection: AsyncioConnection) -> None:
        """Declare the queue where it is missing; one that is there stays as its operators have configured it."""
        channel = await self._open_channel(connection)
        there = self._loop.create_future()
        channel.add_on_close_callback(lambda channel, error: _set(there, False))
        channel.queue_declare(self._queue, passive=True, callback=lambda frame: _set(there, True))
        if not await there:
            channel = await self._open_channel(connection)
            channel.add_on_close_callback(lambda channel, error: self._end(error))
            await self._asked(
                lambda done: channel.queue_declare(self._queue, durable=True, arguments=dict(QUORUM), callback=done)
            )

    async def _asked(self, ask: Callable[[Callable[[Any], None]], object]) -> Any:
        """Wait for the answer to a method, or for the end of the connection, which raises."""
        answer = self._loop.create_future()
        ask(lambda value: _set(answer, value))
        await asyncio.wait({answer, self._closed}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self._closed.result()
        return answer.result()

    @property
    def is_open(self) -> bool:
        return not self._closed.done()

    async def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        self._outcomes = {}
        self._complete.clear()
        for message in messages:
            self._send(message)
        if self._unconfirmed:
            await self._complete.wait()
        return [self._outcomes[message.id] for message in messages]

    def _send(self, message: Message) -> None:
        headers = _BINDING.headers(message)
        try:
            self._publish(message.body, properties(headers, message.id))
        except Exception as error:  # the connection has ended; its callback says so to the others
            self._outcomes[message.id] = Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)
            return
        self._number += 1
        self._unconfirmed[self._number] = message.id

    def _confirmed(self, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        taken = isinstance(frame.method, Basic.Ack)
        outcome = DELIVERED if taken else Outcome(verdict=Verdict.LIMIT, reason="nack")
        last = frame.method.delivery_tag
        if not frame.method.multiple:
            self._settle(last, outcome)
            return
        while self._unconfirmed and (number := next(iter(self._unconfirmed))) <= last:
            self._settle(number, outcome)

    def _settle(self, number: int, outcome: Outcome) -> None:
        event_id = self._unconfirmed.pop(number, None)
        if event_id is not None:
            self._outcomes.setdefault(event_id, outcome)  # one that was returned is confirmed all the same
            if not self._unconfirmed:
                self._complete.set()

    def _returned(self, channel: Channel, method: Basic.Return, told: pika.BasicProperties, body: bytes) -> None:
        """Note an event that has no queue any more; its confirmation comes all the same."""
        self._outcomes[str(told.message_id)] = Outcome(verdict=Verdict.RETRY, reason="no_queue")
        self._end(ConnectionResetError("the queue is gone"))  # the next connection declares it

    def _end(self, error: BaseException) -> None:
        if not self._closed.done():
            self._closed.set_exception(error)
            self._closed.exception()  # nobody need look at it
        for number in list(self._unconfirmed):
            self._settle(number, Outcome(verdict=Verdict.RETRY, reason=type(error).__name__))

    async def close(self) -> None:
        connection = self._connection
        self._end(ConnectionResetError("closed"))
        if connection is None or connection.is_closed:
            return
        ended = self._loop.create_future()
        connection.add_on_close_callback(lambda connection, error: _set(ended, None))
        if not connection.is_closing:
            connection.close()
        await asyncio.wait({ended}, timeout=1.0)


def _set(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: BaseException | str) -> None:
    if not future.done():
        future.set_exception(error if isinstance(error, BaseException) else AMQPConnectionError(error))
