"""This thread's connection to a database, at a tenth of what Django takes to look one up.

Django asks asyncio on each look whether a loop runs here, which raises and catches an error where none does. Nearly all
that is left of an unchanged row's `save()` would be that.
"""

from __future__ import annotations

import threading
from asyncio import _get_running_loop
from typing import Any
from weakref import ref

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.found: dict[str, ref[BaseDatabaseWrapper]] = {}


_of_thread = _OfThread()


def connection_of(alias: str) -> BaseDatabaseWrapper:
    """Return what `connections[alias]` does. Raises what it raises.

    It is remembered from the first look in a thread on, until one for this alias is opened there. So it must not be
    replaced, in `connections`, by one that is open already while it is open itself.
    """
    if _get_running_loop() is not None:  # each task may have its own
        return connections[alias]
    remembered = _of_thread.found.get(alias)
    found = None if remembered is None else remembered()
    if found is None or found.connection is None:
        found = connections[alias]
        _of_thread.found[alias] = ref(found)
    return found


def _forget(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    _of_thread.found.pop(connection.alias, None)


connection_created.connect(_forget, dispatch_uid="dd_pa_django.database_connection")
