"""A connection to NATS, and the streams of ours that it makes sure of.

The client's own reconnecting is off: it would keep what is published meanwhile in its memory, where the spool is the
place to wait. Whoever uses a connection that has ended makes another one.
"""

from __future__ import annotations

import asyncio
import contextlib

from nats.aio.client import Client
from nats.errors import NoServersError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from dd_pa.network.tls_trust import broker_tls_context
from dd_pa.settings.relay_address import RelayAddress

FAREWELL = 1.0
"""Seconds that a server may take to end a connection; then its end is not waited for."""


class NatsConnection:
    """Connected to one server; made on a loop and used there."""

    def __init__(self, client: Client, address: RelayAddress, closed: asyncio.Event) -> None:
        self.client, self.closed = client, closed
        self.jetstream: JetStreamContext = client.jetstream()
        self.stream, self.dead_stream = address.stream, f"{address.stream}-dead"
        self.subject, self.dead_subject = f"{address.stream}.events", f"{address.stream}.dead"
        self._replicas = address.options.get("replicas", 1)

    @classmethod
    async def open(
        cls, address: RelayAddress, *, ca_file: str | None, timeout: float, make: bool = True
    ) -> NatsConnection:
        """Connect; with `make`, make the streams where they are missing. Raises what the client raises."""
        closed = asyncio.Event()

        last: list[Exception] = []

        async def failed(error: Exception) -> None:
            """Keep errors out of the client's own log: each call that suffers from one raises it."""
            last[:] = [error]

        client = Client()
        connection = cls(client, address, closed)
        try:
            await client.connect(
                address.reveal(),
                allow_reconnect=False,
                max_reconnect_attempts=1,  # 0 would mean for ever
                reconnect_time_wait=0,
                connect_timeout=max(1, int(timeout)),
                error_cb=failed,
                name="dd-pa",
                tls=broker_tls_context(ca_file) if address.is_secure else None,
            )
            connection.watch()
            if make:
                await connection.make_streams()
        except BaseException as error:
            await connection.close()
            if isinstance(error, NoServersError) and last:
                raise last[0] from None  # which says why
            raise
        return connection

    def watch(self) -> None:
        """Notice the end of the connection by that of a task that reads or writes it.

        The client's own callbacks are not called if ending it fails, as it does when a killed server resets it while
        something is left to write.
        """
        for task in (self.client._reading_task, self.client._flusher_task):
            if task is not None:
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.closed.set()
        if not task.cancelled():
            task.exception()  # each call that suffers from it says so

    @property
    def is_usable(self) -> bool:
        return self.client.is_connected and not self.closed.is_set()

    async def make_streams(self) -> None:
        """Make the stream of events, from which each is gone once it is delivered, and that of the dead letters.

        A stream that is there already stays as its operators have configured it.
        """
        await self._make(self.stream, self.subject, RetentionPolicy.WORK_QUEUE)
        await self._make(self.dead_stream, self.dead_subject, RetentionPolicy.LIMITS)

    async def _make(self, name: str, subject: str, retention: RetentionPolicy) -> None:
        try:
            await self.jetstream.stream_info(name)
        except NotFoundError:
            await self.jetstream.add_stream(
                StreamConfig(
                    name=name,
                    subjects=[subject],
                    retention=retention,
                    storage=StorageType.FILE,
                    discard=DiscardPolicy.NEW,  # a full stream refuses what is new, which the spool keeps
                    num_replicas=self._replicas,
                )
            )

    def give_up(self) -> None:
        """Say that nothing more is to be sent here: the server does not answer."""
        self.closed.set()

    async def close(self) -> None:
        """End the connection, and what the client leaves of one that cannot be ended in order.

        It then keeps its socket and the tasks of its subscriptions, and takes itself for closed.
        """
        subscriptions, transport = list(self.client._subs.values()), self.client._transport
        self.closed.set()
        try:
            with contextlib.suppress(Exception):  # it is broken, which is why it is given up
                await asyncio.wait_for(self.client.close(), FAREWELL)
        finally:
            for subscription in subscriptions:
                if subscription._wait_for_msgs_task is not None:
                    subscription._wait_for_msgs_task.cancel()
            writer = getattr(transport, "_io_writer", None)
            if writer is not None:
                writer.transport.abort()
