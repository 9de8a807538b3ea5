"""Publishes to a stream of NATS JetStream.

Each event goes with its id, so that the server drops a second one within the stream's duplicate window (two minutes,
unless its operators say otherwise).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.api import Header, PubAck
from nats.js.errors import APIError, NoStreamResponseError

from dd_pa.network.outcome import DELIVERED, Outcome, Verdict
from dd_pa.relay.message import Message, escaped, prefixed
from dd_pa.relay.nats_connection import NatsConnection
from dd_pa.settings.relay_address import RelayAddress

_FULL = "maximum"
"""What the server says of a stream that takes no more (`maximum bytes exceeded`, error 10077)."""


class NatsPublisher:
    """Publishes events, a batch at a time."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float, name: str) -> None:
        self._address, self._ca_file, self._timeout = address, ca_file, timeout
        self._connection: NatsConnection | None = None

    async def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        try:
            connection = await self._connected()
        except (NatsError, OSError) as error:
            return [_not_connected(error)] * len(messages)
        sent: list[asyncio.Future[PubAck] | Outcome] = []
        try:
            for message in messages:
                sent.append(await self._send(connection, message))
                _heed_cancellation()
            await self._wait(_futures(sent), connection)
        except asyncio.CancelledError:  # it has taken too long
            connection.give_up()
            raise
        finally:
            _let_go(_futures(sent))
        return [_outcome(confirmation) for confirmation in sent]

    async def _connected(self) -> NatsConnection:
        if self._connection is not None and not self._connection.is_usable:
            await self.aclose()
        if self._connection is None:
            self._connection = await NatsConnection.open(self._address, ca_file=self._ca_file, timeout=self._timeout)
        return self._connection

    async def _send(self, connection: NatsConnection, message: Message) -> asyncio.Future[PubAck] | Outcome:
        headers = escaped(prefixed("ce-", message.attributes)) | {Header.MSG_ID.value: message.id}
        try:
            return await connection.jetstream.publish_async(connection.subject, message.body, headers=headers)
        except MaxPayloadError:
            detail = "larger than the max_payload of this NATS server"
            return Outcome(verdict=Verdict.REJECT, reason="too_large", detail=detail)
        except Exception as error:  # the connection has ended, or is about to
            return Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)

    async def _wait(self, confirmations: Sequence[asyncio.Future[PubAck]], connection: NatsConnection) -> None:
        """Wait until all are confirmed or refused, or the connection ends."""
        if not confirmations:
            return
        ended = asyncio.ensure_future(connection.closed.wait())
        everything = asyncio.ensure_future(asyncio.wait(confirmations))
        futures: set[asyncio.Future[Any]] = {ended, everything}
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            everything.cancel()
        if any(_says_no_stream(confirmation) for confirmation in confirmations):
            await connection.make_streams()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _heed_cancellation() -> None:
    """Raise what the client has swallowed while it waited for a server that takes nothing."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _futures(sent: Sequence[asyncio.Future[PubAck] | Outcome]) -> list[asyncio.Future[PubAck]]:
    return [confirmation for confirmation in sent if isinstance(confirmation, asyncio.Future)]


def _let_go(confirmations: Sequence[asyncio.Future[PubAck]]) -> None:
    """Have nobody wait for what did not come, nor hear of an error that nobody looked at."""
    for confirmation in confirmations:
        if not confirmation.cancel() and not confirmation.cancelled():
            confirmation.exception()


def _not_connected(error: Exception) -> Outcome:
    refused = "authorization" in str(error).lower()  # no class of its own tells a refused password
    return Outcome(verdict=Verdict.PAUSE if refused else Verdict.RETRY, reason=type(error).__name__)


def _says_no_stream(confirmation: asyncio.Future[PubAck]) -> bool:
    done = confirmation.done() and not confirmation.cancelled()
    return done and isinstance(confirmation.exception(), NoStreamResponseError)


def _outcome(confirmation: asyncio.Future[PubAck] | Outcome) -> Outcome:
    if isinstance(confirmation, Outcome):
        return confirmation
    if not confirmation.done() or confirmation.cancelled():
        return Outcome(verdict=Verdict.RETRY, reason="ConnectionClosedError")
    error = confirmation.exception()
    if error is None:
        return DELIVERED
    full = isinstance(error, APIError) and _FULL in str(error.description)
    return Outcome(verdict=Verdict.LIMIT if full else Verdict.RETRY, reason="full" if full else type(error).__name__)
