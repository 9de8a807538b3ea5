"""Which events were seen, how often, when and from which service."""

from __future__ import annotations

from typing import NamedTuple

from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.warehouse.warehouse import Warehouse

MOST_NAMES = 2_000
_MOST_SERVICES = 5


class Sighting(NamedTuple):
    """What is known of the events of one name, of all that are kept for queries."""

    times: int
    last_ms: int
    services: list[str]
    """Those that fired most of them first; "" where an event does not name any."""


def sightings(warehouse: Warehouse) -> dict[str, Sighting]:
    """Return them by name, the most frequent ones first. Raises WarehouseError and QueryTimeoutError."""
    statement = Statement(warehouse)
    name, service = statement.text("event.name"), statement.text("service")
    one = f"SELECT {name} AS name, coalesce({service}, '') AS service, count(*) AS n, max(ts) AS last FROM events"
    own = f"{one} WHERE {statement.text('type')} = 'server' AND {name} IS NOT NULL GROUP BY ALL"
    rows = statement.rows(
        f"SELECT name, sum(n)::BIGINT, max(last), list(service ORDER BY n DESC, service)[1:{_MOST_SERVICES:d}] "
        f"FROM ({own}) GROUP BY name ORDER BY 2 DESC, name LIMIT {MOST_NAMES:d}"
    )
    return {name: Sighting(times, last, services) for name, times, last, services in rows}


def bodies(warehouse: Warehouse, limit: int) -> list[str]:
    """Return the youngest events of servers as JSON, the oldest first. Raises WarehouseError and QueryTimeoutError."""
    statement = Statement(warehouse)
    own = f"SELECT seq FROM events WHERE {statement.text('type')} = 'server' ORDER BY seq DESC LIMIT {limit:d}"
    return list(statement.bodies([number for (number,) in reversed(statement.rows(own))]).values())
