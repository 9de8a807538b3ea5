from __future__ import annotations

import hashlib
import os
import threading

from dd_pa.store.directory import Directory, Files
from dd_pa.store.record import Header
from dd_pa.store.trusted_directory import open_place, open_room, spool_path

REJECTED, JANITOR = "rejected", "janitor"
"""Directories in a destination's: of the dead letters, and of the one process that keeps order."""


class Destination:
    """Where the events of one application and intake wait: a directory of their own in the spool."""

    def __init__(self, setting: str, application_id: str, intake: str, files: Files = os) -> None:
        self._setting = setting
        self.application_id = application_id
        self.intake = intake
        self._files = files
        self._opening = threading.RLock()
        self._directory: Directory | None = None
        self._janitor: Directory | None = None

    @property
    def name(self) -> str:
        """Name of the directory. The key is no part of it: a new key releases what waited under the old one."""
        return hashlib.sha256(f"dd-pa spool\n{self.application_id}\n{self.intake}".encode()).hexdigest()[:16]

    @property
    def path(self) -> str:
        """Absolute path of the directory. Raises `UnsafePlaceError` if the user has no home to put it in."""
        return f"{spool_path(self._setting)}/{self.name}"

    def is_ours(self, header: Header) -> bool:
        return (header.application_id, header.intake) == (self.application_id, self.intake)

    @property
    def opened(self) -> Directory | None:
        """The directory, if it was needed yet."""
        return self._directory

    def directory(self) -> Directory:
        """Return the directory, made if it is missing or was removed. Raises `UnsafePlaceError`, `OSError`."""
        with self._opening:
            if self._directory is None or self._directory.place.stat().st_nlink == 0:
                path = spool_path(self._setting)
                self._directory = Directory(open_room(open_place(path), self.name, path), self._files)
                self._janitor = None
            return self._directory

    def rejected(self) -> Directory:
        """Return the directory of the dead letters, made if it is missing."""
        directory = self.directory()
        return Directory(open_room(directory.place, REJECTED, self.name), self._files)

    def room_of_the_janitor(self) -> Directory:
        """Return the directory of the janitor's files, made if it is missing; the same one until it is removed."""
        directory, room = self.directory(), self._janitor
        if room is None or room.place.stat().st_nlink == 0:
            room = self._janitor = Directory(open_room(directory.place, JANITOR, self.name), self._files)
        return room
