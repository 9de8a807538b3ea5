"""For whom work is done here: requests, jobs and `identify()` blocks, the innermost first.

A thread or task that is started in a request knows that request, and may live on for ever: a pool's, a consumer's. So a
piece of work has an end, and once it is over it acts for nobody, wherever its context was copied to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident
from typing import Any

from dd_pa.capture.person import Identity
from dd_pa.capture.thread_context import THREADS_INHERIT, is_context_of_thread


class Work:
    """A request, a job or a block, from its beginning to its end. It is put in force by being made."""

    __slots__ = ("base", "identity", "is_over", "is_whole", "job", "outer", "seen", "thread")

    def __init__(
        self, *, identity: Identity | None = None, job: Identity | None = None, is_whole: bool = False
    ) -> None:
        self.outer = innermost_work()
        self.identity = identity
        """What a block says, with what it has of the blocks around it; None of a request or job."""

        self.job = job
        """Whom a job was sent for."""

        self.is_whole = is_whole
        """Of a block: nothing else counts, neither its job nor its request."""

        self.seen: dict[Any, Any] | None = None
        """What was found out about its person, once there was an event; of a request."""

        self.is_over = False
        self.base: Work | None = self if identity is None else None if self.outer is None else self.outer.base
        """The request or job that it is part of, perhaps itself."""

        self.thread = get_ident()
        """Which thread began it."""

        _current.set(self)

    @property
    def has_lapsed(self) -> bool:
        """Whether the request or job that it is part of is over."""
        return self.base is not None and self.base.is_over

    def end(self) -> None:
        """Be over everywhere, and put back what was in force before, where this is in force itself.

        It may not be: an abandoned generator is ended by whatever thread collects it.
        """
        self.is_over = True
        self.pause()

    def pause(self) -> None:
        """Put back what was in force before, where this is in force. It goes on with `Steps`."""
        innermost = innermost_work()
        # A block that is open inside of another one outlives it; inside of a request or job, nothing does.
        if innermost is self or (self.identity is None and _is_in(self, innermost)):
            _current.set(self.outer)


_current: ContextVar[Work | None] = ContextVar("dd_pa_work", default=None)


def uninherited_work() -> Work | None:
    """Return the innermost work, unless this thread has it only from the one that started it.

    See `thread_context`. What is run in a context (`copy_context().run(…)`, or by asgiref) works for that one's
    request, in whichever thread.
    """
    work = _current.get()
    if work is None or work.thread == get_ident() or not is_context_of_thread():
        return work
    _current.set(None)
    ended = Work()
    ended.is_over = True
    return ended


innermost_work = uninherited_work if THREADS_INHERIT else _current.get
"""Return the innermost work of this thread or task, over or not; mostly None, which nothing tells at a lower price."""


def _is_in(work: Work, innermost: Work | None) -> bool:
    while innermost is not None:
        if innermost is work:
            return True
        innermost = innermost.outer
    return False


def current_work() -> Work | None:
    """Return the innermost work of this thread or task that is not over, or a request or job that is.

    What is over names nobody, but if a block that is over said no, the block itself is returned.
    """
    work = innermost_work()
    while work is not None and work.is_over and work.identity is not None and work.identity.consent is not False:
        work = work.outer
    return work


def is_request_known() -> bool:
    """Tell whether a request that this thread or task knows is still served, and is what it works for."""
    work = innermost_work()
    base = None if work is None else work.base
    return base is None or not (base.is_over or base.job is not None)


class Steps:
    """Work that is done in steps, such as the chunks of a body: it is in force during them, and not between them.

    Blocks that are open at the end of a step are in force again in the next one.
    """

    __slots__ = ("_innermost", "work")

    def __init__(self, work: Work) -> None:
        self.work = self._innermost = work

    @contextmanager
    def step(self) -> Iterator[None]:
        """Work on; by one thread or task at a time, perhaps inside a step of the same work."""
        before = innermost_work()
        _current.set(self._innermost)
        try:
            yield
        finally:
            innermost = innermost_work()
            if innermost is not None and _is_in(self.work, innermost):
                self._innermost = innermost
                _current.set(before)


def carry() -> None:
    """Keep whoever acts now in force in this context, also when the request is over."""
    work = current_work()
    if work is None or work.has_lapsed:
        return
    base = work.base
    _current.set(None)
    if base is not None:
        Work(job=base.job)
    if work.identity is not None:
        Work(identity=work.identity, is_whole=work.is_whole)
