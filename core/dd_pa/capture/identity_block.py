"""Blocks of work for somebody: `with identify(…)`, or on a function."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from dd_pa.capture.function_wrapper import stepwise
from dd_pa.capture.id_text import Id, as_id
from dd_pa.capture.person import DENIED, NOBODY, Identity, within
from dd_pa.capture.work import Steps, Work, current_work
from dd_pa.errors import EventError

__all__ = ["Id", "Identity", "IdentityBlock", "bound_identity", "identify"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def identify(
    *,
    usr: Id | None = None,
    account: Id | None = None,
    session: Id | None = None,
    consent: bool | None = None,
    inherit: bool = True,
) -> IdentityBlock:
    """Link every event tracked in the block, in this thread or task, to these ids.

    Use it as `with identify(…):`, or on a function: plain, async, or a generator. What is left out is inherited from
    outer blocks and then from the request, unless those are about another user; with `inherit=False` from nobody.
    Explicit arguments of `track()` win over the block. `consent=False` drops every event of the block, `True` lets them
    pass without asking CONSENT; a no is inherited always. When the block is over it acts for nobody any more, in tasks
    that it started neither: `dd_pa.jobs.bind` is for those.

    Raises `EventError` for an id that is empty, too long or of another type.
    """
    if consent is not None and not isinstance(consent, bool):
        raise EventError("consent", f"must be True, False or None, not {type(consent).__name__}")
    stated = Identity(
        usr=None if usr is None else as_id("usr", usr),
        account=None if account is None else as_id("account", account),
        session=None if session is None else as_id("session", session),
        consent=consent,
    )
    return IdentityBlock(stated, inherits=inherit)


def bound_identity() -> Identity | None:
    """Return what the innermost `identify()` block of this thread or task says, or the job around it; None without.

    None also where they are over, as in a task that has outlived them.
    """
    work = current_work()
    if work is None or work.is_over:
        return None
    job = None if work.base is None or work.base.is_over or work.is_whole else work.base.job
    found = within(job or NOBODY, work.identity or NOBODY)
    return None if work.identity is None and found == NOBODY else found


class IdentityBlock:
    """A block of work for somebody: once as `with`, or any number of times on functions."""

    __slots__ = ("_inherits", "_stated", "_work")

    def __init__(self, stated: Identity, *, inherits: bool) -> None:
        self._stated = stated
        self._inherits = inherits
        self._work: Work | None = None

    def __enter__(self) -> Identity:
        if self._work is not None:
            raise RuntimeError("an identify() block begins once: call identify() again")
        self._work = self.begun()
        return bound_identity() or NOBODY

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._work is not None:
            self._work.end()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Let each call of a function be a block, and with it the coroutine or generator that it returns."""
        return stepwise(function, lambda: _Call(self), decorator="identify()")

    def begun(self) -> Work:
        """Put the block in force, as a new piece of work."""
        outer = current_work()
        if outer is None or outer.identity is None:
            return Work(identity=self._stated, is_whole=not self._inherits)
        around = DENIED if outer.is_over else outer.identity
        stated = within(around, self._stated, inherits=self._inherits)
        return Work(identity=stated, is_whole=outer.is_whole or not self._inherits)


class _Call:
    """One call of a function that is a block."""

    def __init__(self, block: IdentityBlock) -> None:
        self._block = block
        self._steps: Steps | None = None

    def run(self, step: Callable[..., T], /, *arguments: Any) -> T:
        """Run a part of the call inside of the block."""
        if self._steps is None:
            work = self._block.begun()
            work.pause()
            self._steps = Steps(work)
        with self._steps.step():
            return step(*arguments)

    def end(self) -> None:
        """Let the block be over."""
        if self._steps is not None:
            self._steps.work.end()
