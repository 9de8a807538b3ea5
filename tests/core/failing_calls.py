"""Calls of the system that fail: any of them, with any error, once or for a while."""

from __future__ import annotations

import fcntl
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("open", "write", "pwrite", "pread", "rename", "unlink", "listdir", "scandir", "stat", "fsync", "fdatasync")
NAMES_TOO = ("fstat", "fchmod", "fstatvfs", "mkdir", "chmod")


class FailingCalls:
    """Counts what the thread that made it calls while `counting()`, and fails some of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        """What was called, in order."""

        self._fails: range = range(0)
        self._error = 0
        self._only: tuple[str, ...] = ()
        self._thread, self._counts = threading.get_ident(), False
        for name in (*NAMES, *NAMES_TOO):
            patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        patch.setattr(fcntl, "flock", self._wrapped("flock", fcntl.flock))

    def fail(self, first: int, count: int, error: int, only: tuple[str, ...] = ()) -> None:
        """Fail so many calls, from one on; of these names only, if any are given."""
        self._fails, self._error, self._only, self.made = range(first, first + count), error, only, []

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Have calls counted, and failed."""
        self._counts = True
        try:
            yield
        finally:
            self._counts = False

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        def call(*args: Any, **options: Any) -> Any:
            if self._counts and threading.get_ident() == self._thread and name in (self._only or (name,)):
                self.made.append(name)
                if len(self.made) - 1 in self._fails:
                    raise OSError(self._error, os.strerror(self._error))
            return real(*args, **options)

        return call
