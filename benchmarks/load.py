"""A load generator: requests at a steady rate, however slow the answers: `python -m benchmarks.load`."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import NamedTuple

from benchmarks import child

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CONNECTIONS = 8


class Connection(NamedTuple):
    """A kept-alive connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def get(self) -> None:
        self.writer.write(REQUEST)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await self.reader.readexactly(length)


async def load(port: int, rate: float, seconds: float) -> list[float]:
    """Return the seconds of each request, with the wait for a free connection."""
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
        await connection.get()
        free.put_nowait(connection)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as requests:
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            tasks.append(requests.create_task(_timed(free)))
    return [task.result() for task in tasks]


async def _timed(free: asyncio.LifoQueue[Connection]) -> float:
    started = time.perf_counter()
    connection = await free.get()
    await connection.get()
    taken = time.perf_counter() - started
    free.put_nowait(connection)
    return taken


if __name__ == "__main__":
    child.answer(asyncio.run(load(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))))
