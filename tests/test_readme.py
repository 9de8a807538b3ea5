"""The README is run, not believed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import MISSING, fields
from pathlib import Path

import httpx
import pytest

from dd_pa import Settings
from dd_pa.emulator import Emulator
from tests.query.documented import documented

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"]
STARTED = (ROOT / "docs" / "getting-started.md").read_text()
BLOCKS = dict(re.findall(r"<!-- test: (\S+) -->\n```python\n(.*?)```", README + STARTED, flags=re.DOTALL))
SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
LINKED = {
    "report.viewed": {"session": {"id": SESSION}},
    "checkout.completed": {"usr": {"id": "u-1"}, "session": {"id": SESSION}, "order": {"total": 89.5}},
}
"""What both quickstarts send from a browser that has a session."""

EMULATOR = "http://127.0.0.1:8994"

MOST_LINES = 95
"""More than that is no first page."""


DJANGO_BASE = """
SECRET_KEY = "readme"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
"""
DJANGO_URLS = """
from django.urls import path
import views
urlpatterns = [path("report", views.report), path("checkout", views.checkout)]
"""
DJANGO_VISIT = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.test import Client
from dd_pa_django import get_emitter
client = Client(headers={"Cookie": sys.argv[1]})
assert client.get("/report").status_code == 200
assert client.post("/checkout").status_code == 200
assert get_emitter().flush(60)
"""
FLASK_VISIT = """
import sys
from app import analytics, app
client = app.test_client(use_cookies=False)
headers = {"Cookie": sys.argv[1]}
assert client.get("/checkout", headers=headers).status_code == 200
assert client.get("/report", headers=headers).status_code == 200
with app.app_context():
    assert analytics.emitter.flush(60)
"""


def run(folder: Path, program: str, *arguments: str, **environ: str) -> None:
    environ["XDG_STATE_HOME"] = str(folder / "state")
    subprocess.run([sys.executable, "-c", program, *arguments], cwd=folder, env=environ, check=True, timeout=60)


def cookie() -> str:
    now = int(time.time() * 1000)
    return f"_dd_s_v2=id={SESSION}&created={now - 1000}&expire={now + 900_000}&c=0"


def arrived(emulator: Emulator) -> dict[str, dict[str, object]]:
    """Return the events by name, without what differs from run to run."""
    omitted = ("dd_pa", "type", "application", "event")
    return {
        event["event"]["name"]: {key: value for key, value in event.items() if key not in omitted}
        for event in emulator.events
    }


def test_plain_python(tmp_path: Path) -> None:
    """The plain block delivers its event with nothing but environment variables."""
    emulator = Emulator()

    with emulator.running() as url:
        run(tmp_path, BLOCKS["plain"], DD_API_KEY="local", DD_PA_APPLICATION_ID="demo", DD_PA_INTAKE_URL=url)

    assert arrived(emulator) == {
        "invoice.sent": {"usr": {"id": "user-12345"}, "account": {"id": "acme"}, "invoice": {"total": 42.5}}
    }


@pytest.mark.parametrize("block", ["captured", "testing"])
def test_testing(tmp_path: Path, block: str) -> None:
    """The blocks about tests are tests that pass."""
    run(tmp_path, BLOCKS[block])


def test_query(tmp_path: Path) -> None:
    """The block about reading asks with nothing but an address and a key."""
    with documented().running() as url:
        run(tmp_path, BLOCKS["query"], DD_API_KEY="local", DD_PA_APPLICATION_ID="demo", DD_PA_INTAKE_URL=url)


def visited(folder: Path, framework: str, visitor: str) -> tuple[Emulator, list[dict[str, object]]]:
    """Paste a quickstart, open its views with this cookie; return the emulator and what it was told of drops."""
    emulator = Emulator()
    with emulator.running() as url:
        for name, block in BLOCKS.items():
            if name.startswith(f"{framework}/"):
                base = DJANGO_BASE if name == "django/settings.py" else ""
                (folder / Path(name).name).write_text(base + block.replace(EMULATOR, url))
        if framework == "django":
            (folder / "urls.py").write_text(DJANGO_URLS)
        run(folder, {"django": DJANGO_VISIT, "flask": FLASK_VISIT}[framework], visitor)
        return emulator, httpx.get(f"{url}/api/emulator/drops").json()["drops"]


@pytest.mark.parametrize("framework", ["django", "flask"])
def test_quickstart(tmp_path: Path, framework: str) -> None:
    """The blocks, pasted into a project, send both events linked to the browser session."""
    emulator, drops = visited(tmp_path, framework, cookie())

    assert arrived(emulator) == LINKED
    assert drops == []


@pytest.mark.parametrize("framework", ["django", "flask"])
def test_a_first_look_without_a_browser_sdk(tmp_path: Path, framework: str) -> None:
    """Who pastes the quickstart and opens the views sees an event, and on the page why the other one is none."""
    emulator, drops = visited(tmp_path, framework, "none=1")

    assert list(arrived(emulator)) == ["checkout.completed"]
    assert [(drop["name"], drop["reason"]) for drop in drops] == [("report.viewed", "unlinked")]


def test_one_screen() -> None:
    """What, for whom, how to begin and where to go on: the rest is in the docs."""
    assert len(README.splitlines()) <= MOST_LINES


def test_settings_table() -> None:
    """The table names every setting, in the order of the code, with the default that the code has."""
    special = {"application_id": "required", "api_key": "required", "intake_url": "from the site"}
    special["api_url"] = special["intake_url"]
    expected = [
        (item.name.upper(), special.get(item.name) or ("none" if item.default is None else f"`{item.default}`"))
        for item in fields(Settings)
        if item.default is not MISSING
    ]

    table = (ROOT / "docs" / "settings.md").read_text()
    documented = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", table, flags=re.MULTILINE)

    assert documented == expected


@pytest.mark.parametrize("page", sorted(page.relative_to(ROOT) for page in PAGES), ids=str)
def test_links(page: Path) -> None:
    """Every file that a page points to is there, and every heading."""
    missing = []
    for target, heading in re.findall(r"\]\(([^)#:\s]*)(#[^)\s]+)?\)", (ROOT / page).read_text()):
        file = (ROOT / page.parent / target).resolve() if target else ROOT / page
        if not file.exists() or (heading and heading[1:] not in anchors(file)):
            missing.append(target + heading)
    assert missing == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made on the sites that show Markdown."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_commands_are_make_targets() -> None:
    """Both commands of the README exist."""
    makefile = (ROOT / "Makefile").read_text()

    assert json.dumps(re.findall(r"^\$ make (\w+)", README, flags=re.MULTILINE)) == '["demo", "test"]'
    assert {"demo", "test"} <= set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))
