"""Publishes to a stream of NATS JetStream.

Each event goes with its id, so that the server drops a second one within the stream's duplicate window (two minutes,
unless its operators say otherwise).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from nats.errors import Error as NatsError
from nats.js.api import Header

from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.relay.cloud_event import Binding, Message, escaped
from dd_pa.relay.nats_confirmations import NO_STREAM, NatsConfirmations
from dd_pa.relay.nats_connection import NatsConnection
from dd_pa.settings.relay_address import RelayAddress

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
