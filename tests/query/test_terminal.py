"""`dd-pa query`: what is asked for what is typed, and what is shown."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import httpx
import pytest

from dd_pa.query.terminal import Question, ask
from tests.query.api import Api, counted, done, reading, refused, serving

PLANS = done(
    "scalar_response",
    {
        "columns": [
            {"name": "@plan", "type": "group", "values": ["pro", "[red]x[/red]\x1b[2J\u202e", None]},
            {"name": "query", "type": "number", "values": [1234567, 41.5, 0.0625]},
        ]
    },
)
Tags = tuple[list[str], ...]
HOUR = 3_600_000
ELAPSED = {"min": 1, "max": 9, "avg": 5_400_000}


def at_hours(
    request: httpx.Request, *values: list[float | None], tags: tuple[list[str], ...] = ([],)
) -> httpx.Response:
    """Answer with these values for the first hours of the window."""
    start = json.loads(request.content)["data"]["attributes"]["from"]
    times = [start - start % HOUR + number * HOUR for number in range(len(values[0]))]
    series = [{"group_tags": tag, "query_index": 0, "unit": None} for tag in tags]
    return done("timeseries_response", {"series": series, "times": times, "values": list(values)})


def funnel_of(*values: int) -> httpx.Response:
    """Answer with a funnel that so many reached."""
    steps = [
        {"label": label, "value": value, "unit": "millisecond", "elapsed_time_to_next_step": ELAPSED, "groups": []}
        for label, value in zip("ABC", values, strict=False)
    ]
    whole = {"initial_count": values[0], "end_to_end_conversion_rate": 0.5, "end_to_end_elapsed_time": ELAPSED}
    return done("funnel_response", {**whole, "funnel_steps": steps})


@pytest.fixture(params=[120, 44], ids=["wide", "narrow"])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Columns of the terminal."""
    columns: int = request.param
    monkeypatch.setenv("COLUMNS", str(columns))
    return columns


class Utf8(io.StringIO):
    """A file that can take every letter; rich looks at its encoding."""

    encoding = "utf-8"


def shown(api: Api, **typed: Any) -> tuple[int, str, str]:
    """Return status, output and errors."""
    out, err = Utf8(), Utf8()
    return ask(reading(), Question(**typed), out=out, err=err, transport=api), out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("typed", "search", "compute", "groups"),
    [
        pytest.param(
            {"query": "order.placed"},
            "@type:server @event.name:order.placed",
            {"aggregation": "count"},
            None,
            id="name",
        ),
        pytest.param(
            {"query": "order.*"}, "@type:server @event.name:order.*", {"aggregation": "count"}, None, id="pattern"
        ),
        pytest.param({"query": "*"}, "*", {"aggregation": "count"}, None, id="everything"),
        pytest.param(
            {"query": "@type:view @a:b", "by": ("@x", "@y"), "limit": 3},
            "@type:view @a:b",
            {"aggregation": "count"},
            [{"facet": "@x", "limit": 3}, {"facet": "@y", "limit": 3}],
            id="search-and-groups",
        ),
        pytest.param(
            {"query": "a", "compute": "sum:@order.total"},
            "@type:server @event.name:a",
            {"aggregation": "sum", "metric": "@order.total"},
            None,
            id="sum",
        ),
        pytest.param(
            {"query": "a", "compute": "distinct:@usr.id"},
            "@type:server @event.name:a",
            {"aggregation": "cardinality", "metric": "@usr.id"},
            None,
            id="distinct",
        ),
    ],
)
def test_what_is_asked(typed: dict[str, Any], search: str, compute: Any, groups: Any) -> None:
    """A name, a pattern, a search or everything."""
    api = Api(counted(1))

    assert shown(api, last="12h", **typed)[0] == 0
    [asked] = api.attributes
    assert asked["query"]["query"]["search"]["query"] == search
    assert (asked["query"]["compute"], asked["query"].get("group_by")) == (compute, groups)
    assert asked["to"] - asked["from"] == 12 * HOUR


def test_a_funnel_is_asked() -> None:
    """Names and searches as steps; what else was typed narrows it."""
    api = Api(funnel_of(3, 2))

    shown(api, query="@env:prod", funnel="a.b, @type:view", entity="user", within="30min", by=("@plan",))

    [query] = [asked["query"] for asked in api.attributes]
    assert query["search"]["expression"] == "A -> B"
    assert query["search"]["join_keys"] == {"primary": "@usr.id"}
    assert query["search"]["filters"]["string_filter"] == "@env:prod"
    assert query["search"]["filters"]["graph_filters"][0]["value"] == HOUR // 2
    assert query["group_by"] == [{"facet": "@plan", "target": {"type": "node", "value": "A"}}]


def test_groups(width: int) -> None:
    """Numbers that can be compared, bars where there is room, and nothing that controls the terminal or its colours."""
    status, out, err = shown(Api(PLANS), query="order.placed", by=("@plan",))

    assert (status, err) == (0, "")
    assert "count of order.placed, last 7d" in out
    assert "1,234,567" in out
    assert "41.50" in out
    assert "0.0625" in out
    assert "[red]x[/red]" in out
    assert not {"\x1b", "\u202e"} & set(out)
    assert ("██████" in out) == (width == 120)
    assert max(map(len, out.splitlines())) <= width


def test_over_time(width: int) -> None:
    """One row an hour, gaps included; of a count they are 0."""
    api = Api(lambda request: at_hours(request, [5, None, 2.0]))
    out = shown(api, query="*", interval="1h", last="6h")[1]

    rows = [line.split() for line in out.splitlines()[3:]]
    assert [row[2] for row in rows] == ["5", "–", "2"]
    assert (len(rows[0]) == 4) == (width == 120)


@pytest.mark.parametrize(("compute", "gap"), [("count", "0"), ("avg:@x", "–")])
def test_times_that_are_left_out(compute: str, gap: str) -> None:
    """Datadog lists the buckets that have events."""

    def sparse(request: httpx.Request) -> httpx.Response:
        full = json.loads(at_hours(request, [5, 6, 7]).content)
        attributes = full["data"]["attributes"]
        del attributes["times"][1], attributes["values"][0][1]
        return httpx.Response(200, json=full)

    out = shown(Api(sparse), query="*", interval="1h", last="6h", compute=compute)[1]

    assert [line.split()[2] for line in out.splitlines()[3:]] == ["5", gap, "7"]


def test_groups_over_time(width: int) -> None:
    """One line of blocks a group."""
    tags = (["pro"], ["team"])
    api = Api(lambda request: at_hours(request, [1, 8, None], [4, None, 4], tags=tags))
    out = shown(api, query="*", by=("@plan",), interval="1h", last="6h")[1]

    pro, team = out.splitlines()[-2:]
    assert pro.split() == ["pro", "9", "▁█"]
    assert team.split() == ["team", "8", "█", "█"]


def test_a_funnel(width: int) -> None:
    """Who reached each step, of the first and of the one before, and how long it took."""
    out = shown(Api(funnel_of(12000, 3000, 0)), funnel="cart.viewed,order.placed,order.paid")[1]

    words = " ".join(out.split())
    assert "cart.viewed → order.placed → order.paid, last 7d" in words
    assert "1. cart.viewed 12,000 100.0%" in words
    assert "2. order.placed 3,000 25.0%" in words
    assert ("1.5 h" in out, "█████" in out) == (width == 120,) * 2
    assert max(map(len, out.splitlines())) <= width


def test_nothing() -> None:
    """Is said, and no error."""
    assert shown(Api(counted()), query="a")[:2] == (0, "count of a, last 7d\nNothing matched.\n")
    api = Api(done("timeseries_response", {"series": [], "times": []}))
    assert "Nothing matched." in shown(api, query="a", interval="1h")[1]


def test_json() -> None:
    """The rows, for programs; times are texts."""
    rows = json.loads(shown(Api(PLANS), query="a", by=("@plan",), json=True)[1])
    times = json.loads(shown(Api(lambda asked: at_hours(asked, [5])), query="a", interval="1h", json=True)[1])

    assert rows[0] == {"@plan": "pro", "value": 1234567}
    assert times[0]["time"].endswith(":00:00+00:00")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_these_letters(encoding: str) -> None:
    """Gets others, and no bars."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    ask(reading(), Question(query="a", by=("@plan",)), out=out, err=io.StringIO(), transport=Api(PLANS))
    out.flush()

    assert b"1,234,567" in raw.getvalue()


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        pytest.param({}, "QUERY or --funnel is needed", id="nothing"),
        pytest.param({"query": "a", "last": "soon"}, "--last soon: must be a number and", id="last"),
        pytest.param({"query": "a", "last": "0d"}, "--last 0d", id="zero"),
        pytest.param({"query": "a", "interval": "1y"}, "--interval 1y", id="interval"),
        pytest.param({"query": "a", "compute": "sum"}, "--compute sum: must be count, or such as", id="no-facet"),
        pytest.param({"query": "a", "compute": "count:@x"}, "--compute count:@x", id="facet"),
        pytest.param({"query": "a", "within": "1h"}, "--within goes with --funnel", id="within"),
        pytest.param({"query": "a", "limit": 0}, "--limit 0", id="limit"),
        pytest.param({"funnel": "a"}, "--funnel needs two or more steps", id="one-step"),
        pytest.param({"funnel": "a,,b"}, "--funnel needs two or more steps", id="no-step"),
        pytest.param({"funnel": "a,b", "entity": "team"}, "--entity team", id="entity"),
        pytest.param({"funnel": "a,b", "interval": "1h"}, "does not go with --funnel", id="both"),
        pytest.param({"funnel": "a,b", "paths": "@x"}, "--funnel and --paths are different questions", id="two-kinds"),
        pytest.param({"retention": "a", "by": ("@x",)}, "--by does not go with --retention", id="by"),
        pytest.param({"retention": "a,b,c"}, "--retention needs one event or two", id="three"),
        pytest.param({"retention": "a", "entity": "session"}, "a session does not come back", id="session"),
        pytest.param({"query": "a", "period": "day"}, "--period goes with --retention", id="period"),
        pytest.param({"query": "a", "listed": ","}, "--list needs facets", id="list"),
        pytest.param({"query": "a", "json": True, "csv": True}, "--json and --csv", id="csv"),
    ],
)
def test_what_is_wrong_with_a_command(typed: dict[str, Any], problem: str) -> None:
    """Names the option; nothing is sent."""
    api = Api(counted(1))
    status, out, err = shown(api, **typed)

    assert (status, out, api.requests) == (2, "", [])
    assert problem in err
    assert err.count("\n") == 1


def test_a_refusal() -> None:
    """In Datadog's words, without what controls a terminal."""
    assert shown(Api(refused(400, "no such\x1b[2J facet")), query="a") == (
        1,
        "",
        "400 Bad Request: no such?[2J facet\n",
    )


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the real command with nothing but this environment."""
    command = [sys.executable, "-c", "from dd_pa.cli.program import main; main()", "query", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={"PYTHONUTF8": "1"} | environ
    )


def test_the_command() -> None:
    """With an address and no key, as for the emulator; rich does not colour what is no terminal."""
    with serving(PLANS.content).running() as url:
        ran = run("order.placed", "--by", "@plan", "--last", "12h", DD_PA_INTAKE_URL=url)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "1,234,567" in ran.stdout
    assert "\x1b" not in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "environ", "status", "problem"),
    [
        pytest.param(["a"], {}, 2, "APP_KEY: is missing", id="no-key"),
        pytest.param(["a"], {"DD_SITE": "nowhere"}, 2, "SITE: 'nowhere' is not a Datadog site", id="site"),
        pytest.param(["a"], {"DD_PA_APPKEY": "x"}, 2, "did you mean APP_KEY?", id="setting"),
        pytest.param(["a", "--limit", "many"], {}, 2, "Invalid value for '--limit'", id="click"),
        pytest.param(["a"], {"DD_PA_API_URL": "http://127.0.0.1:9"}, 1, "cannot be reached", id="nobody-there"),
    ],
)
def test_the_commands_statuses(arguments: list[str], environ: dict[str, str], status: int, problem: str) -> None:
    """1: no answer; 2: the command or a setting is wrong."""
    ran = run(*arguments, **environ)

    assert (ran.returncode, ran.stdout) == (status, "")
    assert problem in ran.stderr
    assert "Traceback" not in ran.stderr
