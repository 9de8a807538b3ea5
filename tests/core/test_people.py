"""A person is one value: what two sources say is put together only where they can be about the same one."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any

import pytest

from dd_pa import Emitter, Identity, bound_identity, identify
from dd_pa.gateways.asgi import ProductAnalyticsMiddleware, request_identity
from dd_pa.jobs import IdentityCarrier, bind
from dd_pa.testing import capture_events
from tests.core.wire import settings

Make = Callable[..., Emitter]


class Weird:
    """A callable object that is async."""

    async def __call__(self) -> str | None:
        await asyncio.sleep(0)
        return usr()


def usr() -> str | None:
    found = bound_identity()
    return None if found is None else found.usr


async def coroutine() -> str | None:
    await asyncio.sleep(0)
    return usr()


def generator() -> Iterator[str | None]:
    yield usr()
    yield usr()


async def async_generator() -> AsyncIterator[str | None]:
    yield usr()
    await asyncio.sleep(0)
    yield usr()


async def _all(steps: AsyncIterator[Any]) -> list[Any]:
    return [(each, usr()) async for each in steps]


KINDS = [
    pytest.param(usr, lambda made: [(made, usr())], id="function"),
    pytest.param(coroutine, lambda made: [(asyncio.run(made), usr())], id="coroutine"),
    pytest.param(Weird(), lambda made: [(asyncio.run(made), usr())], id="async object"),
    pytest.param(partial(coroutine), lambda made: [(asyncio.run(made), usr())], id="partial"),
    pytest.param(lambda *_: coroutine(), lambda made: [(asyncio.run(made), usr())], id="returns a coroutine"),
    pytest.param(generator, lambda made: [(each, usr()) for each in made], id="generator"),
    pytest.param(lambda *_: generator(), lambda made: [(each, usr()) for each in made], id="returns a generator"),
    pytest.param(async_generator, lambda made: asyncio.run(_all(made)), id="async generator"),
]


@pytest.mark.parametrize(("function", "steps"), KINDS)
@pytest.mark.parametrize("decorate", [identify(usr="decorated"), None], ids=["identify", "bind"])
def test_functions_of_every_kind(function: Any, steps: Any, decorate: Any) -> None:
    """Their own code works for the person, at each step; whoever calls them, or looks between two steps, does not."""
    if decorate is None:
        with identify(usr="decorated"):
            decorated = bind(function)
    else:
        decorated = decorate(function)

    for _ in range(2):
        found = steps(decorated())
        assert found
        assert set(found) == {("decorated", None)}


def test_a_bound_coroutine_keeps_its_person() -> None:
    """Also when the block that it was made in is over, where a task of its own does not."""

    async def main() -> list[str | None]:
        with identify(usr="u-1"):
            tasks = [asyncio.create_task(bind(coroutine())), asyncio.create_task(coroutine())]
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(main()) == ["u-1", None]


@pytest.mark.parametrize("decorator", [identify(usr="u-1"), bind], ids=["identify", "bind"])
def test_what_is_no_function_is_refused(decorator: Any) -> None:
    """With the fix."""
    with pytest.raises(TypeError, match=r"is for functions, not for .*: put it on methods, below @classmethod"):
        decorator(Weird)
    with pytest.raises(TypeError, match="is for functions"):
        decorator(classmethod(lambda cls: None))


def test_generators_can_be_sent_to_and_thrown_into() -> None:
    """As without the decorator."""
    seen: list[Any] = []

    @identify(usr="u-1")
    def body() -> Any:
        try:
            seen.append((yield 1))
            yield 2
        except LookupError:
            seen.append(usr())
            yield 3
        finally:
            seen.append(usr())

    steps = body()
    assert (next(steps), steps.send("sent"), steps.throw(LookupError()), list(steps)) == (1, 2, 3, [])
    assert seen == ["sent", "u-1", "u-1"]
    assert usr() is None


def test_a_block_begins_once() -> None:
    """Else it could not say which of its ends is meant."""
    block = identify(usr="u-1")
    with block, pytest.raises(RuntimeError, match="begins once"), block:
        pytest.fail("the block must not begin")


def _rows(user: str) -> Iterator[str | None]:
    with identify(usr=user):
        yield usr()
        yield usr()


def _abandoned() -> None:
    class Keeper:
        pass

    with identify(usr="alice"):
        keeper: Any = Keeper()
        keeper.me, keeper.rows = keeper, _rows("impersonated")
        next(keeper.rows)


def test_an_abandoned_generator_makes_nobody_of_whoever_collects_it() -> None:
    """Its end puts back nothing in a thread that it was never in force in."""
    gc.disable()
    try:
        thread = threading.Thread(target=_abandoned)
        thread.start()
        thread.join()
        with identify(usr="bob"):
            gc.collect()
            found = usr()
    finally:
        gc.enable()

    assert (found, usr()) == ("bob", None)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_blocks_that_end_in_another_order(order: tuple[int, int]) -> None:
    """What is over is in force nowhere, whichever ends first."""
    rows = [_rows("first"), _rows("second")]
    for each in rows:
        next(each)
    for index in order:
        rows[index].close()  # type: ignore[attr-defined]
        assert usr() in ({"first", "second"} - {("first", "second")[index]} if index == order[0] else {None})

    assert usr() is None


def test_who_acts_ends_with_the_request() -> None:
    """A task, and a thread with a copy of the context, act for nobody when the answer has been given."""
    given = settings()
    emitter = Emitter(given, identity=request_identity(given, user_id=lambda scope: scope["user"]))

    async def main() -> None:
        queue: asyncio.Queue[str] = asyncio.Queue()
        started: list[Any] = []
        threads: list[threading.Thread] = []

        async def consumer() -> None:
            while True:
                emitter.track("order.shipped", {"path": await queue.get()})

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if not started:
                started.append(asyncio.create_task(consumer()))
                emitter.track("order.placed")
                threads.append(
                    threading.Thread(target=partial(copy_context().run, emitter.track, "pool.worked", {"n": 1}))
                )
            await queue.put(scope["path"])

        web = ProductAnalyticsMiddleware(app)
        for user in ("alice", "bob"):
            await web({"type": "http", "path": user, "user": user, "headers": []}, None, None)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        threads[0].start()
        threads[0].join()

    with capture_events(emitter) as events:
        asyncio.run(main())

    assert [(event.name, event.usr) for event in events] == [("order.placed", "alice")]
    assert emitter.stats().dropped == {"unlinked": 3}


def test_a_leftover_block_is_not_in_force_in_the_next_request() -> None:
    """A server's thread serves one request after another; what the first one left there says nothing of the second."""
    given = settings()
    emitter = Emitter(given, identity=request_identity(given, user_id=lambda scope: scope["user"]))
    left = _rows("alice")
    next(left)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        emitter.track("page.viewed")

    with capture_events(emitter) as events:
        asyncio.run(
            ProductAnalyticsMiddleware(app)({"type": "http", "user": "bob", "headers": []}, None, None)  # type: ignore[arg-type]
        )
    left.close()  # type: ignore[attr-defined]

    assert [event.usr for event in events] == ["bob"]


@pytest.mark.parametrize("header", [None, False, "1.forged.{}"])
@pytest.mark.parametrize("asks", [{}, {"consent": lambda request: True}, {"respect_gpc": True}])
def test_a_job_without_a_believable_header_is_nobodys(header: Any, asks: Any, make: Make) -> None:
    """Not of whoever was in force in the worker; where an agreement is asked for, it has none unless that is said."""
    emitter = make(job_secret="s3cret", **asks)
    with (
        capture_events(emitter) as events,
        identify(usr="left over"),
        IdentityCarrier(emitter).restored(header, "t", "1"),
    ):
        emitter.track("one")
        emitter.track("two", usr="u-2")
        with identify(consent=True):
            emitter.track("three", usr="u-3")

    named = [(event.name, event.usr) for event in events]
    assert named == ([("three", "u-3")] if asks else [("two", "u-2"), ("three", "u-3")])
    assert emitter.stats().dropped == ({"consent": 2} if asks else {"unlinked": 1})


def test_a_task_that_outlives_its_request_has_no_consent() -> None:
    """Nobody can be asked any more; the request may have said no."""
    given = settings(consent=lambda scope: True)
    emitter = Emitter(given, identity=request_identity(given))
    late: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        late.append(copy_context())
        emitter.track("order.placed", usr="u-1")

    with capture_events(emitter) as events:
        asyncio.run(ProductAnalyticsMiddleware(app)({"type": "http", "headers": []}, None, None))  # type: ignore[arg-type]
        late[0].run(emitter.track, "order.shipped", usr="u-1")

    assert events.names == ["order.placed"]
    assert emitter.stats().dropped == {"consent": 1}


def test_a_whole_person(make: Make) -> None:
    """`identity=` and `identify(inherit=False)` take nothing from anywhere, but a no holds."""
    emitter = make(identity=lambda: Identity(usr="staff", account="office", session="s"))

    def found(**given: Any) -> Any:
        with capture_events(emitter) as events:
            emitter.track("x.y", **given)
        return [(event.usr, event.account, event.session) for event in events]

    assert found(identity=Identity(usr="staff")) == [("staff", None, None)]
    with identify(usr="staff", account="other", inherit=False):
        assert found() == [("staff", "other", None)]
        assert found(identity=Identity(session="t"), account="a") == [(None, "a", "t")]
    with identify(consent=False):
        assert found(identity=Identity(usr="u")) == []
        with identify(usr="u", inherit=False):
            assert found() == []
    assert found(identity=Identity(usr="u", consent=False)) == []
