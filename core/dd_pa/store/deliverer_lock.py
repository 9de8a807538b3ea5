from __future__ import annotations

import os

from dd_pa.settings.settings import Settings
from dd_pa.store.destination import Destination
from dd_pa.store.directory import Descriptor

NAME = "deliver.lock"


class AlreadyRunningError(Exception):
    """Another process delivers for the same application and intake; the message names it."""


def lock_deliverer(settings: Settings) -> Descriptor:
    """Make sure that no other `dd-pa deliver` runs for the settings, for as long as the result is open.

    Raises `AlreadyRunningError`, `UnsafePlaceError`, `OSError`.
    """
    destination = Destination(str(settings.spool_dir), settings.application_id, settings.destination)
    lock = destination.directory().open_or_create(NAME)
    if not lock.lock():
        owner = os.pread(lock.fd, 20, 0).decode("ascii", "replace")
        raise AlreadyRunningError(f"another dd-pa deliver runs for this application (process {owner!r})")
    os.ftruncate(lock.fd, 0)
    os.write(lock.fd, str(os.getpid()).encode())
    return lock
