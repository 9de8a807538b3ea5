"""Whether a thread has its context only from the one that started it: a pool's thread acts for nobody by that.

Without a GIL, and with `-X thread_inherit_context`, a thread begins in a copy of its starter's context: each of a pool
would work for the request that happened to start it, for as long as it lives.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from threading import current_thread

THREADS_INHERIT = bool(getattr(sys.flags, "thread_inherit_context", 0))
"""Whether threads begin in a copy of their starter's context. Without that, a new thread knows of no work at all."""

_mark: ContextVar[object] = ContextVar("dd_pa_thread_mark", default=None)


def is_context_of_thread() -> bool:
    """Tell whether the context in force is the one that this thread began in."""
    own = getattr(current_thread(), "_context", None)  # there is no public way to it, in Python 3.14
    if own is None:
        return False
    mark = object()
    token = _mark.set(mark)
    try:
        return own.get(_mark) is mark
    finally:
        _mark.reset(token)
