from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class RelayLetter(NamedTuple):
    """A message that will never be delivered as it is."""

    id: str
    """The event's id, or what the broker calls a message without one."""

    name: str
    reason: str
    detail: str
    rejected_at: int
    """Epoch milliseconds; 0 if it does not say."""

    body: bytes


class RelayCounts(NamedTuple):
    """What is on the broker."""

    waiting: int
    """Messages that nobody has claimed."""

    claimed: int | None
    """Messages that a deliverer holds now, or held when it died; None where the broker does not tell."""

    rejected: int
    """Dead letters."""


class RelayLetters(Protocol):
    """The dead letters of a broker, and what else it holds. Blocks; raises whatever the client raises."""

    def counts(self) -> RelayCounts:
        """Count the messages."""
        ...

    def letters(self) -> Iterator[RelayLetter]:
        """Look at the dead letters, oldest first, and leave them where they are."""
        ...

    def replay(self, ids: Sequence[str]) -> int:
        """Have dead letters delivered again: those with these ids, or all if there are none; return how many."""
        ...

    def purge(self, ids: Sequence[str]) -> int:
        """Forget dead letters: those with these ids, or all if there are none; return how many."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
