from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulation.disk import Opening


@dataclass(eq=False, kw_only=True)
class Process:
    """A simulated process, as the kernel sees it."""

    name: str
    pid: int
    alive: bool = True
    generation: int = 0
    """How many forks it is away from the first process; see `dd_pa.process.forks`."""

    began_at: float = 0.0
    stalled_until: float = 0.0
    descriptors: dict[int, Opening] = field(default_factory=dict)
    dies_after: int | None = None
    """It is killed at the call after so many more; None: it lives."""

    died_at: float = float("inf")
    calls: int = 0
    """File operations so far."""

    failed_calls: int = 0
    most_work: int = 0
    """Most file operations in one turn of a loop."""

    wakes: int = 0
    """How often a loop of it woke."""

    most_open: int = 0
    """Most descriptors at once."""
