"""How long events are kept, and how many."""

from __future__ import annotations

from dd_pa.emulator.warehouse.database import Database

MAX_EVENTS = 5_000_000
"""Rows kept; the oldest go."""
KEPT_MS = 457 * 24 * 3600 * 1000
"""15 months, Datadog's retention."""
DAYS_OF_PROOF = 30
"""Days with events that must have passed before anything goes by its age: a clock alone may be wrong."""

_DAY_MS = 24 * 3600 * 1000


def forget_old(database: Database, now_ms: int) -> None:
    """Forget what is older than 15 months, and the oldest rows beyond MAX_EVENTS.

    A clock that is years ahead for a day takes nothing away: 15 months count from the 30th of the last days that
    have events.
    """
    days = f"SELECT DISTINCT ts // {_DAY_MS:d} AS day FROM events WHERE ts <= ? ORDER BY day DESC"
    with database.writing() as connection:
        proved = connection.execute(f"{days} LIMIT 1 OFFSET {DAYS_OF_PROOF - 1:d}", [now_ms]).fetchone()
        if proved is not None:
            connection.execute("DELETE FROM events WHERE ts < ?", [proved[0] * _DAY_MS - KEPT_MS])
        [(count,)] = connection.execute("SELECT count(*) FROM events").fetchall()
        if count > MAX_EVENTS:
            oldest = f"SELECT seq FROM events ORDER BY seq LIMIT {count - MAX_EVENTS:d}"
            connection.execute(f"DELETE FROM events WHERE seq <= (SELECT max(seq) FROM ({oldest}))")
