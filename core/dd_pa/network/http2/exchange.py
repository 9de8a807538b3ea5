from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Mapping
from typing import NamedTuple

from dd_pa.network.http2.fields import Head
from dd_pa.network.http2.frames import StreamFault
from dd_pa.network.outcome import may_be_page

MAX_ANSWER = 65_536
"""Bytes of an answer's body that are read; the rest is of no use to us."""


class Answer(NamedTuple):
    """What the server said."""

    status: int
    fields: Mapping[str, str]
    """By name in lower case."""
    content: bytes
    """The body of what is no success, or a page, cut."""


class Failure(enum.Enum):
    """Why there is no answer; the value is for people."""

    CONNECT = "ConnectError"
    CONNECT_TIMEOUT = "ConnectTimeout"
    TIMEOUT = "ReadTimeout"
    REFUSED = "RefusedStream"
    """Not processed, though sent again some times."""
    CALM = "EnhanceYourCalm"
    LOST = "ReadError"
    """The connection or the stream ended under the request, which may have been processed."""
    CLOSED = "Closed"
    HTTP1 = "HTTP/1.1"
    """The server speaks no HTTP/2, or wants HTTP/1.1 for this; it has processed nothing."""


Answered = Callable[[Answer | Failure], None]


class Exchange:
    """One request and its answer."""

    __slots__ = ("_answered", "body", "content", "deadline", "head", "read", "refusals", "sent", "window")

    def __init__(self, body: bytes, answered: Answered, deadline: float) -> None:
        self.body, self.deadline = body, deadline
        self._answered = answered
        self.refusals = 0
        self.begin(0)

    def begin(self, window: int) -> None:
        """Make ready for a new stream, on which the peer takes so many bytes."""
        self.window, self.sent, self.read = window, 0, 0
        self.head: Head | None = None
        self.content = b""

    def end(self, result: Answer | Failure) -> None:
        """Have it said what became of the request: in the next turn of the loop, so that nobody is called back into."""
        asyncio.get_running_loop().call_soon(self._answered, result)

    @property
    def unsent(self) -> int:
        """Bytes of the body that are still to be sent."""
        return len(self.body) - self.sent

    def piece(self, size: int) -> bytes:
        """Return the next bytes of the body to send."""
        self.sent += size
        self.window -= size
        return self.body[self.sent - size : self.sent]

    def take_head(self, head: Head, *, last: bool) -> None:
        """Take the fields of an interim answer, the answer, or its trailers (RFC 9113, section 8.1)."""
        if self.head is not None:
            if not last or head.status is not None:
                raise StreamFault
        elif head.status is None or head.status == 101 or (head.status < 200 and last):
            raise StreamFault
        elif head.status >= 200:
            self.head = head

    def take_data(self, data: bytes) -> None:
        """Take a piece of the answer's body."""
        if self.head is None:
            raise StreamFault
        self.read += len(data)
        if (self.head.status or 0) >= 300 or may_be_page(self.head.fields):
            self.content = (self.content + data)[:MAX_ANSWER]

    @property
    def taken(self) -> Answer | None:
        """A success of which only the rest has not come, which would say no more; but for that of a page."""
        head = self.head
        if head is None or (head.status or 300) >= 300 or self.unsent or may_be_page(head.fields):
            return None
        return Answer(head.status or 0, head.fields, b"")

    def result(self, *, whole: bool) -> Answer | Failure:
        """Return what has come; raise `StreamFault` if it contradicts itself."""
        if self.head is None or self.head.status is None:
            raise StreamFault
        length = int(self.head.fields.get("content-length", self.read))
        if whole and length != self.read and self.head.status not in (204, 304):  # these never have a body
            raise StreamFault
        if self.unsent and self.head.status < 300:  # it cannot have taken what it has not seen
            return Failure.LOST
        return Answer(self.head.status, self.head.fields, self.content)
