"""Notices that this process is a forked child, at no cost to those who ask.

Asking for the process id is a system call, which would be the dearest part of `track()` in a sandbox.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import Protocol

generation = 0
"""Differs between a process and the children it forks."""


held_up = threading.RLock()
"""No fork comes while a thread has this: for steps of which a child must see both or none. Never held for long."""


loading = threading.RLock()
"""No fork comes while a thread has this: for the import of what the delivery needs. A child whose parent forked in the
midst of it would wait for ever for the import's lock, or for OpenSSL's."""

LOADING = 20.0
"""Seconds that a fork waits for that at most: a module that forks while it is imported may be what is waited for."""


class Closable(Protocol):
    """Something that a forked child must not keep."""

    def close(self) -> None:
        """Close it in this process only; called in the child, where no other thread exists."""
        ...


_has_waited = False
_inherited: dict[int, weakref.ref[Closable]] = {}


def close_in_children(resource: Closable) -> None:
    """Have `resource.close()` called in each forked child, as the first thing there."""
    key = id(resource)
    _inherited[key] = weakref.ref(resource, lambda _: _inherited.pop(key, None))


def forked() -> None:
    """Note that this process is a child now; for forks that Python does not see. Takes no lock, logs nothing."""
    global generation, held_up, loading  # noqa: PLW0603 - the one thing a fork hook may safely do
    generation += 1
    held_up, loading = threading.RLock(), threading.RLock()  # a thread that is not here may hold the parent's
    for reference in list(_inherited.values()):
        resource = reference()
        if resource is not None:
            with contextlib.suppress(OSError):
                resource.close()


def _before() -> None:
    global _has_waited  # noqa: PLW0603 - set under the lock
    waited = loading.acquire(timeout=LOADING)
    held_up.acquire()
    _has_waited = waited


def _after_in_parent() -> None:
    waited = _has_waited
    held_up.release()
    if waited:
        loading.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=forked)
