"""The way to a broker, as a small TCP proxy that cuts all connections, or lets them hang."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 1 << 16


class Links:
    """Listens on a port of its own; `cut()` and `stall()` are for any thread."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[Links]:
        """Forward while the block lasts."""
        listening = threading.Event()
        thread = threading.Thread(target=self._run, args=(listening,))
        thread.start()
        try:
            listening.wait()
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    def _run(self, listening: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._flows.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.port = int(server.sockets[0].getsockname()[1])
        listening.set()
        self._loop.run_forever()
        server.close()
        self._cut()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def cut(self) -> None:
        """End all connections at once, with a reset on both sides."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def stall(self, seconds: float) -> None:
        """Carry nothing for a while; connections stay, and new ones are taken."""

        def begin() -> None:
            self._flows.clear()
            self._loop.call_later(seconds, self._flows.set)

        self._loop.call_soon_threadsafe(begin)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind, ahead = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, ahead}
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self._carry(reader, ahead), self._carry(behind, writer))
        self._writers -= {writer, ahead}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
