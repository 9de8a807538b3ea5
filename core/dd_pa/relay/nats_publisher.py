"""Publishes to a stream of NATS JetStream, and hears what the server says of each message.

Each event goes with its id, so that the server drops a second one within the stream's duplicate window (two minutes,
unless its operators say otherwise).

The client's own `publish_async` makes a random subject, a semaphore's turn, a task's time-out and a future for each
message, which costs more than sending it. Here the messages of a connection are numbered, and the answer to each comes
to a subject that ends in its number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.api import Header

from dd_pa.network.outcome import DELIVERED, Outcome, Verdict
from dd_pa.relay.cloud_event import Binding, Message, escaped
from dd_pa.relay.nats_connection import NatsConnection
from dd_pa.settings.relay_address import RelayAddress

_FULL = "maximum"
"""What the server says of a stream that takes no more (`maximum bytes exceeded`, error 10077)."""

NO_STREAM = Outcome(verdict=Verdict.RETRY, reason="NoStreamResponseError")
_NOT_CONFIRMED = Outcome(verdict=Verdict.RETRY, reason="ConnectionClosedError")
_TOO_LARGE = Outcome(
    verdict=Verdict.REJECT, reason="too_large", detail="larger than the max_payload of this NATS server"
)
_NO_RESPONDERS = "503"


class _Error(msgspec.Struct):
    description: str = ""


class _Answer(msgspec.Struct):
    error: _Error | None = None


_answer = msgspec.json.Decoder(_Answer)


class NatsConfirmations:
    """Of one connection. One batch at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._prefix = f"{client.new_inbox()}."
        self._listens = False
        self._first = self._count = 0
        self._outcomes: dict[int, Outcome] = {}
        self.complete = asyncio.Event()
        """Nothing of the batch is waited for any more."""

    async def send(self, subject: str, messages: Iterable[tuple[bytes, dict[str, str]]]) -> None:
        """Send the bodies and headers of a batch. What cannot be sent has its outcome then."""
        if not self._listens:
            await self._client.subscribe(f"{self._prefix}*", cb=self._heard)
            self._listens = True
        self._first, self._count = self._first + self._count, 0
        self._outcomes = {}
        self.complete.clear()
        for body, headers in messages:
            number = self._first + self._count
            self._count += 1
            try:
                await self._client.publish(subject, body, reply=f"{self._prefix}{number}", headers=headers)
            except MaxPayloadError:
                self._outcomes[number] = _TOO_LARGE
            except Exception as error:  # the connection has ended, or is about to
                self._outcomes[number] = Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)
            _heed_cancellation()
        self._look()

    async def _heard(self, message: Msg) -> None:
        number = int(message.subject[len(self._prefix) :])
        if self._first <= number and number not in self._outcomes:  # else it is late
            self._outcomes[number] = _outcome(message)
            self._look()

    def _look(self) -> None:
        if len(self._outcomes) == self._count:
            self.complete.set()

    def outcomes(self) -> list[Outcome]:
        """Return what became of the batch until now."""
        return [self._outcomes.get(self._first + number, _NOT_CONFIRMED) for number in range(self._count)]


def _heed_cancellation() -> None:
    """Raise what the client has swallowed while it waited for a server that takes nothing."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _outcome(message: Msg) -> Outcome:
    if message.headers and message.headers.get(Header.STATUS) == _NO_RESPONDERS:
        return NO_STREAM
    try:
        error = _answer.decode(message.data).error
    except msgspec.DecodeError:
        return Outcome(verdict=Verdict.RETRY, reason="DecodeError")
    if error is None:
        return DELIVERED
    full = _FULL in error.description
    return Outcome(verdict=Verdict.LIMIT if full else Verdict.RETRY, reason="full" if full else "APIError")


_BINDING = Binding("ce-", escaped)


class NatsPublisher:
    """Publishes events, a batch at a time."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float, name: str) -> None:
        self._address, self._ca_file, self._timeout = address, ca_file, timeout
        self._connection: NatsConnection | None = None
        self._confirmations: NatsConfirmations

    async def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        try:
            connection = await self._connected()
        except (NatsError, OSError) as error:
            return [_not_connected(error)] * len(messages)
        try:
            await self._confirmations.send(connection.subject, map(_encoded, messages))
            await self._wait(connection)
        except asyncio.CancelledError:  # it has taken too long
            connection.give_up()
            raise
        outcomes = self._confirmations.outcomes()
        if NO_STREAM in outcomes:
            await connection.make_streams()
        return outcomes

    async def _connected(self) -> NatsConnection:
        if self._connection is not None and not self._connection.is_usable:
            await self.aclose()
        if self._connection is None:
            self._connection = await NatsConnection.open(self._address, ca_file=self._ca_file, timeout=self._timeout)
            self._confirmations = NatsConfirmations(self._connection.client)
        return self._connection

    async def _wait(self, connection: NatsConnection) -> None:
        """Wait until all are confirmed or refused, or the connection ends."""
        if self._confirmations.complete.is_set():
            return
        futures: set[asyncio.Future[Any]] = {
            asyncio.ensure_future(connection.closed.wait()),
            asyncio.ensure_future(self._confirmations.complete.wait()),
        }
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in futures:
                future.cancel()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _encoded(message: Message) -> tuple[bytes, dict[str, str]]:
    headers = _BINDING.headers(message)
    headers[_ID] = message.id
    return message.body, headers


_ID = Header.MSG_ID.value


def _not_connected(error: Exception) -> Outcome:
    refused = "authorization" in str(error).lower()  # no class of its own tells a refused password
    return Outcome(verdict=Verdict.PAUSE if refused else Verdict.RETRY, reason=type(error).__name__)
