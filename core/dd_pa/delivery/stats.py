from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dd_pa.delivery.worker import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What became of the events of this process so far."""

    queued: int
    """Events that `track()` accepted: delivered, rejected, pending, or dropped later."""

    delivered: int
    """Events that the intake took (2xx)."""

    retried: int
    """Attempts that failed and are, or were, followed by another."""

    rejected: int
    """Events that the intake refused for good, or that failed again and again while others passed."""

    repaired: int
    """Events that were sent without something that was wrong in them, or linked without an id that failed."""

    off_plan: int = 0
    """Typed events that were sent although a value is of another type than their class says."""

    dropped: Mapping[str, int]
    """Events given up, by reason."""

    lost_identities: Mapping[str, int]
    """Jobs that ran without the identity, or the session, of the request that queued them, by reason."""

    pending: int
    """Events that wait, or are on their way."""

    quarantined: int = 0
    """Of these, the events that failed while others passed, and wait for another attempt of their own."""

    oldest_pending_age: float | None
    """Seconds since the oldest pending event occurred, or None."""

    spool_bytes: int
    """Bytes that wait on disk for the same application and intake, whichever process wrote them."""

    last_error: str | None
    """The last failure of delivery, short: `503`, `ConnectError`. It stays when all is well again."""

    state: State
    """What the delivery is doing: `idle` until the first event."""

    tap: Stats | None = None
    """What became of the copies for `TAP_URL`, of which nothing else here tells; None without one."""


def trouble_of(stats: Stats) -> str | None:
    """Return what keeps events from being taken now, in words; None if nothing does."""
    if stats.state in ("running", "idle"):
        return None
    return f"delivery is {stats.state}: {stats.last_error or 'no reason is known'}"
