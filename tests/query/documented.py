"""An API on a real port that answers each endpoint with the example of its documentation, filled with a row."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from tests.core.intakes import Post, RawIntake, answer

ELAPSED = {"min": 1200, "max": 86400, "avg": 9400}
STEP = {"label": "A", "value": 1200, "unit": "millisecond", "elapsed_time_to_next_step": ELAPSED, "groups": []}
COLUMNS = [
    {"name": "@plan", "type": "group", "values": ["pro"]},
    {"name": "query", "type": "number", "values": [41.0], "meta": {"unit": None}},
]
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "analytics/scalar": {"columns": COLUMNS},
    "analytics/timeseries": {"series": [{"group_tags": []}], "times": [1_776_291_235_000], "values": [[1]]},
    "analytics/list": {"records": [{"@plan": "pro"}], "total_count": 1},
    "journey/funnel": {
        "initial_count": 1200,
        "end_to_end_conversion_rate": 0.42,
        "end_to_end_elapsed_time": ELAPSED,
        "funnel_steps": [STEP],
    },
    "retention/grid": {"cohorts": [], "retention_entity": "@usr.id", "retention_periods": []},
    "sankey": {"nodes": [], "links": []},
}


def documented() -> RawIntake:
    """Return it; not running yet."""

    async def reply(post: Post, writer: asyncio.StreamWriter) -> None:
        path = post.head.split()[1].decode().removeprefix("/api/v2/product-analytics/")
        document = {"data": {"id": "abc-123", "type": "any", "attributes": ATTRIBUTES[path]}}
        writer.write(answer(200, msgspec.json.encode(document)))

    return RawIntake(reply)
