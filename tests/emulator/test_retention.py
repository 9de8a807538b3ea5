from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa.emulator import Emulator
from dd_pa.emulator.query.calendar import CalendarInterval
from dd_pa.emulator.query.request_fields import Fields
from tests.emulator.asking import ask, post, stored

Engine = tuple[Emulator, httpx.Client]
DAY = 86_400_000
MILLISECOND = timedelta(milliseconds=1)
MONDAY = 1_789_948_800_000
"""2026-09-21, 00:00 UTC."""
END = MONDAY + 14 * DAY - 1


def base(text: str) -> dict[str, Any]:
    """A base query."""
    return {"data_source": "product_analytics", "search": {"query": text}}


def event(name: str, usr: str, **members: Any) -> dict[str, Any]:
    """A server event."""
    return {"type": "server", "event": {"name": name}, "usr": {"id": usr}, **members}


def calendar(kind: str = "day", **more: Any) -> dict[str, Any]:
    """A calendar interval."""
    return {"type": "calendar", "value": {"type": kind, "quantity": 1, "timezone": "UTC", **more}}


def request(interval: dict[str, Any], condition: str = "conversion_on", **more: Any) -> dict[str, Any]:
    """The attributes of a grid request: who signed up, and who came back to view."""
    search = {
        "cohort_criteria": {"base_query": base("@event.name:signup"), "time_interval": interval},
        "return_criteria": {"base_query": base("@event.name:view")},
        "retention_entity": "@usr.id",
        "return_condition": condition,
    }
    search |= more.pop("search", {})
    compute = {"metric": "__dd.retention_rate", "aggregation": "count"}
    return {"from": MONDAY, "to": END, "query": {"search": search, "compute": compute, **more}}


@pytest.fixture
def signups(engine: Engine) -> Engine:
    """Three people of two weeks: one comes back at once, one a week later, one never."""
    rows = [
        (MONDAY + DAY, event("signup", "u1", plan="pro")),
        (MONDAY + DAY + 1, event("view", "u1")),
        (MONDAY + 2 * DAY, event("signup", "u2", plan="free")),
        (MONDAY + 8 * DAY, event("view", "u2", plan="late")),
        (MONDAY + 8 * DAY, event("signup", "u3", plan="pro")),
        (MONDAY + 9 * DAY, event("signup", "u1")),
    ]
    stored(engine[0], rows)
    return engine


def cells(answer: dict[str, Any]) -> list[tuple[int | None, int, list[float]]]:
    """(cohort, size, rates) of each row."""
    return [
        (row.get("cohort_index"), row["cohort_size"], [cell["cell_rate"] for cell in row["cells"]])
        for row in answer["cohorts"]
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("conversion_on", [(0, 2, [0.5, 0.5]), (1, 1, [0.0]), (None, 3, [1 / 3, 0.5])]),
        ("conversion_on_or_after", [(0, 2, [1.0, 0.5]), (1, 1, [0.0]), (None, 3, [2 / 3, 0.5])]),
    ],
)
def test_grid(signups: Engine, condition: str, expected: list[Any]) -> None:
    """A cohort is who signed up first in a week; a cell the share that viewed in a week, or from then on."""
    answer = ask(signups[1], "retention/grid", "retention_grid_request", request(calendar("week"), condition))

    assert cells(answer) == expected
    assert answer["retention_periods"] == [{"unit": "week", "value": 1}] * 2
    first = answer["cohorts"][0]
    assert (first["cohort_start_time"], first["cohort_end_time"]) == (MONDAY, MONDAY + 7 * DAY)
    assert first["cells"][1] == {
        "return_period_index": 1,
        "return_period_start_time": MONDAY + 7 * DAY,
        "return_period_end_time": MONDAY + 14 * DAY,
        "cell_count": 1,
        "cell_rate": 0.5,
        "cell_value": None,
        "cell_relative_value_change": 0.5 / expected[0][2][0] - 1,
        "is_partial_data": False,
        "type": "raw",
    }


def test_same_event_starts_and_returns(signups: Engine) -> None:
    """When what makes a member also counts as a return, everybody is there in the first period."""
    same = request(calendar("week"), search={"return_criteria": None})
    answer = ask(signups[1], "retention/grid", "retention_grid_request", same)

    assert cells(answer)[:2] == [(0, 2, [1.0, 0.5]), (1, 1, [1.0])]


def test_fixed_periods(signups: Engine) -> None:
    """Return periods of a fixed length begin with the cohort."""
    fixed = {"base_query": base("@event.name:view"), "time_interval": {"type": "fixed", "value": 4, "unit": "day"}}
    wanted = request(calendar("week"), search={"return_criteria": fixed})
    answer = ask(signups[1], "retention/grid", "retention_grid_request", wanted)

    assert cells(answer)[0] == (0, 2, [0.5, 0.0, 0.5, 0.0])
    assert answer["cohorts"][0]["cells"][3]["is_partial_data"] is True
    assert answer["retention_periods"][0] == {"unit": "day", "value": 4}


def test_groups(signups: Engine) -> None:
    """Cohorts can be split by a facet of the first event."""
    by = [{"target": "cohort", "facet": "@plan"}]
    answer = ask(signups[1], "retention/grid", "retention_grid_request", request(calendar("week"), group_by=by))

    assert [(row["group_tags"], row["cohort_size"]) for row in answer["cohorts"]] == [
        (["free"], 1),
        (["pro"], 1),
        (["pro"], 1),
        ([], 3),
    ]


def index(value: int) -> dict[str, Any]:
    """A target by index."""
    return {"type": "index", "value": value}


AVERAGE = {"type": "aggregation", "value": "weighted_avg"}


@pytest.mark.parametrize(
    ("scope", "metric", "expected"),
    [
        ({"type": "cell", "cohort_target": index(0), "return_period_target": index(1)}, "__dd.retention_rate", 0.5),
        ({"type": "cell", "cohort_target": index(0), "return_period_target": index(1)}, "__dd.retention", 1.0),
        ({"type": "cell", "cohort_target": AVERAGE, "return_period_target": index(0)}, "__dd.retention_rate", 1 / 3),
        ({"type": "cohort", "target": index(0)}, "__dd.retention", 2.0),
        ({"type": "return_period", "target": index(1)}, "__dd.retention_rate", 0.5),
    ],
)
def test_scalar(signups: Engine, scope: dict[str, Any], metric: str, expected: float) -> None:
    """A part of the grid as one number."""
    wanted = request(calendar("week"), computation_scope=scope)
    wanted["query"]["compute"]["metric"] = metric
    answer = ask(signups[1], "retention/scalar", "formula_retention_request", wanted)

    assert answer["columns"][0]["values"] == [pytest.approx(expected)]


def test_timeseries(signups: Engine) -> None:
    """Each cohort is a series over the times at which its periods begin."""
    answer = ask(signups[1], "retention/timeseries", "formula_retention_request", request(calendar("week")))

    assert [one["group_tags"] for one in answer["series"]] == [["2026-09-21T00:00:00Z"], ["2026-09-28T00:00:00Z"]]
    assert answer["times"] == [MONDAY, MONDAY + 7 * DAY]
    assert answer["values"] == [[0.5, 0.5], [None, 0.0]]


def test_list(signups: Engine) -> None:
    """The people behind one cell, with what their latest event says."""
    scope = {"type": "cell", "cohort_target": index(0), "return_period_target": index(1)}
    wanted = request(calendar("week"), computation_scope=scope, columns=[{"field": {"path": "@plan"}}], limit=0)
    del wanted["query"]["compute"]
    answer = ask(signups[1], "retention/list", "retention_list_request", wanted)

    assert answer == {"retention_entity": "@usr.id", "records": [{"@usr.id": "u2", "@plan": "late"}]}


def test_too_many_cohorts(engine: Engine) -> None:
    """A time range is not cut into more than 100 cohorts."""
    response = post(engine[1], "retention/grid", "retention_grid_request", request(calendar("minute")))

    assert response.status_code == 400
    assert "more than 100 cohorts" in response.json()["errors"][0]


def bounds(kind: str, start: datetime, end: datetime, **more: Any) -> list[datetime]:
    """Where calendar intervals begin, in the time zone of `start`."""
    interval = CalendarInterval.read(Fields({"type": kind, "timezone": str(start.tzinfo), **more}, "value"))
    moments = interval.bounds(round(start.timestamp() * 1000), round(end.timestamp() * 1000))
    return [datetime.fromtimestamp(moment / 1000, start.tzinfo) for moment in moments]


@pytest.mark.parametrize(
    ("kind", "more", "zone", "expected"),
    [
        ("day", {}, "UTC", ["2026-03-28T00:00", "2026-03-29T00:00", "2026-03-30T00:00", "2026-03-31T00:00"]),
        ("day", {}, "Europe/Berlin", ["2026-03-28T00:00", "2026-03-29T00:00", "2026-03-30T00:00", "2026-03-31T00:00"]),
        (
            "day",
            {"quantity": 3, "alignment": "2pm"},
            "UTC",
            ["2026-03-26T14:00", "2026-03-29T14:00", "2026-04-01T14:00"],
        ),
        ("week", {"alignment": "monday"}, "UTC", ["2026-03-23T00:00", "2026-03-30T00:00", "2026-04-06T00:00"]),
        ("week", {"alignment": "sunday"}, "UTC", ["2026-03-22T00:00", "2026-03-29T00:00", "2026-04-05T00:00"]),
        ("month", {}, "UTC", ["2026-03-01T00:00", "2026-04-01T00:00"]),
        ("month", {"alignment": "15th"}, "UTC", ["2026-03-15T00:00", "2026-04-15T00:00"]),
        ("quarter", {}, "UTC", ["2026-01-01T00:00", "2026-04-01T00:00"]),
        ("year", {}, "America/New_York", ["2026-01-01T00:00", "2027-01-01T00:00"]),
    ],
)
def test_calendar(kind: str, more: dict[str, Any], zone: str, expected: list[str]) -> None:
    """Intervals begin where the calendar of the time zone says, over changes of the clock too."""
    here = UTC if zone == "UTC" else ZoneInfo(zone)
    start, end = datetime(2026, 3, 28, 12, tzinfo=here), datetime(2026, 3, 30, 12, tzinfo=here)

    found = bounds(kind, start, end, **more)
    assert [moment.replace(tzinfo=None).isoformat(timespec="minutes") for moment in found] == expected


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 14 * 24 - 1).map(lambda hours: MONDAY + hours * 3_600_000),
        st.builds(event, st.sampled_from(["signup", "view"]), st.sampled_from(["u1", "u2", "u3"])),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS, days=st.integers(1, 5), later=st.booleans(), fixed=st.none() | st.integers(1, 4), cell=st.data())
def test_same_as_plain_python(
    engine_server: Engine,
    events: list[tuple[int, dict[str, Any]]],
    days: int,
    later: bool,
    fixed: int | None,
    cell: st.DataObject,
) -> None:
    """Grids over random events, and the list behind one cell, are what plain Python works out."""
    engine_server[0].clear()
    stored(engine_server[0], events)
    wanted = request(calendar(quantity=days), "conversion_on_or_after" if later else "conversion_on")
    if fixed:
        wanted["query"]["search"]["return_criteria"]["time_interval"] = {"type": "fixed", "unit": "day", "value": fixed}
    answer = ask(engine_server[1], "retention/grid", "retention_grid_request", wanted)

    cohort, period = timedelta(days=days) // MILLISECOND, timedelta(days=fixed or days) // MILLISECOND
    first: dict[str, int] = {}
    for at, one in sorted(events, key=lambda row: row[0]):
        if one["event"]["name"] == "signup":
            first.setdefault(one["usr"]["id"], at)
    back: dict[tuple[int, int], set[str]] = {}
    for row in answer["cohorts"][:-1]:
        start = row["cohort_start_time"]
        own = {usr for usr, at in first.items() if start <= at < start + cohort}
        assert (start % cohort, row["cohort_size"]) == (0, len(own))
        assert len(row["cells"]) == (END - start) // period + 1
        for number, one_cell in enumerate(row["cells"]):
            low = start + number * period
            back[row["cohort_index"], number] = {
                one["usr"]["id"]
                for at, one in events
                if one["event"]["name"] == "view"
                and one["usr"]["id"] in own
                and at >= max(low, first[one["usr"]["id"]])
                and (later or at < low + period)
            }
            assert one_cell["cell_count"] == len(back[row["cohort_index"], number])

    which = cell.draw(st.sampled_from(sorted(back)))
    target = {"cohort_target": index(which[0]), "return_period_target": index(which[1])}
    del wanted["query"]["compute"]
    wanted["query"]["computation_scope"] = {"type": "cell", **target}
    listed = ask(engine_server[1], "retention/list", "retention_list_request", wanted)
    assert [record["@usr.id"] for record in listed["records"]] == sorted(back[which])


def test_periods_end_at_a_hundred(engine: Engine) -> None:
    """Return periods that are too short for the time range are counted up to the hundredth, and listed up to it."""
    stored(engine[0], [(MONDAY, event("signup", "u1")), (MONDAY + 13 * DAY, event("view", "u1"))])
    fixed = {"base_query": base("@event.name:view"), "time_interval": {"type": "fixed", "unit": "day", "value": 0.1}}
    wanted = request(calendar("week"), search={"return_criteria": fixed})

    answer = ask(engine[1], "retention/grid", "retention_grid_request", wanted)
    assert [cell["cell_count"] for cell in answer["cohorts"][0]["cells"]] == [0] * 100

    target = {"cohort_target": index(0), "return_period_target": index(100)}
    del wanted["query"]["compute"]
    wanted["query"]["computation_scope"] = {"type": "cell", **target}
    assert ask(engine[1], "retention/list", "retention_list_request", wanted)["records"] == []
