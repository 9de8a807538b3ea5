from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from dd_pa.capture.event import BuiltEvent


class Source(Protocol):
    """Where the delivery takes events from. All but the properties is the delivery thread's, and must not block."""

    @property
    def patience(self) -> float | None:
        """Seconds that the delivery thread may sleep when all is quiet; None: until it is woken."""
        ...

    @property
    def durable(self) -> bool:
        """Whether everything that waits now would survive the end of the process."""
        ...

    @property
    def recalls(self) -> int:
        """Another number than before: `hand_back` is to be asked about all that failed and wait."""
        ...

    def take(self, limit: int) -> list[BuiltEvent]:
        """Hand up to `limit` events to the delivery thread."""
        ...

    def age(self, event: BuiltEvent) -> float | None:
        """Return the seconds since a taken event was tracked, whatever the wall clock shows; None: it is not known."""
        ...

    def settle(self, event: BuiltEvent) -> None:
        """Forget a taken event: it was delivered or dropped."""
        ...

    def reject(self, event: BuiltEvent, reason: str, detail: str) -> bool:
        """Settle a taken event that will never be delivered; a durable store sets it aside first.

        Returns False if that cannot be done now: the event stays as it is, and the caller comes back with it.
        """
        ...

    def hand_back(self, event: BuiltEvent) -> bool:
        """Forget a taken event, and return True, if it is not this process's to deliver any more.

        Another process may be able to, or its room was needed, which is counted then. Asked for events that failed and
        are not in flight.
        """
        ...

    def reclaim(self) -> None:
        """Take nothing as taken any more; for a delivery that starts again."""
        ...

    def tend(self) -> None:
        """Do what is due from time to time. Called at each look of the delivery thread, so mostly does nothing."""
        ...

    def mark(self) -> Any:
        """Return, on any thread, a mark that lies behind every event put so far; see `passed`."""
        ...

    def passed(self, mark: Any) -> bool:
        """Tell whether every event put before the mark has been settled."""
        ...

    @property
    def waiting(self) -> int:
        """Number of events that could be taken now; for segments of other processes, at least 1 if there are any."""
        ...

    @property
    def pending(self) -> int:
        """Number of events that this process put or took, and that are not settled."""
        ...


class Store(Source, Protocol):
    """Where the events of this process wait. Any thread puts and asks."""

    def put(self, event: BuiltEvent) -> bool:
        """Keep an event; return False if it was dropped (and reported) instead."""
        ...

    def put_first(self, events: Sequence[BuiltEvent]) -> int:
        """Keep as many events as can be kept by one call of the system; return how many. The rest is to be `put`."""
        ...

    @property
    def balance(self) -> int:
        """Events put here and handed to other processes, less events of others that were taken or dropped here."""
        ...

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        ...

    def oldest(self) -> int | None:
        """Return about when the oldest unsettled event occurred, in epoch milliseconds."""
        ...

    def drain(self) -> list[BuiltEvent]:
        """Remove and return every event that would be lost with the process; for its end."""
        ...

    def keep(self, event: BuiltEvent) -> bool:
        """Keep an event that comes after `close()` for another process; return whether that was possible."""
        ...

    def close(self) -> None:
        """Release files and locks. The delivery thread must have ended."""
        ...
