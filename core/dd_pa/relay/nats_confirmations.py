"""What a server of NATS says of each message that is published to a stream.

The client's own `publish_async` makes a random subject, a semaphore's turn, a task's time-out and a future for each
message, which costs more than sending it. Here the messages of a connection are numbered, and the answer to each comes
to a subject that ends in its number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError
from nats.js.api import Header

from dd_pa.network.outcome import DELIVERED, Outcome, Verdict

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
