from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable, Sequence

from dd_pa.network.http2 import frames
from dd_pa.network.http2.connection import FAREWELL, QUIET, Connection
from dd_pa.network.http2.exchange import Answered, Exchange, Failure
from dd_pa.network.http2.fields import literals

MOST_CONNECTIONS = 8
"""Connections at a time, where the peer allows few requests on each."""

MOST_WAIT = 60.0
"""Longest wait in seconds before one more connection is tried again, while others work."""

REFUSALS = 3
"""Times that a request which the peer has not processed is sent again at once."""

NEXT_ADDRESS = 0.25
"""Seconds after which the next address of the host is tried as well (RFC 8305, "happy eyeballs")."""

HABIT = 500
"""Requests from which on a server's second GOAWAY after as many tells when the next one will come."""


class Origin:
    """Where requests go, over as many connections as they need: mostly one. Lives on one loop."""

    def __init__(
        self, host: str, port: int, fields: Iterable[tuple[str, str]], *, tls: ssl.SSLContext | None, timeout: float
    ) -> None:
        self._host, self._port, self._tls, self._timeout = host, port, tls, timeout
        self._fields = literals(fields)
        self._loop = asyncio.get_running_loop()
        self._all: set[Connection] = set()
        self._usable: list[Connection] = []
        self._waiting: deque[Exchange] = deque()
        self._opening: asyncio.Task[None] | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._busy = False
        self._failures, self._not_before = 0, 0.0
        self._served, self._lifetime = 0, frames.LAST_STREAM
        self._closed = False

    def post(self, body: bytes, answered: Answered) -> None:
        """Send a request; `answered` is called once, later, on the loop."""
        self._waiting.append(Exchange(body, answered, self._loop.time() + 2 * self._timeout))
        if not self._busy:
            self._busy = True
            self._look_after(self._step)
        self.has_room()

    def has_room(self) -> None:
        """Send what waits: a request may fit."""
        while self._waiting:
            connection = next((usable for usable in self._usable if usable.room), None)
            if connection is None:
                if all(usable.full for usable in self._usable):
                    self._open()
                return
            exchange = self._waiting.popleft()
            exchange.deadline = min(exchange.deadline, self._loop.time() + self._timeout)
            connection.send(exchange)
            if connection.begun >= self._lifetime:
                self._open()  # have another one ready

    def unprocessed(self, exchanges: Sequence[Exchange]) -> None:
        """Take back requests that the peer has not processed."""
        for exchange in reversed(exchanges):
            exchange.refusals += 1
            if exchange.refusals > REFUSALS:
                exchange.end(Failure.REFUSED)
            else:
                self._waiting.appendleft(exchange)
        self.has_room()

    def leaves(self, connection: Connection, served: int) -> None:
        """Give a connection no more requests: we end it, or the peer does, after it served so many."""
        if connection in self._usable:
            self._usable.remove(connection)
        if served >= HABIT:
            if abs(served - self._served) <= served // 10:
                self._lifetime = served // 2
            self._served = served

    def _open(self) -> None:
        too_soon = self._usable and (len(self._usable) >= MOST_CONNECTIONS or self._loop.time() < self._not_before)
        if self._opening is None and not self._closed and not too_soon:
            self._opening = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        connection: Connection | None = None
        failure: Failure | None = Failure.CONNECT
        try:
            async with asyncio.timeout(self._timeout):
                connection = await self._dial()
                failure = await connection.ready
        except TimeoutError:
            failure = Failure.CONNECT_TIMEOUT
        except Exception:  # what sockets, TLS and look-ups of names raise is no short list
            failure = Failure.CONNECT
        self._opening = None
        if connection is None or failure or connection.leaving or self._closed:  # it may have ended meanwhile
            if connection is not None:
                connection.close()
            self._failed(failure or Failure.CONNECT)
            return
        self._failures = 0
        worn = [usable for usable in self._usable if usable.begun >= self._lifetime]
        self._usable.insert(0, connection)
        for usable in worn:
            usable.leave()
        self.has_room()

    async def _dial(self) -> Connection:
        secure = self._tls is not None
        _, connection = await self._loop.create_connection(
            lambda: Connection(self, self._fields, self._timeout / 4),
            self._host,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if secure else None,
            ssl_handshake_timeout=self._timeout if secure else None,
            ssl_shutdown_timeout=FAREWELL if secure else None,
            happy_eyeballs_delay=NEXT_ADDRESS,
        )
        self._all.add(connection)
        connection.ended.add_done_callback(lambda _: self._all.discard(connection))
        return connection

    def _failed(self, failure: Failure) -> None:
        self._failures += 1
        if self._usable:
            self._not_before = self._loop.time() + min(MOST_WAIT, 2.0 ** min(self._failures, 16))
            return
        if failure is Failure.CONNECT and self._failures == 1 and self._waiting:
            self._open()  # a server that renews its workers may let an old one take a connection and drop it
            return
        waiting, self._waiting = self._waiting, deque()
        for exchange in waiting:
            exchange.end(failure)

    @property
    def _step(self) -> float:
        """Seconds between two looks."""
        return min(1.0, self._timeout / 20) if self._busy else QUIET / 2

    def _look_after(self, delay: float) -> None:
        if self._clock:
            self._clock.cancel()
        self._clock = self._loop.call_later(delay, self._look)

    def _look(self) -> None:
        """End what takes too long, and ask the silent."""
        self._clock, now = None, self._loop.time()
        for connection in list(self._all):
            connection.look(now)
        late = [exchange for exchange in self._waiting if exchange.deadline <= now]
        self._waiting = deque(exchange for exchange in self._waiting if exchange.deadline > now)
        for exchange in late:
            exchange.end(Failure.TIMEOUT)
        self._busy = bool(self._waiting) or any(connection.busy for connection in self._all)
        if self._busy or self._all:
            self._look_after(self._step)

    async def aclose(self) -> None:
        """Close all connections; what is in flight fails."""
        self._closed = True
        if self._clock:
            self._clock.cancel()
        if self._opening and not (await asyncio.wait([self._opening], timeout=FAREWELL))[0]:
            self._opening.cancel()  # not at once: asyncio forgets a socket that is cancelled just as it is connected
            await asyncio.wait([self._opening])
        self._usable.clear()
        for connection in list(self._all):
            connection.close()
        self._failed(Failure.CLOSED)
        if self._all:
            await asyncio.wait([connection.ended for connection in self._all], timeout=2 * FAREWELL)
