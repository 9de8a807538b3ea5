"""Functions of every kind, wrapped so that their code, and none between its steps, runs where a runner says.

A coroutine or generator runs long after the call that made it, in whatever thread or task goes on with it.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Runner(Protocol):
    """Where one call runs."""

    def run(self, step: Callable[..., T], /, *arguments: Any) -> T:
        """Run a part of the call."""
        ...

    def end(self) -> None:
        """Learn that the call is over."""
        ...


MakeRunner = Callable[[], Runner]


def stepwise(function: Callable[P, R], runner: MakeRunner, *, decorator: str) -> Callable[P, R]:
    """Wrap a function, coroutine function, generator function or async generator function, and stay of its kind.

    A plain function may return a coroutine or generator all the same, which is wrapped then. Classes are refused.
    """
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"{decorator} is for functions, not for {function!r}: put it on methods, below @classmethod")
    return cast("Callable[P, R]", functools.wraps(function)(_wrapper(function, runner)))


def _wrapper(function: Callable[..., Any], runner: MakeRunner) -> Callable[..., Any]:
    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            return await awaited(function(*args, **kwargs), runner())

        return coroutine
    if inspect.isgeneratorfunction(function) or inspect.isgeneratorfunction(called):

        def generator(*args: Any, **kwargs: Any) -> Any:
            return (yield from _driven(function(*args, **kwargs), runner()))

        return generator
    if inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(called):
        return _async_generator(function, runner)

    def plain(*args: Any, **kwargs: Any) -> Any:
        return _called(functools.partial(function, *args, **kwargs), runner)

    return plain


def _called(call: Callable[[], Any], runner: MakeRunner) -> Any:
    run = runner()
    try:
        made = run.run(call)
    finally:
        run.end()
    if inspect.iscoroutine(made):
        return awaited(made, runner())
    if inspect.isgenerator(made):
        return _driven(made, runner())
    return _async_generator(lambda: made, runner)() if inspect.isasyncgen(made) else made


def _driven(steps: Any, runner: Runner) -> Generator[Any, Any, Any]:
    """Go through the steps of a generator, or of whatever else can be sent to and thrown into."""
    step: Callable[[Any], Any] = steps.send
    argument: Any = None
    try:
        while True:
            try:
                made = runner.run(step, argument)
            except StopIteration as stop:
                return stop.value
            try:
                step, argument = steps.send, (yield made)
            except GeneratorExit:
                runner.run(steps.close)
                raise
            except BaseException as error:
                step, argument = steps.throw, error
    finally:
        runner.end()


@types.coroutine
def _awaited(steps: Any, runner: Runner) -> Generator[Any, Any, Any]:
    return (yield from _driven(steps, runner))


async def awaited(coroutine: Coroutine[Any, Any, R], runner: Runner) -> R:
    """Await a coroutine where a runner says."""
    made: R = await _awaited(coroutine, runner)
    return made


class _Step:
    """The runner of one of several awaits of a call."""

    def __init__(self, runner: Runner) -> None:
        self.run = runner.run

    def end(self) -> None:
        """The call goes on."""


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], runner: MakeRunner
) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = runner()
        generator = function(*args, **kwargs)
        step: Callable[[Any], Any] = generator.asend
        argument: Any = None
        try:
            while True:
                try:
                    made = await _awaited(step(argument), _Step(call))
                except StopAsyncIteration:
                    return
                try:
                    step, argument = generator.asend, (yield made)
                except GeneratorExit:
                    raise
                except BaseException as error:
                    step, argument = generator.athrow, error
        finally:
            await _awaited(generator.aclose(), _Step(call))
            call.end()

    return async_generator
