"""What waits in the spool, for a person and for monitoring."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dd_pa.store.inspection import Waiting


def as_numbers(found: Waiting | None) -> dict[str, float | bool | None]:
    """Return the numbers by name; ages in seconds. None: there is no spool, and all that waits is in memory."""
    if found is None:
        return {"spool": False}
    return {
        "spool": True,
        "bytes": found.bytes,
        "segments": found.segments,
        "oldest_pending_age": found.age,
        "rejected": found.rejected,
        "deliver_runs": found.is_delivered,
    }


def as_json(found: Waiting | None) -> str:
    """Return `as_numbers` as one line of JSON."""
    return json.dumps(as_numbers(found))


def as_lines(found: Waiting | None) -> list[str]:
    """Return the same for a person."""
    if found is None:
        return ["There is no spool: what waits is in the memory of each process."]
    age = "nothing waits" if found.age is None else f"the oldest may wait since {found.age:,.0f} s"
    return [
        f"{found.bytes:,} bytes in {found.segments} segments; {age}",
        f"{found.rejected} rejected events (dd-pa spool list)",
        f"dd-pa deliver {'runs' if found.is_delivered else 'does not run'}",
    ]
