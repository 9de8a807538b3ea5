"""`dd-pa init`, in projects as they are made by their frameworks and by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dd_pa.emulator import Emulator
from dd_pa.project_setup import UnknownProjectError, django_changes, find_project, flask_changes

FACTORY = """from flask import Flask


def create_app():
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="x")

    @app.get("/")
    def index():
        return "hello"

    return app
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(folder / "state"), "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def django_project(tmp_path: Path) -> Path:
    made = run(tmp_path, "-m", "django", "startproject", "shop", ".")
    assert made.returncode == 0, made.stderr
    return tmp_path


def at(path: Path, url: str) -> None:
    path.write_text(path.read_text().replace("http://127.0.0.1:8994", url))


def test_a_new_django_project(django_project: Path) -> None:
    """Shown first, written when told to, with the app last and the middleware first; then there is nothing to add."""
    settings = django_project / "shop" / "settings.py"
    before = settings.read_text()
    shown = run(django_project, "-m", "dd_pa.cli.program", "init")

    assert (shown.returncode, settings.read_text()) == (0, before), shown.stderr
    assert [line for line in shown.stdout.splitlines() if line.startswith("-") and not line.startswith("---")] == []
    assert '+    "dd_pa_django",' in shown.stdout

    written = run(django_project, "-m", "dd_pa.cli.program", "init", "--write")
    assert 'MIDDLEWARE = [\n    "dd_pa_django.middleware' in settings.read_text()
    assert "Written." in written.stdout  # an emulator may run there, or not
    with Emulator().running() as url:
        at(settings, url)
        again = run(django_project, "-m", "dd_pa.cli.program", "init")
    assert (again.returncode, "has all that dd-pa needs" in again.stdout) == (0, True), again.stdout + again.stderr
    assert "takes the key" in again.stdout
    gone = run(django_project, "-m", "dd_pa.cli.program", "init")  # the doctor reaches it no more
    assert (gone.returncode, "start the emulator" in gone.stdout) == (1, True), gone.stdout + gone.stderr


def test_manage_py_adds_what_is_left(django_project: Path) -> None:
    """Once the app is installed; the rest of the settings is read by the next process."""
    settings = django_project / "shop" / "settings.py"
    settings.write_text(settings.read_text() + '\nINSTALLED_APPS += ["dd_pa_django"]\n')
    shown = run(django_project, "manage.py", "dd_pa_init")
    written = run(django_project, "manage.py", "dd_pa_init", "--write")

    assert "Add these lines with --write" in shown.stdout, shown.stderr
    assert settings.read_text().count("dd_pa_django") == 2, written.stderr
    with Emulator().running() as url:
        at(settings, url)
        assert "takes the key" in run(django_project, "manage.py", "dd_pa_init").stdout


def test_a_flask_factory(tmp_path: Path) -> None:
    """The app is configured and set up before its views are made."""
    app = tmp_path / "app.py"
    app.write_text(FACTORY)
    shown = run(tmp_path, "-m", "dd_pa.cli.program", "init")

    assert (shown.returncode, app.read_text()) == (0, FACTORY), shown.stderr
    run(tmp_path, "-m", "dd_pa.cli.program", "init", "--write")
    with Emulator().running() as url:
        at(app, url)
        again = run(tmp_path, "-m", "dd_pa.cli.program", "init")
        by_flask = run(tmp_path, "-m", "flask", "--debug", "dd-pa", "init")
    for ended in (again, by_flask):
        assert (ended.returncode, "has all that dd-pa needs" in ended.stdout) == (0, True), ended.stdout + ended.stderr
        assert "takes the key" in ended.stdout


def test_flask_adds_what_is_left(tmp_path: Path) -> None:
    """Where the extension is set up without a configuration."""
    app = tmp_path / "app.py"
    set_up = "from dd_pa_flask import ProductAnalytics\n\nours = ProductAnalytics()\n"
    app.write_text(set_up + FACTORY.replace('SECRET_KEY="x")', 'SECRET_KEY="x")\n    ours.init_app(app)'))
    ended = run(tmp_path, "-m", "flask", "dd-pa", "init", "--write")

    assert ended.returncode == 0, ended.stderr
    text = app.read_text()
    assert 0 < text.index("if app.debug:") < text.index("ours.init_app(app)")
    assert text.count("init_app") == 1


MODULE_APP = "import flask\n\napp: flask.Flask = flask.Flask(__name__)\napp.config['A'] = 1\nanalytics = 1\n"


def test_a_flask_app_of_a_module(tmp_path: Path) -> None:
    """At its level; a name that is taken is left alone."""
    path = tmp_path / "wsgi.py"
    path.write_text(MODULE_APP)
    [change] = flask_changes(path)
    after = change.after

    assert (
        after.index("app.config['A']") < after.index("if app.debug:") < after.index("product_analytics.init_app(app)")
    )
    compile(after, "wsgi.py", "exec")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("DEBUG = True\nINSTALLED_APPS = ['a']\nMIDDLEWARE = []\n", id="on one line"),
        pytest.param("from .base import *\n", id="of a base"),
        pytest.param("DEBUG = True\nINSTALLED_APPS = [\n    'a'\n]\nMIDDLEWARE = ('b',)\n", id="no comma, a tuple"),
        pytest.param("INSTALLED_APPS = env.list()\nMIDDLEWARE = make()\n", id="made by code, no DEBUG"),
    ],
)
def test_other_ways_to_write_settings(tmp_path: Path, settings: str) -> None:
    """What cannot be put into a list is added at the end; all of what was there stays as it was."""
    path = tmp_path / "settings.py"
    path.write_text(settings)
    [change] = django_changes(path, tmp_path)
    after = change.after

    compile(after, "settings.py", "exec")
    assert after.startswith(settings)
    path.write_text(after)
    assert django_changes(path, tmp_path) == []


BASE = "DEBUG = False\nINSTALLED_APPS = [\n    'a',\n]\nMIDDLEWARE = [\n    'b',\n]\n"


@pytest.mark.parametrize("star", ["from .base import *", "from config.settings.base import *  # noqa: F403"])
def test_settings_with_a_base(tmp_path: Path, star: str) -> None:
    """Production, which has the same base, gets app and middleware too; the emulator's address is development's."""
    folder = tmp_path / "config" / "settings"
    folder.mkdir(parents=True)
    (folder / "base.py").write_text(BASE)
    path = folder / "dev.py"
    path.write_text(f"{star}\nDEBUG = True\nINSTALLED_APPS += ['debug_toolbar']\n")
    for change in django_changes(path, tmp_path):
        change.apply()

    assert "'a',\n    \"dd_pa_django\",\n]" in (folder / "base.py").read_text()
    assert "DD_PA" not in (folder / "base.py").read_text()
    assert path.read_text().partition("if DEBUG:")[2].count("DD_PA = {") == 1
    assert "dd_pa_django" not in path.read_text()
    assert django_changes(path, tmp_path) == []


def test_settings_that_import_each_other(tmp_path: Path) -> None:
    """A circle is gone round once; what is not of the project is left alone."""
    (tmp_path / "a.py").write_text("from b import *\nfrom elsewhere import *\n")
    (tmp_path / "b.py").write_text("from a import *\nMIDDLEWARE = make()\n")

    assert [change.path.name for change in django_changes(tmp_path / "a.py", tmp_path)] == ["a.py", "b.py"]


@pytest.mark.parametrize(
    "set_up",
    [
        pytest.param("analytics = ProductAnalytics(app)", id="at once"),
        pytest.param("ProductAnalytics(app)", id="without a name"),
        pytest.param("from extensions import analytics\nanalytics.init_app(app)", id="made in another module"),
        pytest.param("from .extensions import analytics\nanalytics.init_app(app)", id="relative"),
    ],
)
def test_a_flask_app_that_is_set_up(tmp_path: Path, set_up: str) -> None:
    """In whatever way: nothing is set up twice, and its settings come before."""
    (tmp_path / "extensions.py").write_text(
        "from dd_pa_flask import ProductAnalytics\nanalytics = ProductAnalytics()\n"
    )
    path = tmp_path / "app.py"
    path.write_text(f"from dd_pa_flask import ProductAnalytics\n{MODULE_APP}{set_up}\n")
    [change] = flask_changes(path)
    after = change.after

    assert after.count("init_app") == set_up.count("init_app")
    assert after.count("import ProductAnalytics") == 1
    assert after.index("DD_PA_API_KEY") < after.index(set_up.splitlines()[-1])


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    """It says what was looked for."""
    ended = run(tmp_path, "-m", "dd_pa.cli.program", "init")

    assert (ended.returncode, "neither a manage.py" in ended.stderr) == (1, True)


def test_two_apps_ask_for_a_name(tmp_path: Path) -> None:
    """The one that is named is taken."""
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(FACTORY)
    with pytest.raises(UnknownProjectError, match=r"a\.py, b\.py; name one"):
        find_project(tmp_path)

    assert getattr(find_project(tmp_path, Path("b.py")), "app", None) == "b"
