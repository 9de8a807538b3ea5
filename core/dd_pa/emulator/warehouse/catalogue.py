"""Which column of the table holds which facet. Paths are data: only numbers made here become part of SQL."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

MAX_COLUMNS = 400
"""Facets with columns of their own; what is seen later shares one, which is slower to search."""

DOCUMENTED = (
    "type",
    "event.name",
    "application.id",
    "session.id",
    "session.type",
    "usr.id",
    "usr.anonymous_id",
    "usr.name",
    "usr.email",
    "account.id",
    "account.name",
    "service",
    "env",
    "version",
    "view.id",
    "view.name",
    "view.url",
    "view.url_path",
    "view.time_spent",
    "action.id",
    "action.name",
    "action.type",
    "action.target.name",
    "error.message",
    "resource.url",
    "browser.name",
    "os.name",
    "device.type",
    "geo.country",
    "dd_pa.event_id",
    "dd_pa.occurred_at",
)
"""Facets that have a column before any event comes."""


class Place(NamedTuple):
    """Where the values of one facet are."""

    single: str | None
    """Column of events with one value; None when the shared column holds all."""
    several: str | None
    """Column of lists; None as long as no event had several values."""


_SHARED = Place(None, None)


class Catalogue:
    """Grows as events come. One writer adds, any thread looks up."""

    def __init__(self, known: Iterable[tuple[str, int, bool]] = ()) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._listed: set[str] = set()
        self._places: dict[str, Place] = {}
        rows = list(known)
        self.add([row[:2] for row in rows], [row[:2] for row in rows if row[2]])

    def place(self, path: str) -> Place:
        """Return where a facet is; the shared column for one that has none of its own."""
        return self._places.get(path, _SHARED)

    def paths(self) -> list[str]:
        """Return the facets that have columns of their own, in the order in which they were first seen."""
        with self._lock:
            return list(self._numbers)

    def missing(self, facets: Mapping[str, bool]) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """Return (path, number) of the columns to add for these facets: single ones, and lists where True."""
        singles: list[tuple[str, int]] = []
        for path in facets:
            if path not in self._numbers and len(self._numbers) + len(singles) < MAX_COLUMNS:
                singles.append((path, len(self._numbers) + len(singles)))
        numbers = self._numbers | dict(singles)
        lists = [
            (path, numbers[path])
            for path, listed in facets.items()
            if listed and path in numbers and path not in self._listed
        ]
        return singles, lists

    def add(self, singles: Sequence[tuple[str, int]], lists: Sequence[tuple[str, int]]) -> None:
        """Remember columns that are there now."""
        with self._lock:
            self._numbers.update(singles)
            self._listed.update(path for path, _ in lists)
            for path, number in (*singles, *lists):
                self._places[path] = Place(f"f{number:d}", f"l{number:d}" if path in self._listed else None)
