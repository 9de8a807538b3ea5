from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulation.disk import Node
from tests.simulation.process import Process


@dataclass(eq=False, kw_only=True)
class Tracked:
    """An event whose `track()` returned an id."""

    id: str
    name: str
    at: float
    process: Process | None
    size: int
    off: float = 0.0
    """Seconds by which the wall clock was wrong."""

    excused: str = ""
    """Why it may be missing."""

    @property
    def is_good(self) -> bool:
        return self.name == "good"


@dataclass(eq=False, kw_only=True)
class Books:
    """What was promised, and what was said about it."""

    tracked: dict[str, Tracked] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[float, float]] = field(default_factory=list)
    """When the wall clock was set, and by how many seconds."""

    rejected: set[str] = field(default_factory=set)
    drop_sizes: list[tuple[float, int]] = field(default_factory=list)
    """For each event that was dropped for want of room, when, and the bytes on disk."""

    damaged: int = 0
    odd_records: int = 0
    aliens: list[tuple[Node, bytes]] = field(default_factory=list)
    """Files of others, and what is in them."""

    ended_scripts: list[tuple[str | None, float]] = field(default_factory=list)
    """Events of short programs, and when those ended."""

    most_track_calls: int = 0
    """Most file operations of one `track()`."""
