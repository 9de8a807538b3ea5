"""Programs that run Python but fork, end or thread its processes in ways of their own, and what each of them needs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

from dd_pa.process import forks, shutdown

_SAFE_FORKS = frozenset({"lazy", "lazy-apps", "py-call-uwsgi-fork-hooks"})
"""uWSGI's options with which a thread of its master does no harm. Without them Python does not learn of the fork, and
the child waits at its end for threads that it does not have."""

SERVERS = frozenset(
    {"gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress", "mod_wsgi", "cheroot", "gevent.monkey"}
)
"""Modules of programs that answer requests; gevent, as an import in one greenlet would stop all others."""

Say = Callable[[str, str], object]

LAST = -1000
"""Priority among what multiprocessing runs at the end of a child: after everything else."""


def serves() -> bool:
    """Tell whether this process serves requests, or will fork those that do.

    Then it will track events, so what delivers them is loaded before there are any: no request waits for it, and
    workers share the pages of a master that loads the application first. A script, a command or a function in
    somebody's cloud may never track one.
    """
    return _uwsgi is not None or not SERVERS.isdisjoint(sys.modules)


def stalls_at_imports() -> bool:
    """Tell whether an import while events are delivered would stop other greenlets, or miss a fork of uWSGI."""
    return _uwsgi is not None or "gevent.monkey" in sys.modules


def look_around(say: Say) -> None:
    """Adapt to whatever runs this process. Called with the first event, as few of them are to be seen before it."""
    _follow_multiprocessing()
    _follow_celery()
    advise(say)


def advise(say: Say) -> None:
    """Say what the server that runs this process should be configured with; nothing where all is well."""
    if _uwsgi is not None:
        _advise(_uwsgi, say)


def _advise(uwsgi: ModuleType, say: Say) -> None:
    if not _has_threads(uwsgi):
        say(
            "uwsgi",
            "uWSGI runs without threads, so that events wait until the worker ends; "
            "set `enable-threads = true` in its configuration",
        )
    will_fork = uwsgi.masterpid() and not uwsgi.worker_id()
    if will_fork and not _SAFE_FORKS.intersection(uwsgi.opt):
        say(
            "uwsgi forks",
            "an event was tracked before uWSGI forked its workers, which can keep them from ending; "
            "set `py-call-uwsgi-fork-hooks = true` or `lazy-apps = true` in its configuration",
        )


def _follow_multiprocessing() -> None:
    """End in order where a child ends with `os._exit()`, after multiprocessing's own exit functions."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, shutdown.close_all, exitpriority=LAST)


def _follow_celery() -> None:
    """End in order in a child of Celery's prefork pool, which ends with `os._exit()` too."""
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(_celery_child_ends, weak=False, dispatch_uid="dd-pa")


def _celery_child_ends(**details: object) -> None:
    shutdown.close_all()


def _imported_uwsgi() -> ModuleType | None:
    """Return the module that exists inside of uWSGI only."""
    try:
        module = importlib.import_module("uwsgi")
    except ImportError:
        return None
    return module if hasattr(module, "opt") else None


def _has_threads(uwsgi: ModuleType) -> bool:
    known = getattr(uwsgi, "has_threads", None)
    return "enable-threads" in uwsgi.opt or int(uwsgi.opt.get("threads") or 0) > 1 if known is None else bool(known)


def _follow_uwsgi_forks(uwsgi: ModuleType) -> None:
    """Notice uWSGI's forks, which Python's own hooks see only with `py-call-osafterfork`."""
    earlier = getattr(uwsgi, "post_fork_hook", None)

    def forked() -> None:
        forks.forked()
        if earlier is not None:
            earlier()

    setattr(uwsgi, "post_fork_hook", forked)  # noqa: B010 - uWSGI looks for it there; no type knows it


_uwsgi = _imported_uwsgi()
if _uwsgi is not None:
    _follow_uwsgi_forks(_uwsgi)
