"""Segments: sets of users or accounts that have a name, given in a file or kept by the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dd_pa.emulator.search import tree
from dd_pa.emulator.search.grammar import SearchError, parse_search
from dd_pa.emulator.warehouse.named_file import MAX_NAME, NamedFile

MAX_FILE = 5_000_000
MAX_KEPT = 200
_WAYS = ("users", "accounts", "user_ids", "account_ids")
_FILE = "segments.json"


class SegmentsError(ValueError):
    """A segment, or a file of them, cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Members:
    """A set of users or accounts: found by a search, or listed."""

    kind: str
    """usr or account."""
    search: tree.Node | None = None
    ids: tuple[str, ...] = ()


class _Segment(NamedTuple):
    name: str
    written: Mapping[str, Any]
    members: Members


class KeptSegments:
    """What is given cannot be changed here; what is kept can, and stays in the data folder where there is one.

    Names are ids, whatever case they are written in. Safe to use from any thread.
    """

    def __init__(self, given: Mapping[str, Any] | None = None, folder: Path | None = None) -> None:
        """Raises SegmentsError for a given one that cannot be used."""
        self._given = {name.lower(): _segment(name, written) for name, written in (given or {}).items()}
        path = None if folder is None else folder / _FILE
        self._kept: NamedFile[_Segment] = NamedFile(path, MAX_KEPT, _segment, folded=True)

    def get(self, identity: str) -> Members | None:
        """Return the members of a segment, None if there is no such segment."""
        given, kept = self._given.get(identity.lower()), self._kept.get(identity)
        if given is not None:
            return given.members
        return None if kept is None else kept.kept.members

    def all(self) -> list[dict[str, Any]]:
        """Return all by name: `search` or the `count` of ids, of `users` or `accounts`, and whether it is `given`."""
        found = [(segment, True) for segment in self._given.values()]
        found += [(one.kept, False) for one in self._kept.all() if one.name.lower() not in self._given]
        return [_shown(segment, given=given) for segment, given in sorted(found, key=lambda one: one[0].name.lower())]

    def keep(self, name: object, written: Mapping[str, Any]) -> None:
        """Keep a segment, in place of one of the same name. Raises SegmentsError, NotKeptError and OSError."""
        if isinstance(name, str) and name.strip().lower() in self._given:
            raise SegmentsError(f"{name.strip()} is a segment that the emulator was started with: choose another name")
        self._kept.keep(name, written)

    def forget(self, name: str) -> None:
        """Forget a kept segment; nothing happens if there is none. Raises OSError."""
        self._kept.forget(name)


def load_segments(path: Path) -> dict[str, Any]:
    """Read a file of segments: {id: {"users" or "accounts": search} or {"user_ids" or "account_ids": [id…]}}.

    Raises SegmentsError.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        document = json.loads(content) if len(content) <= MAX_FILE else None
    except OSError as error:
        raise SegmentsError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise SegmentsError(f"{path} is not JSON") from None
    if not isinstance(document, dict):
        raise SegmentsError(f"{path} must hold a JSON object of at most {MAX_FILE:,} bytes")
    return document


def _segment(name: str, segment: object) -> _Segment:
    ways = [way for way in _WAYS if isinstance(segment, dict) and way in segment]
    if not isinstance(segment, dict) or len(ways) != 1:
        raise SegmentsError(f"segment {name[:MAX_NAME]!r} must have exactly one of {', '.join(_WAYS)}")
    way, value = ways[0], segment[ways[0]]
    return _Segment(name, {way: value}, _members(f"{way} of segment {name[:MAX_NAME]!r}", way, value))


def _members(what: str, way: str, value: object) -> Members:
    kind = "usr" if way.startswith("user") else "account"
    if way in ("users", "accounts"):
        if not isinstance(value, str):
            raise SegmentsError(f"{what} must be a search")
        try:
            return Members(kind, parse_search(value))
        except SearchError as error:
            raise SegmentsError(f"{what}, column {error.column + 1}: {error.reason}") from None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise SegmentsError(f"{what} must be an array of strings")
    return Members(kind, ids=tuple(value))


def _shown(segment: _Segment, *, given: bool) -> dict[str, Any]:
    [(way, value)] = segment.written.items()
    of = "users" if way.startswith("user") else "accounts"
    return {"name": segment.name, "of": of, "given": given} | (
        {"search": value} if isinstance(value, str) else {"count": len(value)}
    )
