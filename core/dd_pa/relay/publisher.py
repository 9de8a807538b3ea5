"""Publishes what the spool hands out, in batches: the outlet that a broker is."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from dd_pa.capture.event import BuiltEvent
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.network.outlet import Done
from dd_pa.relay.cloud_event import Message, Messages

BATCH = 250
"""Most events of one batch. One is on its way at a time, so that events keep their order."""


class Publisher(Protocol):
    """Publishes on the loop of the delivery thread. It connects when it is needed, and again when it must."""

    async def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Publish a batch, and return what became of each once the broker has confirmed it.

        May raise whatever the client raises: then all of them are tried again. Cancelled when it takes too long.
        """
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...


class RelayOutlet:
    """Hands events to a broker; delivered is what the broker has confirmed."""

    width = 2 * BATCH  # one that is on its way, and one that is ready when it is confirmed

    def __init__(self, publisher: Publisher, *, application_id: str, timeout: float) -> None:
        self._publisher, self._timeout = publisher, timeout
        self._messages = Messages(application_id)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Message, Done]] = deque()
        self._task: asyncio.Task[None] | None = None

    def start(self, event: BuiltEvent, body: bytes, done: Done) -> None:
        """Take an event; what comes in one turn of the loop leaves together."""
        self._waiting.append((self._messages.of(event, body), done))
        if self._task is None:
            self._task = self._loop.create_task(self._publish_all())

    async def _publish_all(self) -> None:
        try:
            while self._waiting:
                batch = list(islice(self._waiting, BATCH))
                outcomes = await self._publish([message for message, _ in batch])
                for (_, done), outcome in zip(batch, outcomes, strict=True):
                    self._waiting.popleft()
                    done(outcome)
        finally:
            self._task = None

    async def _publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._publisher.publish(messages)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # whatever a client does, the events stay in the spool
            return [Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)] * len(messages)

    async def aclose(self) -> None:
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._publisher.aclose()
