"""docs/scaling.md says what the arithmetic says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.capacity import BODY, WAYS, Prices, Way, bill, message_bytes, month, need, rate_of_one, rows

PAGE = (Path(__file__).parents[1] / "docs/scaling.md").read_text()


def test_the_table_is_that_of_the_arithmetic() -> None:
    assert "\n".join(rows()) in PAGE, "put the output of `python -m benchmarks.capacity` into docs/scaling.md"
    assert "\n".join(bill()) in PAGE
    assert f"| {message_bytes() - BODY} bytes that a message has beside the event" in PAGE


@pytest.mark.parametrize("way", [way for way in WAYS if way.delivering], ids=lambda way: way.name)
@pytest.mark.parametrize("rate", [1.0, 700.0, 20_000.0])
def test_a_load_has_room_in_what_is_planned_for_it(way: Way, rate: float) -> None:
    """And no process more than that."""
    one = rate_of_one(way)

    assert rate <= need(way, rate).deliverers * one < rate + one


def test_a_month_is_what_is_used_at_what_it_costs() -> None:
    way = Way("any", tracking=20.0, delivering=50.0, broker=30.0, message=1_000)
    told = need(way, 1_000)

    assert told.cores == pytest.approx(0.1)
    assert month(told, Prices(core_hour=2.0, gigabyte=0.0)) == pytest.approx(0.1 * 730 * 2.0)
    assert month(told, Prices(core_hour=0.0, gigabyte=0.5)) == pytest.approx(1e6 * 3600 * 730 / 1e9 * 0.5)


def test_a_broker_that_was_not_measured_is_not_counted_as_nothing() -> None:
    assert "not measured" in "\n".join(row for row in rows() if "| Kafka |" in row)
