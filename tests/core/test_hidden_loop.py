"""What asyncio notes by thread is told apart where the delivery is a greenlet among others (`network.event_loop`)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from dd_pa.network.event_loop import Loop, close_loop, yielding


async def chunks() -> AsyncIterator[bytes]:
    yield b"a"
    yield b"b"


def test_async_generators_of_the_delivery_are_none_of_a_loop_that_waits() -> None:
    """It would close them when it ends, which is in the middle of a request."""
    loop, told = Loop(), list[object]()
    before = sys.get_asyncgen_hooks()

    async def deliver() -> None:
        with yielding():  # another greenlet begins a loop of its own, which waits
            sys.set_asyncgen_hooks(firstiter=told.append, finalizer=None)
        answer = chunks()
        async for _ in answer:
            break
        with yielding():
            assert sys.get_asyncgen_hooks().firstiter == told.append
            sys.set_asyncgen_hooks(*before)  # it ends
        await asyncio.sleep(0)
        async for _ in answer:
            pass

    loop.run_until_complete(deliver())
    close_loop(loop)

    assert told == []
    assert sys.get_asyncgen_hooks() == before
