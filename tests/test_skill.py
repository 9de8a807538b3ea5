"""The skill for coding agents: its form, its blocks, and the command that copies it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import yaml
from click.testing import CliRunner
from flask import Flask, redirect, url_for

from dd_pa.cli.skill import SKILL, command
from dd_pa.testing import capture_events
from dd_pa_flask import ProductAnalytics
from tests.test_readme import DJANGO_BASE

TEXT = SKILL.read_text()
_, FRONT, BODY = TEXT.split("---\n", 2)
DJANGO, FLASK, TEST = re.findall(r"^```python\n(.*?)^```$", BODY, flags=re.DOTALL | re.MULTILINE)

PLACED = """
from decimal import Decimal
from types import SimpleNamespace
def place_order(request=None):
    return SimpleNamespace(pk=1, id=1, total=Decimal("89.50"))
"""
CONFTEST = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
import pytest
@pytest.fixture
def client(db):
    from django.test import Client
    return Client()
@pytest.fixture
def db():
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
@pytest.fixture
def user(db):
    from django.contrib.auth.models import User
    return User.objects.create_user("ada")
"""


def test_the_form() -> None:
    """As agentskills.io asks: the name is the folder's, the description says when, the text is read at one go."""
    front = yaml.safe_load(FRONT)

    assert set(front) == {"name", "description", "license"}
    assert front["name"] == SKILL.parent.name
    assert "Use when" in front["description"]
    assert len(front["description"]) <= 1024
    assert len(TEXT) < 8_000


def test_its_django_view_and_its_test(tmp_path: Path) -> None:
    """The test of the one passes with the view of the other."""
    settings = (
        DJANGO_BASE + 'INSTALLED_APPS += ["dd_pa_django"]\nDD_PA = {"APPLICATION_ID": "a", "API_KEY": "k" * 32}\n'
    )
    settings += 'MIDDLEWARE.insert(0, "dd_pa_django.middleware.ProductAnalyticsMiddleware")\n'
    (tmp_path / "settings.py").write_text(settings)
    (tmp_path / "urls.py").write_text(
        f"{PLACED}\n{DJANGO}\nfrom django.urls import path\n"
        'urlpatterns = [path("checkout", checkout), path("", checkout, name="thanks")]\n'
    )
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_shop.py").write_text(TEST)
    environ = {"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(tmp_path / "state")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:asyncio"]
    ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_its_flask_view() -> None:
    app = Flask("shop")
    app.config.update(DD_PA_APPLICATION_ID="a", DD_PA_API_KEY="k" * 32, DD_PA_USER_ID=lambda request: "ada")
    app.add_url_rule("/", "thanks", lambda: "thanks")
    names = {"app": app, "analytics": ProductAnalytics(app), "redirect": redirect, "url_for": url_for}
    exec(PLACED + FLASK, names)  # noqa: S102 - the block is ours

    with capture_events() as events:
        assert app.test_client().post("/checkout").status_code == 302

    events.assert_tracked("order.placed", {"order": {"total": Decimal("89.50")}}, usr="ada", count=1)


def test_the_command_prints_where_it_is() -> None:
    assert CliRunner().invoke(command).output.strip() == str(SKILL)


def test_the_command_copies_it(tmp_path: Path) -> None:
    """Again and again, but not over what somebody has changed."""
    copy = tmp_path / "skills" / "dd-pa" / "SKILL.md"
    arguments = ["--to", str(tmp_path / "skills")]
    for _ in range(2):
        assert CliRunner().invoke(command, arguments).output.strip() == str(copy)
    copy.write_text("ours")
    refused = CliRunner().invoke(command, arguments)

    assert (refused.exit_code, "--force" in refused.output, copy.read_text()) == (1, True, "ours")
    assert CliRunner().invoke(command, [*arguments, "--force"]).exit_code == 0
    assert copy.read_text() == TEXT


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = CliRunner().invoke(command, ["--to", str(tmp_path / "file" / "skills")])

    assert (refused.exit_code, "cannot be written" in refused.output) == (1, True)
