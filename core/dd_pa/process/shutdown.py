"""The end of the process: whatever delivers in it shares one deadline, however the end comes.

An ordinary exit comes here by `atexit`, SIGTERM by a handler if nobody else handles it, and processes that end in ways
of their own (see `hosts`) call `close_all()`.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Protocol

from dd_pa.process import forks

SLACK = 2.0
"""Seconds beyond the deadline that a handler of SIGTERM waits, at most, for the thread that keeps it.

On a busy machine it may come to run late, and what it says of the lost would be lost too.
"""


class Deliverer(Protocol):
    """Something that has to deliver what waits before the process ends."""

    @property
    def shutdown_timeout(self) -> float:
        """Seconds that this may take."""
        ...

    def hurry(self) -> None:
        """Begin to deliver what waits. Takes no lock, does not block."""
        ...

    def finish(self, deadline: float) -> None:
        """Deliver what waits until `deadline` (`time.monotonic()`) and say what is left; go on afterwards."""
        ...

    def close(self, timeout: float, deadline: float | None = None) -> None:
        """Deliver what waits until `deadline`, then take nothing more and give up the rest."""
        ...


def start_thread(thread: threading.Thread) -> None:
    """Start a thread; raise `RuntimeError` where none can be had, or where the interpreter has come to its end.

    There, finalizers track as well, and a new thread never runs: before Python 3.12, `start()` waits for it for ever.
    """
    if sys.is_finalizing():
        raise RuntimeError("the interpreter ends")
    thread.start()


_open: dict[Deliverer, int] = {}
"""What delivers, and the process it belongs to: a forked child inherits the entries of its parent."""


_ended_in: int | None = None
"""The process that `close_all()` was called in; a forked child is another one."""


def expect(delivering: Deliverer) -> None:
    """Have this finished when the process ends, though it only begins: a signal may come while its modules load."""
    _open[delivering] = forks.generation


def add(delivering: Deliverer) -> None:
    """Have this finished when the process ends: at once, if what does that has been called already.

    An exit function that an application has registered before it imported us runs after ours.
    """
    expect(delivering)
    if _ended_in == forks.generation:
        delivering.close(delivering.shutdown_timeout)


def remove(delivering: Deliverer) -> None:
    """Forget what was closed already."""
    _open.pop(delivering, None)


def _ours() -> list[tuple[Deliverer, float]]:
    """Return what delivers in this process, each with its deadline; all of them hurry from now on."""
    now = time.monotonic()
    ours = [one for one, generation in list(_open.items()) if generation == forks.generation]
    for one in ours:
        one.hurry()
    return sorted(((one, now + one.shutdown_timeout) for one in ours), key=lambda item: item[1])


def close_all() -> None:
    """Close everything that delivers in this process; together they take as long as the one with the most patience."""
    global _ended_in  # noqa: PLW0603 - of the one process
    _ended_in = forks.generation
    for one, deadline in _ours():
        one.close(one.shutdown_timeout, deadline)


# Registered first, so that it runs last: what an application's own exit functions track is delivered too.
atexit.register(close_all)


def handle_sigterm() -> None:
    """Deliver what waits before SIGTERM ends the process, if nothing else handles it.

    Its default action would kill the process at once. Does nothing if there is another handler, or outside of the main
    thread. The process still ends by the signal, and a second one ends it at once.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """Wait while another thread delivers: the frames below may hold any lock, so this one must take none of them."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    patience = max((one.shutdown_timeout for one in list(_open)), default=0.0)
    done, alone = _thread.allocate_lock(), _thread.allocate_lock()
    done.acquire()
    try:
        _thread.start_new_thread(_finish_all, (done, alone))
        done.acquire(timeout=patience + SLACK)
    except RuntimeError:  # no thread to be had
        pass
    except AssertionError:  # gevent's hub may not wait: the greenlet that was started ends the process
        alone.acquire()
        return
    signal.raise_signal(signal.SIGTERM)
    # Still here: the first process of a container, which the default action spares.
    handle_sigterm()


def _finish_all(done: _thread.LockType, alone: _thread.LockType) -> None:
    try:
        for one, deadline in _ours():
            one.finish(deadline)
    finally:
        done.release()
        if alone.locked():
            os.kill(os.getpid(), signal.SIGTERM)


def _forked() -> None:
    """Give a child that may never track anything the default action back."""
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
