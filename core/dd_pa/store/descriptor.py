from __future__ import annotations

import fcntl
import os

from dd_pa import forks


class Descriptor:
    """A file descriptor that is closed with the last reference to it, so never under a thread that still writes.

    Forked children close theirs at once: a lock belongs to the open file, which they share with the parent, so a child
    that kept it would keep a dead parent's segment locked.
    """

    __slots__ = ("__weakref__", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
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

    def stat(self) -> os.stat_result:
        return os.fstat(self.fd)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()
