"""What goes wrong with files: which call, on which file, when, and how often."""

from __future__ import annotations

import errno
import random
import re
from dataclasses import dataclass, field

from tests.simulation.disk import Node

WRITING = frozenset({"write", "create", "rename", "mkdir", "unlink", "truncate"})
READING = frozenset({"open", "read", "listdir", "stat", "lock"})
ALL = WRITING | READING | {"sync"}


@dataclass(eq=False, kw_only=True)
class FileFault:
    """One disturbance."""

    calls: frozenset[str]
    error: int
    name: re.Pattern[str] = re.compile("")
    """Which files, by path."""

    node: Node | None = None
    """Only this file."""

    beyond: int = 0
    """Reading fails from this offset on."""

    chance: float = 1.0
    begins: float = 0.0
    ends: float = float("inf")

    def strikes(self, call: str, path: str, node: Node | None, at: int, now: float, draws: random.Random) -> bool:
        """Tell whether it strikes a call."""
        return (
            call in self.calls
            and self.begins <= now < self.ends
            and (self.node is None or self.node is node)
            and (call != "read" or at >= self.beyond)
            and self.name.search(path) is not None
            and draws.random() < self.chance
        )


@dataclass(kw_only=True)
class FileFaults:
    """Everything that is wrong with the disk."""

    draws: random.Random
    faults: list[FileFault] = field(default_factory=list)
    struck: int = 0
    """How many calls failed because of them."""

    def check(self, call: str, path: str, node: Node | None, at: int, now: float) -> int:
        """Return the error that a call fails with, or 0."""
        for fault in self.faults:
            if fault.strikes(call, path, node, at, now, self.draws):
                self.struck += 1
                return fault.error
        return 0

    def heal(self, *, keep_bad_files: bool) -> None:
        """End what is wrong; single bad files may stay so."""
        self.faults = [fault for fault in self.faults if keep_bad_files and fault.node is not None]

    def broken(self) -> list[Node]:
        """Return the files that cannot be read."""
        return [fault.node for fault in self.faults if fault.node is not None and fault.calls & {"open", "read"}]


ERRORS = {"eio": errno.EIO, "eacces": errno.EACCES, "emfile": errno.EMFILE, "enolck": errno.ENOLCK}
