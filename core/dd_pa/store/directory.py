"""The files of one destination. Each step goes through descriptors; what is checked is the file that is open."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from typing import Any

from dd_pa.process import forks

Files = Any
"""The calls of `os` that touch a spool, and nothing else does: tests pass an object that records, counts or fails."""


class Descriptor:
    """A file descriptor that is closed with the last reference to it, so never under a thread that still writes.

    Forked children close theirs at once: a lock belongs to the open file, which they share with the parent, so a child
    that kept it would keep a dead parent's segment locked.
    """

    __slots__ = ("__weakref__", "fd")

    def __init__(self, opened: Callable[[], int]) -> None:
        with forks.held_up:  # else a child could have the descriptor, and its lock, without knowing of it
            self.fd = opened()
            forks.close_in_children(self)

    def lock(self) -> bool:
        """Try to lock the file for this descriptor alone, until it is closed; never waits."""
        return self._lock(fcntl.LOCK_EX)

    def lock_shared(self) -> bool:
        """Try to lock the file against those who want it alone; never waits."""
        return self._lock(fcntl.LOCK_SH)

    def _lock(self, kind: int) -> bool:
        try:
            fcntl.flock(self.fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def stat(self) -> os.stat_result:
        return os.fstat(self.fd)

    def close(self) -> None:
        with forks.held_up:  # else a child could have it open, and no number to close it by
            fd, self.fd = self.fd, -1
            if fd >= 0:
                os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "fd"):  # else it could not be opened
            self.close()


SEGMENT_NAME = re.compile(r"[0-9]{13}-[0-9]+-[0-9a-f]{8}\.seg")
OWN_NAME = re.compile(r"[0-9]{13}-[0-9]+-[0-9a-f]{8}\.(seg|ack|new)")

_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_LISTING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
BLOCK = 4096
"""Bytes that even the smallest file takes."""


class AlienFileError(Exception):
    """A file that is not ours: a link, a pipe, another user's, another format's. It is left alone."""


class Directory:
    """One private directory, open for as long as this object lives."""

    def __init__(self, place: Descriptor, files: Files = os) -> None:
        self.place = place
        self.files = files

    def create(self, name: str) -> Descriptor:
        """Make a new file, mode 0600 whatever the umask, to be read and appended to."""
        created = self._open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        os.fchmod(created.fd, 0o600)
        return created

    def open(self, name: str) -> Descriptor:
        """Open a file of ours for reading. Raises `AlienFileError`, `FileNotFoundError`."""
        return self._checked(self._open(name, os.O_RDONLY))

    def open_or_create(self, name: str) -> Descriptor:
        """Open a file of ours to be read and appended to. Raises `AlienFileError`."""
        opened = self._checked(self._open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT))
        if stat.S_IMODE(opened.stat().st_mode) != 0o600:
            os.fchmod(opened.fd, 0o600)
        return opened

    def open_to_lock(self, name: str, *, create: bool = False) -> Descriptor:
        """Open a file of ours so that it can be locked alone, for which NFS wants it open for writing."""
        opened = self._checked(self._open(name, os.O_RDWR | (os.O_CREAT if create else 0)))
        if create and stat.S_IMODE(opened.stat().st_mode) != 0o600:
            os.fchmod(opened.fd, 0o600)
        return opened

    def _open(self, name: str, flags: int) -> Descriptor:
        try:
            return Descriptor(lambda: self.files.open(name, flags | _FLAGS, 0o600, dir_fd=self.place.fd))
        except (FileExistsError, FileNotFoundError):
            raise
        except OSError as error:
            if self._is_ours(name):
                raise
            raise AlienFileError(name) from error

    def _is_ours(self, name: str) -> bool:
        try:
            _check(self._stat(name), name)
        except FileNotFoundError:
            return True
        except AlienFileError:
            return False
        return True

    def _checked(self, opened: Descriptor) -> Descriptor:
        found = opened.stat()
        if found.st_nlink == 0:  # delivered and removed by a neighbour since it was opened
            raise FileNotFoundError
        _check(found, "")
        return opened

    def _stat(self, name: str) -> os.stat_result:
        found: os.stat_result = self.files.stat(name, dir_fd=self.place.fd, follow_symlinks=False)
        return found

    def names(self) -> list[str]:
        """Return the names of segments, oldest first."""
        return sorted(name for name in self.files.listdir(self.place.fd) if SEGMENT_NAME.fullmatch(name))

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file with a name of ours."""
        return dict(self.walk())

    def walk(self) -> Iterator[tuple[str, int]]:
        """Yield each file with a name of ours and its bytes, in no order, while others come and go."""
        own = Descriptor(lambda: self.files.open(".", _LISTING, dir_fd=self.place.fd))  # whose place nobody else moves
        with self.files.scandir(own.fd) as entries:
            for entry in entries:
                if OWN_NAME.fullmatch(entry.name):
                    with contextlib.suppress(OSError):  # gone meanwhile, or a fault of this one
                        yield entry.name, max(entry.stat(follow_symlinks=False).st_size, BLOCK)

    def holds(self, name: str, opened: Descriptor) -> bool:
        """Tell whether the open file is still the one of that name."""
        try:
            found = self._stat(name)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, opened.stat())

    def has(self, name: str) -> bool:
        """Tell whether there is anything of that name."""
        try:
            self._stat(name)
        except FileNotFoundError:
            return False
        return True

    def rename(self, old: str, new: str) -> None:
        self.files.rename(old, new, src_dir_fd=self.place.fd, dst_dir_fd=self.place.fd)

    def remove(self, name: str, opened: Descriptor) -> None:
        """Unlink the name if it is still the open file's."""
        if self.holds(name, opened):
            with contextlib.suppress(FileNotFoundError):
                self.files.unlink(name, dir_fd=self.place.fd)

    def sync(self) -> None:
        """Have the names survive a loss of power."""
        self.files.fsync(self.place.fd)

    @property
    def free(self) -> tuple[int, int]:
        """Bytes of the file system that are free for us, and in all."""
        found = os.fstatvfs(self.place.fd)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _check(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
        raise AlienFileError(name)
