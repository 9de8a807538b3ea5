"""An outlet that awaits is used like one that calls back."""

from __future__ import annotations

import asyncio

import pytest

from dd_pa import BuiltEvent
from dd_pa.network.outcome import DELIVERED, Outcome, Verdict
from dd_pa.network.outlet import TaskOutlet, direct

EVENT = BuiltEvent(id="e" * 32, name="order.placed", occurred_at=0, body=b"{}")


class Awaiting:
    """Answers when it is told to."""

    width = 7

    def __init__(self, failure: BaseException | None = None) -> None:
        self._failure = failure
        self.may_answer = asyncio.Event()
        self.closed = False

    async def send(self, event: BuiltEvent, body: bytes) -> Outcome:
        await self.may_answer.wait()
        if self._failure:
            raise self._failure
        return DELIVERED

    async def aclose(self) -> None:
        self.closed = True


class Panic(BaseException):
    """What a transport written in another language raises."""


def outcomes(failure: BaseException | None = None, *, closes: bool = False) -> list[Outcome]:
    """Return what the adapter calls back with for one attempt."""
    came: list[Outcome] = []

    async def attempt() -> None:
        awaiting = Awaiting(failure)
        outlet = direct(awaiting)
        assert outlet.width == 7
        outlet.start(EVENT, b"{}", came.append)
        await asyncio.sleep(0)
        assert not came
        if not closes:
            awaiting.may_answer.set()
            while not came:
                await asyncio.sleep(0)
        await outlet.aclose()
        assert awaiting.closed

    asyncio.run(attempt())
    return came


def test_the_answer_is_called_back() -> None:
    """Once, and later than the start."""
    assert outcomes() == [DELIVERED]


@pytest.mark.parametrize(
    "failure", [ValueError("x"), Panic(), SystemExit(3)], ids=lambda failure: type(failure).__name__
)
def test_whatever_is_raised_is_an_outcome(failure: BaseException) -> None:
    """Named by its class, as its words may hold anything; neither the loop nor the event is lost."""
    assert outcomes(failure) == [Outcome(verdict=Verdict.RETRY, reason=type(failure).__name__)]


def test_closing_ends_what_is_in_flight() -> None:
    """Nothing outlives the outlet, and nobody waits for what hangs."""
    assert outcomes(closes=True) == [Outcome(verdict=Verdict.RETRY, reason="CancelledError")]


def test_what_calls_back_is_taken_as_it_is() -> None:
    """No layer between."""

    async def wrap() -> None:
        outlet = TaskOutlet(Awaiting())

        assert direct(outlet) is outlet

    asyncio.run(wrap())
