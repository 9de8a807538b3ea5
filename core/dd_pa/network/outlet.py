"""Where the delivery sends events: the seam between the dispatcher and whoever speaks to the network.

An outlet answers with a coroutine (`Outlet`) or by calling back (`DirectOutlet`). A task, a coroutine and its futures
cost more than the rest of the delivery together, so what keeps hundreds of requests in flight over one connection calls
back; what is written for comfort awaits, and `TaskOutlet` makes the first of the second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol, runtime_checkable

from dd_pa.capture.event import BuiltEvent
from dd_pa.network.outcome import Outcome, Verdict

Done = Callable[[Outcome], object]
"""Takes the outcome of one attempt. Call it once, on the loop's thread; from within `start()` is fine."""


class Outlet(Protocol):
    """Sends events, one coroutine each."""

    @property
    def width(self) -> int:
        """Most requests that may be in flight; it may change, and is read before each is sent."""
        ...

    async def send(self, event: BuiltEvent, body: bytes) -> Outcome:
        """Try once to deliver `body`, the event as it is now to be sent; never raises for what the network does."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


@runtime_checkable
class DirectOutlet(Protocol):
    """Sends events, and calls back. Lives on the delivery thread's loop, like the dispatcher."""

    @property
    def width(self) -> int:
        """Most requests that may be in flight; it may change, and is read before each is sent."""
        ...

    def start(self, event: BuiltEvent, body: bytes, done: Done) -> None:
        """Begin one attempt to deliver `body`, and call `done` with its outcome, in `TIMEOUT` at the latest.

        Never blocks. What cannot be begun now (no connection yet, no free stream) waits in the outlet, as part of the
        attempt. What is started in one turn of the loop may leave in one write.
        """
        ...

    async def aclose(self) -> None:
        """End what is in flight (whether `done` is still called for it does not matter) and close connections."""
        ...


def direct(outlet: Outlet | DirectOutlet) -> DirectOutlet:
    """Return the outlet as one that calls back."""
    return outlet if isinstance(outlet, DirectOutlet) else TaskOutlet(outlet)


class TaskOutlet:
    """Calls back for an outlet that awaits, with a task for each attempt."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Outcome]] = set()

    @property
    def width(self) -> int:
        return self._outlet.width

    def start(self, event: BuiltEvent, body: bytes, done: Done) -> None:
        task = self._loop.create_task(self._attempt(event, body))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, done))

    async def _attempt(self, event: BuiltEvent, body: bytes) -> Outcome:
        try:
            return await self._outlet.send(event, body)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # the worst a transport does (a panic is no Exception) must not lose the event
            return Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)

    def _ended(self, done: Done, task: asyncio.Task[Outcome]) -> None:
        self._tasks.discard(task)
        done(Outcome(verdict=Verdict.RETRY, reason="CancelledError") if task.cancelled() else task.result())

    async def aclose(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._outlet.aclose()
