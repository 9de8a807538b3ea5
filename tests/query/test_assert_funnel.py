"""`assert_funnel` against an emulator, in process, over a socket and from async tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dd_pa import Emitter
from dd_pa.emulator import Emulator
from dd_pa.query import QueryClient, QueryError, events
from dd_pa.testing import assert_funnel
from tests.core.wire import settings
from tests.query.test_docs import BLOCKS

SOURCES = ["in-process", "client"]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Emulator, str]]:
    """Three users sign up; two of them check out, one before."""
    emulator = Emulator()
    with emulator.running() as url:
        with Emitter(settings(intake_url=url, strict=True, shutdown_timeout=30.0, concurrency=1)) as emitter:
            for name, usr in (
                ("checkout.completed", "u-4"),
                ("signup.completed", "u-1"),
                ("signup.completed", "u-2"),
                ("signup.completed", "u-3"),
                ("checkout.completed", "u-1"),
                ("checkout.completed", "u-2"),
            ):
                emitter.track(name, usr=usr)
                assert emitter.flush(60)
        yield emulator, url
    emulator.close()


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, served: tuple[Emulator, str]) -> Iterator[Any]:
    """What is asked."""
    emulator, url = served
    if request.param == "in-process":
        yield emulator
        return
    with QueryClient(settings(intake_url=url)) as client:
        yield client


def test_a_flow_as_it_should_be(source: Any) -> None:
    """Who did only the second step is not counted."""
    found = assert_funnel(source, "signup.completed", "checkout.completed", by="@usr.id", reached=[3, 2])

    assert found.initial_count == 3


def test_a_flow_that_is_broken(source: Any) -> None:
    """Each step's count is shown, and what was expected."""
    with pytest.raises(AssertionError) as caught:
        assert_funnel(source, "signup.completed", "checkout.completed", reached=[3, 3])

    assert str(caught.value).splitlines() == [
        "the funnel by @usr.id was not reached as expected:",
        "  1. signup.completed    3",
        "  2. checkout.completed  2, not 3",
    ]


def test_from_an_async_test(served: tuple[Emulator, str]) -> None:
    """Where a loop runs already."""

    async def test() -> None:
        assert_funnel(served[0], events("signup.completed"), "order.shipped", reached=[3, 0])

    asyncio.run(test())


def test_the_numbers_must_fit_the_steps(served: tuple[Emulator, str]) -> None:
    """Else the test is wrong, not the flow."""
    with pytest.raises(ValueError, match="2 steps, but 1 numbers"):
        assert_funnel(served[0], "a", "b", reached=[1])


def test_an_emulator_that_does_not_answer(served: tuple[Emulator, str]) -> None:
    """Is an error, not a failed assertion."""
    served[0].fail(400, on="query")

    with pytest.raises(QueryError, match="fault on demand"):
        assert_funnel(served[0], "a", "b", reached=[0, 0])


def test_the_chapters_example(served: tuple[Emulator, str]) -> None:
    """Holds."""
    exec(BLOCKS["assert_funnel"], {"emulator": served[0]})  # noqa: S102 - our own chapter
