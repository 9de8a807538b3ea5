from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable
from statistics import fmean
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa.emulator import Emulator
from dd_pa.emulator.search.search import compile_search
from tests.emulator.asking import END, SCALAR, START, analytics, ask, post, stored, table
from tests.emulator.test_search import Row


def body(name: str, **members: Any) -> dict[str, Any]:
    """A server event."""
    return {"type": "server", "event": {"name": name}, **members}


def scalar(engine: tuple[Emulator, httpx.Client], *args: Any, **more: Any) -> list[tuple[Any, ...]]:
    """The rows of a scalar answer."""
    return table(ask(engine[1], "analytics/scalar", SCALAR, analytics(*args, **more)))


@pytest.fixture
def shop(engine: tuple[Emulator, httpx.Client]) -> tuple[Emulator, httpx.Client]:
    """A few orders."""
    emulator, _ = engine
    emulator.clear()
    orders = [
        ("u1", "pro", 10, ["a", "b"]),
        ("u1", "pro", 20.5, ["a"]),
        ("u2", "free", 30, []),
        ("u3", "pro", "40", ["b", "b"]),
        ("u3", None, None, None),
    ]
    stored(
        emulator,
        [
            (START + 1_000 * n, body("order", usr={"id": usr}, plan=plan, total=total, tags=tags))
            for n, (usr, plan, total, tags) in enumerate(orders)
        ],
    )
    return engine


@pytest.mark.parametrize(
    ("aggregation", "metric", "expected"),
    [
        ("count", None, 5.0),
        ("cardinality", "@usr.id", 3.0),
        ("cardinality", "@tags", 2.0),
        ("cardinality", "@nothing", 0.0),
        ("sum", "@total", 60.5),
        ("min", "@total", 10.0),
        ("max", "total", 30.0),
        ("avg", "@total", 60.5 / 3),
        ("median", "@total", 20.5),
        ("pc50", "@total", 20.5),
        ("pc99", "@total", 29.81),
        ("avg", "@nothing", None),
    ],
)
def test_aggregations(
    shop: tuple[Emulator, httpx.Client], aggregation: str, metric: str | None, expected: float | None
) -> None:
    """Numbers are aggregated, strings that look like numbers are not; each different value counts once."""
    [(value,)] = scalar(shop, "*", aggregation, metric)

    assert value == (expected if expected is None else pytest.approx(expected))


def test_no_events_give_no_value(shop: tuple[Emulator, httpx.Client]) -> None:
    """As in Datadog: no value, not 0."""
    answer = ask(shop[1], "analytics/scalar", SCALAR, analytics("@event.name:nothing"))

    assert answer == {"columns": [{"name": "query", "type": "number", "values": [], "meta": {"unit": None}}]}


@pytest.mark.parametrize("aggregation", ["sum", "avg"])
def test_beyond_every_number(engine: tuple[Emulator, httpx.Client], aggregation: str) -> None:
    """A sum that no number holds is null: infinity would be no JSON, and no reader would take the answer."""
    stored(engine[0], [(START, body("order", total=1e308)), (START, body("order", total=1e308))])
    request = analytics("*", aggregation, "@total", interval=1_000)

    for path in ("scalar", "timeseries"):
        text = post(engine[1], f"analytics/{path}", SCALAR, request).text
        assert not {"Infinity", "NaN"} & set(re.findall(r"[A-Za-z]+", text))
    assert scalar(engine, "*", aggregation, "@total") == [(None,)]


def test_groups(shop: tuple[Emulator, httpx.Client]) -> None:
    """The largest group comes first; events without the facet are one, unless they are not wanted."""
    by = {"facet": "@plan"}
    answer = ask(shop[1], "analytics/scalar", SCALAR, analytics(group_by=[by]))

    assert answer["columns"] == [
        {"name": "@plan", "type": "group", "values": ["pro", "N/A", "free"]},
        {"name": "query", "type": "number", "values": [3.0, 1.0, 1.0], "meta": {"unit": None}},
    ]
    assert scalar(shop, group_by=[{**by, "should_exclude_missing": True}]) == [("pro", 3.0), ("free", 1.0)]
    assert scalar(shop, group_by=[{**by, "limit": 1}]) == [("pro", 3.0)]
    assert scalar(shop, group_by=[{**by, "limit": 1, "sort": {"order": "asc"}}]) == [("N/A", 1.0)]
    assert scalar(shop, group_by=[{"facet": "@tags"}]) == [("N/A", 2.0), ("a", 2.0), ("b", 2.0)]


def test_groups_sorted_by_another_metric(shop: tuple[Emulator, httpx.Client]) -> None:
    """What groups are sorted by need not be what is shown of them."""
    sort = {"aggregation": "max", "metric": "@total", "order": "asc"}

    assert scalar(shop, group_by=[{"facet": "@usr.id", "sort": sort}]) == [("u1", 2.0), ("u2", 1.0), ("u3", 2.0)]


def test_groups_in_groups(shop: tuple[Emulator, httpx.Client]) -> None:
    """A second facet is limited within each value of the first."""
    by = [{"facet": "@plan", "limit": 2}, {"facet": "@usr.id", "limit": 1}]

    assert scalar(shop, group_by=by) == [("pro", "u1", 2.0), ("N/A", "u3", 1.0)]


def test_time_range(shop: tuple[Emulator, httpx.Client]) -> None:
    """Both ends of the range belong to it."""
    request = analytics() | {"from": START + 1_000, "to": START + 3_000}

    assert table(ask(shop[1], "analytics/scalar", SCALAR, request)) == [(3.0,)]


def test_timeseries(shop: tuple[Emulator, httpx.Client]) -> None:
    """Buckets begin at multiples of the interval since the epoch, and only those with events are there."""
    stored(shop[0], [(START + 10_000, body("late", plan="free"))])

    answer = ask(
        shop[1], "analytics/timeseries", SCALAR, analytics(interval=3_000, group_by=[{"facet": "@plan", "limit": 2}])
    )

    times = [START - START % 3_000 + 3_000 * n for n in (0, 1, 4)]
    assert START % 3_000 == 2_000
    assert answer == {
        "series": [
            {"group_tags": ["pro"], "query_index": 0, "unit": None},
            {"group_tags": ["free"], "query_index": 0, "unit": None},
        ],
        "times": times,
        "values": [[1, 2, None], [None, 1, 1]],
        "intervals": [{"type": "fixed", "milliseconds": 3_000, "start_time": times[0], "times": times}],
    }


def test_empty_timeseries(shop: tuple[Emulator, httpx.Client]) -> None:
    """Nothing found gives no series at all."""
    answer = ask(shop[1], "analytics/timeseries", SCALAR, analytics("nothing", interval=1_000))

    assert answer == {"series": [], "times": [], "values": [], "intervals": []}


def test_occurrences(shop: tuple[Emulator, httpx.Client]) -> None:
    """Only events of users who did it so often are counted."""

    def occurring(operator: str, value: str, **more: Any) -> list[tuple[Any, ...]]:
        request = analytics("@event.name:order")
        search = {"query": "@event.name:order", "occurrences": {"operator": operator, "value": value, **more}}
        request["query"]["query"] = {"data_source": "product_analytics_occurrence", "search": search}
        return table(ask(shop[1], "analytics/scalar", SCALAR, request))

    assert [occurring(operator, "2") for operator in ("=", ">=", "<", "<=", ">")] == [
        [(4.0,)],
        [(4.0,)],
        [(1.0,)],
        [(5.0,)],
        [],
    ]
    assert occurring(">", "2", meta={"entity": "@plan"}) == [(3.0,)]


def test_audience(shop: tuple[Emulator, httpx.Client]) -> None:
    """Events count when their user or account belongs to the audience, combined as the formula says."""
    stored(shop[0], [(START, body("order", usr={"id": "u4", "email": "a@x.test"}, account={"id": "acme"}))])
    users = [{"name": "many", "query": "events_count:>1"}, {"name": "mail", "query": "user_email:*@x.test"}]
    accounts = [{"name": "acme", "query": "account_id:acme"}]

    def audience(**filters: Any) -> list[tuple[Any, ...]]:
        return scalar(shop, audience_filters=filters)

    assert audience(users=users[:1]) == [(4.0,)]
    assert audience(users=users) == []
    assert audience(users=users, formula="many OR mail") == [(5.0,)]
    assert audience(users=users[:1], accounts=accounts, formula="NOT many AND NOT acme") == [(1.0,)]
    assert audience(users=[{"name": "all"}]) == [(6.0,)]


def test_list(shop: tuple[Emulator, httpx.Client]) -> None:
    """Rows hold the columns asked for, the newest first or sorted by a facet; the total is that before the limit."""

    def listed(**query: Any) -> dict[str, Any]:
        request = analytics("@event.name:order")
        del request["query"]["compute"]
        request["query"] |= query
        return ask(shop[1], "analytics/list", "formula_analytics_extended_list_request", request)

    assert listed(columns=["@usr.id", "timestamp", "@tags", "@no"], limit=2) == {
        "records": [
            {"@usr.id": "u3", "timestamp": START + 4_000, "@tags": None, "@no": None},
            {"@usr.id": "u3", "timestamp": START + 3_000, "@tags": ["b", "b"], "@no": None},
        ],
        "total_count": 5,
    }
    by_total = listed(columns=["@total"], sort={"facet": "@total", "order": "asc"})
    assert [row["@total"] for row in by_total["records"]] == [10, 20.5, 30, "40", None]
    whole = {"@type": "server", "@event.name": "order", "@usr.id": "u3", "@plan": None, "@total": None, "@tags": None}
    assert listed(limit=1)["records"] == [{"timestamp": START + 4_000} | whole]


BASE = {"data_source": "product_analytics", "search": {"query": "*"}}


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        pytest.param({"from": 2, "to": 1}, "data.attributes.from must be before to", id="range"),
        pytest.param({"to": "1"}, "data.attributes.to must be a whole number from 0 to 253370764800000", id="to"),
        pytest.param({"query": None}, "data.attributes.query is required", id="query"),
        pytest.param({"query": []}, "data.attributes.query must be an object", id="query-type"),
        pytest.param({"query": {"query": BASE}}, "data.attributes.query.compute is required", id="compute"),
        pytest.param(
            {"query": {"query": BASE, "compute": {"aggregation": "count(*)"}}},
            "data.attributes.query.compute.aggregation must be one of count, cardinality, avg, median, min, max, sum, "
            "or pc and a number as in pc95",
            id="aggregation",
        ),
        pytest.param(
            {"query": {"query": BASE, "compute": {"aggregation": "sum"}}},
            "data.attributes.query.compute.metric is required",
            id="metric",
        ),
        pytest.param(
            {"query": {"query": {"data_source": "logs", "search": {}}, "compute": {"aggregation": "count"}}},
            "data.attributes.query.query.data_source must be one of product_analytics, product_analytics_occurrence",
            id="source",
        ),
        pytest.param(
            analytics("@a:(b OR"),
            "data.attributes.query.query.search.query is not understood at column 9: something is missing at the end",
            id="search",
        ),
        pytest.param(
            analytics(group_by=[{"facet": "@a", "limit": 10_001}]),
            "data.attributes.query.group_by[0].limit must be a whole number from 1 to 10000",
            id="limit",
        ),
        pytest.param(
            analytics(audience_filters={"segments": [{"name": "s", "segment_id": "x"}]}),
            "data.attributes.query.audience_filters.segments[0].segment_id is no segment of --segments, and none that "
            "the page keeps",
            id="segment",
        ),
        pytest.param(
            analytics(audience_filters={"users": [{"name": "u"}], "formula": "u OR v"}),
            "audience_filters.formula must combine the names u with AND, OR and NOT",
            id="formula",
        ),
        pytest.param(
            analytics(audience_filters={"users": [{"name": "u"}, {"name": "u"}]}),
            "data.attributes.query.audience_filters.users[1].name is used twice",
            id="names",
        ),
    ],
)
def test_what_is_not_understood(engine: tuple[Emulator, httpx.Client], attributes: dict[str, Any], reason: str) -> None:
    """A wrong request is answered in Datadog's shape for queries, naming the place."""
    response = post(engine[1], "analytics/scalar", SCALAR, {**analytics(), **attributes})

    assert (response.status_code, response.json()) == (400, {"errors": [reason]})
    assert response.headers["content-type"] == "application/vnd.api+json"


def test_too_many_buckets(engine: tuple[Emulator, httpx.Client]) -> None:
    """A time range is not cut into more than 10,000 pieces."""
    response = post(engine[1], "analytics/timeseries", SCALAR, analytics(interval=1))

    assert response.status_code == 400
    assert "more than 10,000 buckets" in response.json()["errors"][0]


PLANS = st.sampled_from(["pro", "free", None, "N/A"])
NAMES = st.sampled_from(["a", "b", "c"])
TAGS = st.lists(st.sampled_from(["x", "y", 1]), max_size=3)
TOTALS = st.integers(-5, 5) | st.sampled_from([0.5, 2.25, "7", None])
EVENTS = st.lists(
    st.tuples(st.integers(START, END), st.builds(body, NAMES, plan=PLANS, tags=TAGS, total=TOTALS)), max_size=30
)
COMPUTES = st.one_of(
    st.just(("count", None)),
    st.tuples(st.just("cardinality"), st.sampled_from(["@plan", "@tags"])),
    st.tuples(st.sampled_from(["sum", "min", "max", "avg", "median", "pc75"]), st.just("@total")),
)
GROUPS = st.lists(
    st.fixed_dictionaries(
        {"facet": st.sampled_from(["@plan", "@tags", "@event.name"]), "limit": st.integers(1, 3)},
        optional={
            "should_exclude_missing": st.booleans(),
            "sort": st.fixed_dictionaries({}, optional={"order": st.sampled_from(["asc", "desc"])}),
        },
    ),
    max_size=2,
    unique_by=lambda group: group["facet"],
)
TEXTS = st.sampled_from(["*", "@event.name:(a OR b)", "-@plan:pro", "@total:>0", "@tags:x"])


def values_of(event: dict[str, Any], facet: str) -> list[Any]:
    """The values of a facet, the plain way."""
    value = event["event"]["name"] if facet == "@event.name" else event.get(facet[1:])
    return [] if value is None else value if isinstance(value, list) else [value]


def computed(events: list[dict[str, Any]], aggregation: str, facet: str | None) -> float | None:
    """The aggregation, the plain way."""
    if aggregation == "count" or facet is None:
        return len(events)
    if aggregation == "cardinality":
        return len({str(value) for event in events for value in values_of(event, facet)})
    numbers = sorted(value for event in events for value in values_of(event, facet) if not isinstance(value, str))
    if not numbers:
        return None
    if aggregation in ("median", "pc75"):
        place = (len(numbers) - 1) * (0.5 if aggregation == "median" else 0.75)
        low, high = numbers[math.floor(place)], numbers[math.ceil(place)]
        return float(low + (high - low) * (place - math.floor(place)))
    plain: dict[str, Callable[[list[float]], float]] = {"sum": sum, "min": min, "max": max, "avg": fmean}
    return float(plain[aggregation](numbers))


def expanded(events: list[tuple[int, dict[str, Any]]], groups: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """(group values, time, event): an event belongs to the group of each of its values."""
    rows: list[tuple[Any, ...]] = [((), at, event) for at, event in events]
    for group in groups:
        spread = []
        for tags, at, event in rows:
            texts: list[Any] = sorted({str(value) for value in values_of(event, group["facet"])}) or [None]
            if texts == [None] and group.get("should_exclude_missing"):
                continue
            spread += [((*tags, text or "N/A"), at, event) for text in texts]
        rows = spread
    return rows


def chosen(rows: list[tuple[Any, ...]], groups: list[dict[str, Any]], compute: tuple[str, str | None]) -> list[Any]:
    """The group values that are within the limits, in order."""
    kept: list[tuple[str, ...]] = [()]
    for level, group in enumerate(groups, 1):
        found = []
        for parent in kept:
            children: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for tags, _, event in rows:
                if tags[: level - 1] == parent:
                    children[tags[level - 1]].append(event)
            descending = group.get("sort", {}).get("order", "desc") == "desc"

            def rank(name: str, of: Any = children, sign: int = -1 if descending else 1) -> tuple[Any, ...]:
                value = computed(of[name], *compute)
                return (value is None, 0 if value is None else sign * round(value, 9), name)

            found += [(*parent, name) for name in sorted(children, key=rank)[: group["limit"]]]
        kept = found
    return kept


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS, text=TEXTS, compute=COMPUTES, groups=GROUPS)
def test_same_as_plain_python(
    engine: tuple[Emulator, httpx.Client],
    events: list[tuple[int, dict[str, Any]]],
    text: str,
    compute: tuple[str, str | None],
    groups: list[dict[str, Any]],
) -> None:
    """Scalar and timeseries over random events and queries are what plain Python works out."""
    emulator, http = engine
    emulator.clear()
    stored(emulator, events)
    test = compile_search(text).test
    rows = expanded([(at, event) for at, event in events if test is None or test(Row(event))], groups)
    order = chosen(rows, groups, compute) if rows else []
    interval = 120_000
    request = analytics(text, *compute, interval=interval, group_by=groups)

    scalars = table(ask(http, "analytics/scalar", SCALAR, request))
    over_time = ask(http, "analytics/timeseries", SCALAR, request)

    expected = [(*tags, computed([event for found, _, event in rows if found == tags], *compute)) for tags in order]
    assert [row[:-1] for row in scalars] == [row[:-1] for row in expected]
    assert [row[-1] for row in scalars] == pytest.approx([row[-1] for row in expected], nan_ok=False)
    points: dict[tuple[Any, int], float | None] = {}
    for tags in order:
        own: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for found, at, event in rows:
            if found == tags:
                own[at // interval * interval].append(event)
        points |= {(tags, at): computed(members, *compute) for at, members in own.items()}
    assert [tuple(one["group_tags"]) for one in over_time["series"]] == order
    assert over_time["times"] == sorted({at for _, at in points})
    for tags, row in zip(order, over_time["values"], strict=True):
        assert row == pytest.approx([points.get((tags, at)) for at in over_time["times"]])
