"""The tutorial is followed word for word, but for the ports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from dd_pa.emulator import Emulator

PAGE = (Path(__file__).parents[1] / "docs/tutorial.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", PAGE, flags=re.DOTALL))
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, flags=re.MULTILINE)

VISIT = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
import django
django.setup()
from django.contrib.auth.models import User
from django.test import Client
from dd_pa_django import get_emitter
visitor, ada = Client(SERVER_NAME="127.0.0.1"), Client(SERVER_NAME="127.0.0.1")
assert visitor.get("/cart").status_code == 200
assert visitor.get("/checkout").status_code == 302
ada.force_login(User.objects.get(username="ada"))
for path in ("/checkout", "/cart", "/checkout"):
    assert ada.get(path).status_code == 200
    assert get_emitter().flush(20)
"""


class Follower:
    """Somebody in an empty folder who does what the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(folder / "state"),
            "DJANGO_SUPERUSER_PASSWORD": "not-a-secret",
        }

    def run(self, command: str, *more: str) -> str:
        """Run a command of the page."""
        assert command in COMMANDS, f"the page does not say: {command}"
        return self._run(*command.split(), *more)

    def visit(self) -> None:
        """Open the pages that it tells to open."""
        self._run(sys.executable, "-c", VISIT)

    def _run(self, *command: str) -> str:
        ended = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=90, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@pytest.mark.timeout(300)
def test_the_tutorial(tmp_path: Path) -> None:
    """From an empty folder to a funnel and a test that passes."""
    follower = Follower(tmp_path)
    follower.run("django-admin startproject shop .")
    emulator = Emulator()
    with emulator.running() as url:
        subprocess.run(
            [sys.executable, "-m", "dd_pa.cli.program", "init", "--write"],
            cwd=tmp_path,
            env=follower.environ,
            capture_output=True,
            check=False,
            timeout=90,
        )  # the doctor finds no emulator yet, as the page says
        settings = tmp_path / "shop/settings.py"
        settings.write_text(settings.read_text().replace("http://127.0.0.1:8994", url))
        for name, text in FILES.items():
            (tmp_path / name).write_text(text)
        follower.run("python manage.py migrate")
        follower.run("python manage.py createsuperuser --username ada --email ada@example.com", "--noinput")
        follower.visit()
        funnel = follower.run("python manage.py dd_pa_query --funnel cart.viewed,checkout.completed --entity user")
        drops = httpx.get(f"{url}/api/emulator/drops").json()["drops"]

    told = [(event["event"]["name"], event["usr"]["id"]) for event in emulator.events]
    assert told == [("checkout.completed", "1"), ("cart.viewed", "1"), ("checkout.completed", "1")]
    assert [(drop["name"], drop["reason"]) for drop in drops] == [("cart.viewed", "unlinked")]
    assert "checkout.completed" in funnel
    assert "100" in funnel
    follower.run("python manage.py test shop")
