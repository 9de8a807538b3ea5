"""Files of a spool that cannot be opened, read or removed: a fault ends at its file, and the others go on."""

from __future__ import annotations

import errno
from collections.abc import Callable, Container

FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0
"""Seconds for which a file that fails is left alone."""

OF_THE_DISK = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOLCK}
)
"""Errors that the next file would meet too; all others are taken for those of one file."""


class Troubles:
    """Files that could not be used. Each is left alone for a while that doubles; the others go on."""

    def __init__(self, *, say: Callable[..., None], clock: Callable[[], float]) -> None:
        self._say, self._clock = say, clock
        self._known: dict[str, tuple[int, float]] = {}

    def note(self, name: str, error: OSError) -> int:
        """Note one more failure; return how many that makes. Raises the error again if it is not the file's alone."""
        if error.errno in OF_THE_DISK:
            try:
                raise error
            finally:
                del error  # its traceback has this frame: as a circle they would keep files open, and locked
        return self.leave_alone(name, error)

    def leave_alone(self, name: str, error: OSError) -> int:
        """Note one more failure, of whatever it is; return how many that makes."""
        tries = self._known.get(name, (0, 0.0))[0] + 1
        self._known[name] = tries, self._clock() + min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(tries - 1, 16))
        self._say("spool file", "a file in the spool fails (%s), and is left alone for now: %r", error.strerror, name)
        return tries

    def has(self, name: str) -> bool:
        """Tell whether a file is to be left alone now."""
        return name in self._known and self._clock() < self._known[name][1]

    def over(self, name: str) -> None:
        """Forget the failures of a file that works."""
        self._known.pop(name, None)

    def keep_only(self, names: Container[str]) -> None:
        """Forget files that are gone."""
        for gone in [name for name in self._known if name not in names]:
            del self._known[gone]
