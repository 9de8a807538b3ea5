"""A resolver that hangs holds up nothing but what needs its answer."""

from __future__ import annotations

import _thread
import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dd_pa import Emitter
from dd_pa.delivery.look_up_threads import LookUpThreads
from dd_pa.network.event_loop import Loop, close_loop
from tests.core.intakes import settings_for
from tests.waiting import PATIENCE, wait_until

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]


class Resolver:
    """Answers for one name when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.asking, self.go_on = threading.Event(), threading.Event()
        self._system = socket.getaddrinfo

    def __call__(self, host: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in ("localhost", b"localhost"):  # httpx asks in bytes
            return self._system(host, *args, **kwargs)
        self.asked += 1
        self.asking.set()
        if not self.go_on.wait(PATIENCE):
            raise OSError("nobody has told it to go on")
        return list(FOUND)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """Stands for the system's."""
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.go_on.set()


@pytest.fixture
def run() -> Iterator[Callable[[Any], Any]]:
    """Runs a coroutine on a loop as the delivery has it."""
    loop = Loop()
    loop.set_default_executor(LookUpThreads())
    yield loop.run_until_complete
    close_loop(loop)


async def look_up() -> Any:
    return await asyncio.get_running_loop().getaddrinfo("localhost", 443)


def test_others_go_on_meanwhile(run: Callable[[Any], Any], resolver: Resolver) -> None:
    """What the loop does besides is what has the resolver go on."""

    async def main() -> Any:
        looking = asyncio.ensure_future(look_up())
        while not resolver.asking.is_set():
            await asyncio.sleep(0)
        assert not looking.done()
        resolver.go_on.set()
        return await looking

    assert run(main()) == FOUND


def test_who_gives_up_is_not_kept(run: Callable[[Any], Any], resolver: Resolver) -> None:
    """A time-out comes when it is due; who asks again waits for the answer that is under way, on no other thread."""

    async def main() -> Any:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await look_up()
        resolver.go_on.set()
        return await look_up()

    assert run(main()) == FOUND
    assert 1 <= resolver.asked <= 2  # the last one may have come after the answer


def test_what_fails_is_raised_where_it_was_asked(run: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system has it."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    async def main() -> None:
        with pytest.raises(socket.gaierror, match="no such name"):
            await look_up()

    run(main())


def test_without_another_thread_it_is_looked_up_here(
    run: Callable[[Any], Any], resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the interpreter's end, and where there are as many threads as there may be."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    resolver.go_on.set()

    assert run(look_up()) == FOUND


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells the threads that Python forgot")
def test_no_thread_is_left(run: Callable[[Any], Any], resolver: Resolver) -> None:
    """Not one for each process, as a pool would keep."""
    before = len(os.listdir("/proc/self/task"))
    resolver.go_on.set()
    for _ in range(5):
        run(look_up())

    wait_until(lambda: len(os.listdir("/proc/self/task")) <= before)


@pytest.mark.parametrize("transport", ["auto", "httpx"])
def test_the_delivery_ends_while_a_resolver_hangs(resolver: Resolver, transport: str) -> None:
    """Within the time that it has: its thread is not held."""
    emitter = Emitter(settings_for("https://localhost", transport=transport))
    emitter.track("order.placed", usr="u-1")
    assert resolver.asking.wait(PATIENCE)
    thread = next(one for one in threading.enumerate() if one.name == "dd-pa-delivery")

    emitter.close(0.2)

    thread.join(PATIENCE / 2)
    assert not thread.is_alive()
    assert not resolver.go_on.is_set()
