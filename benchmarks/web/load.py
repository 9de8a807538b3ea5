"""A load generator: requests at a steady rate, however slow the answers: `python -m benchmarks.web.load`."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from benchmarks import child

CONNECTIONS = 4
"""As many as a shop has threads."""


class Connection(NamedTuple):
    """A kept-alive connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def get(self, path: str) -> None:
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await self.reader.readexactly(length)


async def load(port: int, rate: float, seconds: float, path: str = "/") -> list[float]:
    """Return the milliseconds of each request, from when it was due to the end of its answer, in their order."""
    now = asyncio.get_running_loop().time
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
        await connection.get(path)
        free.put_nowait(connection)
    started = now()

    async def timed(due: float) -> float:
        connection = await free.get()
        await connection.get(path)
        free.put_nowait(connection)
        return (now() - due) * 1000

    async with asyncio.TaskGroup() as requests:
        tasks = []
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - now()))
            tasks.append(requests.create_task(timed(due)))
    for connection in [free.get_nowait() for _ in range(CONNECTIONS)]:
        connection.writer.close()
        await connection.writer.wait_closed()
    return [task.result() for task in tasks]


def turn(question: Any) -> list[float]:
    return asyncio.run(load(*question))


if __name__ == "__main__":
    child.take_turns(turn)
