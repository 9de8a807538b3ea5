"""Things that were given a name and stay beyond a restart: in memory, and in one file of the data folder."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

MAX_NAME = 100

Kept = TypeVar("Kept")


class NotKeptError(ValueError):
    """It cannot be kept; the text says why."""


class Named(NamedTuple, Generic[Kept]):
    """One of them."""

    name: str
    written: Any
    """As the file has it."""
    kept: Kept


class NamedFile(Generic[Kept]):
    """Keeps them by name, whatever its case where `folded`. Without a path nothing is read or written.

    The file is replaced as a whole. Safe to use from any thread.
    """

    def __init__(
        self, path: Path | None, most: int, understood: Callable[[str, Any], Kept], *, folded: bool = False
    ) -> None:
        """`understood` makes of a name and what is written what is kept; it raises ValueError for anything else."""
        self._path = path
        self._most = most
        self._understood = understood
        self._folded = folded
        self._lock = threading.Lock()
        self._things: Mapping[str, Named[Kept]] = {}
        for name, written in self._read().items():
            try:
                thing = self._named(name, written)
            except ValueError:  # of another version: what is kept next replaces it
                continue
            self._things = {**self._things, self._key(thing.name): thing}

    def _key(self, name: str) -> str:
        return name.lower() if self._folded else name

    def _named(self, name: object, written: Any) -> Named[Kept]:
        if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise NotKeptError(f"name must have 1 to {MAX_NAME} printable characters")
        return Named(name.strip(), written, self._understood(name.strip(), written))

    def _read(self) -> dict[str, Any]:
        if self._path is None or not self._path.is_file():
            return {}
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError):
            return {}

    def all(self) -> list[Named[Kept]]:
        """Return all, by name."""
        return [self._things[key] for key in sorted(self._things)]

    def get(self, name: str) -> Named[Kept] | None:
        """Return one, None where there is none."""
        return self._things.get(self._key(name))

    def keep(self, name: object, written: Any) -> None:
        """Keep one, in place of one of the same name.

        Raises NotKeptError, OSError, and what `understood` raises; nothing is kept then.
        """
        thing = self._named(name, written)
        key = self._key(thing.name)
        with self._lock:
            if key not in self._things and len(self._things) >= self._most:
                raise NotKeptError(f"{self._most} are kept already; delete one")
            self._replace({**self._things, key: thing})

    def forget(self, name: str) -> None:
        """Forget one; nothing happens if there is none. Raises OSError."""
        with self._lock:
            if self._key(name) in self._things:
                self._replace({key: thing for key, thing in self._things.items() if key != self._key(name)})

    def _replace(self, things: Mapping[str, Named[Kept]]) -> None:
        # The file first, so that what cannot be written is not pretended either.
        if self._path is not None:
            beside = self._path.with_suffix(".new")
            beside.write_text(json.dumps({thing.name: thing.written for thing in things.values()}), encoding="utf-8")
            os.replace(beside, self._path)
        self._things = things
