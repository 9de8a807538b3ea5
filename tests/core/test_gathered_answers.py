"""At a steady rate answers are looked at together, at the next look at the store; whoever waits is not kept waiting."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from dd_pa import Emitter
from dd_pa.delivery import alarm
from dd_pa.network.event_loop import Loop, close_loop
from tests.core.intakes import RawIntake, accept, settings_for


@pytest.mark.parametrize(("gathers", "order"), [(False, "12TU"), (True, "1T2U")], ids=["at once", "gathered"])
def test_what_comes_waits_for_the_next_timer(gathers: bool, order: str) -> None:
    """The second byte is sent as the first is read, and the timers T and U are due later."""
    seen: list[str] = []
    loop, over = Loop(), asyncio.Event()
    ones, twos = socket.socketpair(), socket.socketpair()

    def first() -> None:
        seen.append(ones[0].recv(1).decode())
        twos[1].send(b"2")

    async def talk() -> None:
        loop.add_reader(ones[0], first)
        loop.add_reader(twos[0], lambda: seen.append(twos[0].recv(1).decode()))
        ones[1].send(b"1")
        loop.call_later(0.1, seen.append, "T")
        loop.call_later(0.2, seen.append, "U")
        loop.call_later(0.3, over.set)
        loop.gathers = gathers
        await over.wait()

    loop.run_until_complete(talk())
    close_loop(loop)
    for end in (*ones, *twos):
        end.close()

    assert "".join(seen) == order


def test_another_thread_is_heard_at_once() -> None:
    """Else a flush would wait for the timer."""
    loop, called = Loop(), asyncio.Event()

    async def wait() -> None:
        timer = loop.call_later(3_600, called.set)
        loop.gathers = True
        threading.Thread(target=loop.call_soon_threadsafe, args=(called.set,)).start()
        await called.wait()
        timer.cancel()

    loop.run_until_complete(wait())
    close_loop(loop)


def test_a_flush_waits_for_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """However far away the next one is: neither what was tracked last nor its answer is gathered."""
    monkeypatch.setattr(alarm, "TICK", 3_600.0)
    intake = RawIntake(accept)
    with intake.running():
        emitter = Emitter(settings_for(intake.url))
        for number in range(5):
            emitter.track("gathered", {"number": number}, usr="u-1")
            assert emitter.flush(30)
        emitter.close()

    assert len(intake.posts) == 5
