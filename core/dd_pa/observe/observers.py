"""Whether anybody looks at events while they are tracked: a debug panel, a test, a receiver of `event_queued`.

In production nobody does, and then this is the one thing that an event asks.
"""

from __future__ import annotations

present = True
"""False as soon as it is known that this is no test run, until somebody comes."""

_who = {"test run"}


def arrive(name: str) -> None:
    """Have each event looked at from now on."""
    global present  # noqa: PLW0603 - one process, and a flag is the cheapest question that an event can ask
    _who.add(name)
    present = True


def leave(name: str) -> None:
    """Look at no more events, unless for somebody else."""
    global present  # noqa: PLW0603
    _who.discard(name)
    present = False
    if _who:  # asked last: another thread may have arrived meanwhile
        present = True
