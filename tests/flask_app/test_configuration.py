"""Where an app's settings come from, when they are read, and who may run without secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from dd_pa import EventError
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, state_of

APP = """
import click
from flask import Flask
from dd_pa_flask import ProductAnalytics

def create_app():
    app = Flask(__name__)
    app.config["DD_PA_APPLICATION_ID"] = ""
    ProductAnalytics(app)

    @app.cli.command("upgrade")
    def upgrade():
        click.echo("upgraded")

    @app.cli.command("place-order")
    def place_order():
        click.echo(f'kept: {app.extensions["dd_pa"].emitter.track("order.placed", usr="u-1")}')

    return app
"""


def flask(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "shop.py").write_text(APP)
    command = [sys.executable, "-m", "flask", "--app", "shop", *arguments]
    known = {"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(folder), "PYTHONWARNINGS": "error"}
    return subprocess.run(
        command, cwd=folder, env=known | environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["routes"], "static", id="Flask's own"),
        pytest.param(["upgrade"], "upgraded", id="the app's"),
        pytest.param(["place-order"], "kept: None", id="one that tracks"),
    ],
)
def test_commands_run_without_keys(tmp_path: Path, arguments: list[str], says: str) -> None:
    """As where an image is built: with a warning that names what is missing, and without events."""
    ended = flask(tmp_path, *arguments)

    assert (ended.returncode, says in ended.stdout) == (0, True), ended.stderr
    assert "DD_PA_APPLICATION_ID: is missing" in ended.stderr
    assert "runs without events; a server does not start" in ended.stderr


def test_a_server_does_not_start_without_keys(tmp_path: Path) -> None:
    """It would lose each event."""
    ended = flask(tmp_path, "run", "--port", "0")

    assert ended.returncode != 0
    assert "DD_PA_APPLICATION_ID: is missing" in ended.stderr


def test_what_is_wrong_stops_commands_too(tmp_path: Path) -> None:
    """Only what is missing may come later."""
    ended = flask(tmp_path, "upgrade", DD_PA_TIMEOUT="soon")

    assert ended.returncode != 0
    assert "DD_PA_TIMEOUT: must be a number" in ended.stderr


@pytest.mark.parametrize("command", ["doctor", "send"])
def test_our_commands_say_what_is_missing(tmp_path: Path, command: str) -> None:
    """That is what they are for, so they fail."""
    ended = flask(tmp_path, "dd-pa", command)

    assert ended.returncode == 1
    assert "DD_PA_APPLICATION_ID: is missing" in ended.stdout + ended.stderr.rpartition("does not start")[2]


def test_testing_may_be_set_after_the_factory(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """As most test suites do: what counts is the flag when the first event is tracked."""
    app = make_app(TESTING=False)
    app.config["TESTING"] = True

    with app.app_context(), pytest.raises(EventError):
        analytics.track("order.placed", {"total": float("nan")}, usr="u-1")


def test_flags_change_nothing_after_the_first_event(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """One emitter counts all events of an app."""
    app = make_app(TESTING=False)
    with app.app_context():
        analytics.track("order.placed", usr="u-1")
        app.config["TESTING"] = True
        analytics.track("order.placed", {"total": float("nan")}, usr="u-1")

    stats = state_of(app).emitter.stats()
    assert (stats.queued, stats.repaired) == (2, 1)


def test_an_explicit_strict_is_kept(make_app: MakeApp) -> None:
    """The flags are its default only."""
    app: Flask = make_app(TESTING=False, DD_PA_STRICT=False)
    app.config["TESTING"] = True

    assert state_of(app).emitter.settings.strict is False
