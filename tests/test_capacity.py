"""docs/scaling.md says what the arithmetic says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.capacity import BODY, WAYS, Way, message_bytes, need, rate_of_one, rows

PAGE = (Path(__file__).parents[1] / "docs/scaling.md").read_text()


def test_the_table_is_that_of_the_arithmetic() -> None:
    assert "\n".join(rows()) in PAGE, "put the output of `python -m benchmarks.capacity` into docs/scaling.md"
    assert f"| {message_bytes() - BODY} bytes that a message has beside the event" in PAGE


@pytest.mark.parametrize("way", [way for way in WAYS if way.delivering], ids=lambda way: way.name)
@pytest.mark.parametrize("rate", [1.0, 700.0, 20_000.0])
def test_a_load_has_room_in_what_is_planned_for_it(way: Way, rate: float) -> None:
    """And no process more than that."""
    one = rate_of_one(way.delivering)

    assert rate <= need(way, rate).deliverers * one < rate + one
