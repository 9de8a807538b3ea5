from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from dd_pa.emulator import Emulator
from dd_pa_flask.commands import COMMANDS
from tests.flask_app.conftest import MakeApp
from tests.query.api import counted, serving


def test_every_command_is_listed_with_its_help(app: Flask) -> None:
    """`flask dd-pa --help` imports each command's module."""
    result = app.test_cli_runner().invoke(args=["dd-pa", "--help"])

    assert result.exit_code == 0, result.output
    assert [name for name in COMMANDS if f"  {name}  " not in result.output] == []


def test_send_says_that_the_event_arrived(app: Flask, emulator: Emulator) -> None:
    result = app.test_cli_runner().invoke(args=["dd-pa", "send", "plan.upgraded", '{"plan": "pro"}', "--usr", "u-1"])

    assert result.exit_code == 0, result.output
    [event] = emulator.events
    assert (event["event"]["name"], event["usr"], event["plan"]) == ("plan.upgraded", {"id": "u-1"}, "pro")
    assert event["dd_pa"]["event_id"] in result.output


def test_send_ends_with_an_error_when_the_event_is_refused(app: Flask, emulator: Emulator) -> None:
    """What the intake answers is said."""
    emulator.fail(status=400)
    result = app.test_cli_runner().invoke(args=["dd-pa", "send"])

    assert result.exit_code == 1
    assert "400" in result.output


@pytest.mark.parametrize("attributes", [pytest.param("{", id="no JSON"), pytest.param('{"usr": 1}', id="reserved")])
def test_send_refuses_bad_attributes(app: Flask, emulator: Emulator, attributes: str) -> None:
    result = app.test_cli_runner().invoke(args=["dd-pa", "send", "a.b", attributes])

    assert result.exit_code == 1
    assert json.dumps(emulator.events) == "[]"


def test_send_says_that_events_are_switched_off(make_app: MakeApp) -> None:
    app = make_app(DD_PA_ENABLED=False)
    result = app.test_cli_runner().invoke(args=["dd-pa", "send"])

    assert result.exit_code == 1
    assert "ENABLED is off" in result.output


def test_query_asks_with_the_apps_settings(make_app: MakeApp) -> None:
    """The options are those of `dd-pa query`."""
    api = serving(counted(42).content)
    with api.running() as url:
        app = make_app(DD_PA_API_URL=url, DD_PA_APP_KEY="app-key-1")
        result = app.test_cli_runner().invoke(args=["dd-pa", "query", "order.placed", "--by", "@plan", "--json"])

    [post] = api.posts
    assert (result.exit_code, json.loads(result.output)) == (0, [{"value": 42}])
    assert b"app-key-1" in post.head
    assert json.loads(post.body)["data"]["attributes"]["query"]["group_by"] == [{"facet": "@plan"}]


def test_query_ends_with_2_when_the_command_is_wrong(app: Flask) -> None:
    """And says why."""
    result = app.test_cli_runner().invoke(args=["dd-pa", "query", "a", "--last", "soon"])

    assert (result.exit_code, "--last soon" in result.output) == (2, True)


def test_doctor_looks_at_the_apps_own_settings(make_app: MakeApp, emulator: Emulator, tmp_path: Path) -> None:
    """It ends with 1 where events do not arrive."""
    app = make_app(DD_PA_SPOOL_DIR=str(tmp_path / "spool"))
    lost = make_app(DD_PA_INTAKE_URL="http://127.0.0.1:9", DD_PA_SPOOL_DIR=None)
    well, ill = (each.test_cli_runner().invoke(args=["dd-pa", "doctor"]) for each in (app, lost))

    assert (well.exit_code, ill.exit_code) == (0, 1), well.output + ill.output
    assert "takes the key" in well.output
    assert emulator.events == []


def test_stats_are_those_of_the_apps_spool(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(DD_PA_SPOOL_DIR=str(tmp_path / "spool"))
    result = app.test_cli_runner().invoke(args=["dd-pa", "stats", "--json"])

    assert json.loads(result.output)["rejected"] == 0
    assert "0 rejected events" in app.test_cli_runner().invoke(args=["dd-pa", "stats"]).output
