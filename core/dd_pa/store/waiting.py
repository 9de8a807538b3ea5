"""What of one application waits in the spool, seen from outside of those who use it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dd_pa.store.dead_letters import entries
from dd_pa.store.deliverer_lock import NAME
from dd_pa.store.destination import Destination
from dd_pa.store.directory import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A look at one application's directory."""

    bytes: int
    """On disk, whoever wrote them."""

    segments: int
    """Files that hold events, delivered ones not yet removed among them."""

    oldest: int | None
    """When the oldest segment was begun, in epoch milliseconds."""

    rejected: int
    """Dead letters."""

    is_delivered: bool
    """Whether a `dd-pa deliver` runs."""

    path: str
    """The directory."""

    @property
    def age(self) -> float | None:
        """Seconds since the oldest segment was begun; None if there is none."""
        return None if self.oldest is None else max(0.0, time.time() - self.oldest / 1000)


def look_into(destination: Destination) -> Waiting:
    """Look, and make the directory if it is missing. Raises `UnsafePlaceError`, `AlienFileError`, `OSError`."""
    directory = destination.directory()
    names = directory.names()
    return Waiting(
        bytes=sum(directory.sizes().values()),
        segments=len(names),
        oldest=int(names[0][:13]) if names else None,
        rejected=sum(1 for _ in entries(destination.rejected())),
        is_delivered=_is_delivered(directory),
        path=destination.path,
    )


def _is_delivered(directory: Directory) -> bool:
    return not directory.open_or_create(NAME).lock_shared()  # let go at once: nobody keeps the descriptor
