"""What `dd-pa init` makes of projects that nobody's template has made: they go on working, and nothing else changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dd_pa.project_setup import FlaskProject, UnknownProjectError, django_changes, find_project, flask_changes

MANAGE = b"import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
LISTS = "INSTALLED_APPS = [\n    'a',\n]\nMIDDLEWARE = [\n    'b',\n]\n"
MIDDLEWARE = "dd_pa_django.middleware.ProductAnalyticsMiddleware"

DJANGO = {
    "lines of Windows": {"shop/settings.py": ("DEBUG = True\n" + LISTS).replace("\n", "\r\n").encode()},
    "a form feed": {"shop/settings.py": f"DEBUG = True\n\f\n{LISTS}".encode()},
    "ends of lines that are none": {"shop/settings.py": f"DEBUG = True\nA = 'a\u2028b\x1cc\x85d'\n{LISTS}".encode()},
    "no end of the last line": {"shop/settings.py": b"DEBUG = True\nMIDDLEWARE = []\nINSTALLED_APPS = ['a']"},
    "a mark of byte order": {"shop/settings.py": b"\xef\xbb\xbfDEBUG = True\n" + LISTS.encode()},
    "Latin-1": {"shop/settings.py": b"# coding: latin-1\nDEBUG = True\nNAME = '\xe9'\n" + LISTS.encode()},
    "annotations": {
        "shop/settings.py": b"DEBUG: bool = True\nINSTALLED_APPS: list[str] = [\n    'a',\n]\n"
        b"MIDDLEWARE: list[str] = []\n"
    },
    "tuples that others add to": {
        "shop/base.py": b"DEBUG = True\nINSTALLED_APPS = (\n    'a',\n)\nMIDDLEWARE = (\n    'b',\n)\n",
        "shop/settings.py": b"from .base import *\nINSTALLED_APPS = INSTALLED_APPS + ('c',)\nMIDDLEWARE += ('c',)\n",
    },
    "tabs": {"shop/settings.py": b"DEBUG = True\nINSTALLED_APPS = [\n\t'a',\n]\nMIDDLEWARE = [\n\t'b',\n]\n"},
    "a list that is replaced": {"shop/settings.py": f"DEBUG = True\n{LISTS}INSTALLED_APPS = ['z', 'y']\n".encode()},
    "a list that is replaced in a branch": {
        "shop/settings.py": f"DEBUG = True\n{LISTS}if DEBUG:\n    MIDDLEWARE = ['y']\n".encode()
    },
    "lists that are added to": {
        "shop/settings.py": (
            f"DEBUG = True\n{LISTS}INSTALLED_APPS += ['z']\nif DEBUG:\n    MIDDLEWARE.append('y')\n".encode()
        )
    },
    "names of another module": {
        "shop/base.py": f"DEBUG = True\n{LISTS}".encode(),
        "shop/settings.py": b"from shop.base import DEBUG, INSTALLED_APPS, MIDDLEWARE\n",
    },
    "names that come at run time": {
        "shop/settings.py": b"globals().update(DEBUG=True, INSTALLED_APPS=('a',), MIDDLEWARE=['b'])\n"
    },
    "no middleware at all": {"shop/settings.py": b"DEBUG = True\nINSTALLED_APPS = ['a']\n"},
    "no DEBUG": {"shop/settings.py": LISTS.encode()},
    "DEBUG of a file that production lacks": {
        "shop/settings.py": f"{LISTS}try:\n    from .local import *\nexcept ImportError:\n    pass\n".encode()
    },
    "DEBUG of a file that is there": {
        "shop/local.py": b"DEBUG = True\n",
        "shop/settings.py": f"{LISTS}try:\n    from .local import *\nexcept ImportError:\n    pass\n".encode(),
    },
    "a name of a function": {"shop/settings.py": f"def f():\n    DEBUG = True\n{LISTS}".encode()},
}

FLASK = {
    "views below the app": {
        "app.py": b"from flask import Flask\napp = Flask(__name__)\napp.config['A'] = 1\nimport views\n",
        "views.py": b"from app import app\n",
    },
    "served at the end": {
        "app.py": b"from flask import Flask\napp = Flask(__name__)\napp.config['PORT'] = 1\n"
        b"app.run = lambda **_: exit(0 if 'dd_pa' in app.extensions else 7)\n"
        b"if __name__ == '__main__':\n    app.run(port=app.config['PORT'])\n"
    },
    "imports of a function": {
        "app.py": b"#!/usr/bin/env python\n'''A shop.'''\n\ndef create_app():\n    from flask import Flask\n"
        b"    app = Flask(__name__)\n    return app\n"
    },
    "no imports above": {"app.py": b"#!/usr/bin/env python\n# A shop.\ndef create_app():\n"
                         b"    import flask\n    app = flask.Flask(__name__)\n    return app\n"},
    "configured by a try": {
        "app.py": b"from flask import Flask\napp = Flask(__name__)\n"
        b"try:\n    app.config.from_object('production')\nexcept ImportError:\n    pass\n",
        "production.py": b"DD_PA_ENV = 'late'\n",
    },
    "configured by a loop": {
        "app.py": b"from flask import Flask\napp = Flask(__name__)\n"
        b"for key in ['DD_' + 'PA_ENV']:\n    app.config[key] = 'late'\n"
    },
    "configured in place": {
        "app.py": b"from flask import Flask\napp = Flask(__name__)\napp.config |= {'DD_' + 'PA_ENV': 'late'}\n"
    },
    "made in a branch": {
        "app.py": b"from flask import Flask\nif False:\n    pass\n"
        b"else:\n    app = Flask(__name__)\n    app.config['A'] = 1\n"
    },
    "lines of Windows": {"app.py": b"from flask import Flask\r\n\r\napp = Flask(__name__)\r\n"},
    "a form feed": {"app.py": b"from flask import Flask\n\f\napp = Flask(__name__)\napp.config['A'] = 1\n"},
    "future": {
        "app.py": b"'''A shop.'''\nfrom __future__ import annotations\nimport flask\n"
        b"app = flask.Flask(__name__)\n"
    },
    "no end of the last line": {"app.py": b"import flask\napp = flask.Flask(__name__)"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_settings_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of Django beside these name theirs in the environment."""
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(content)


def require_only_additions(folder: Path, files: dict[str, bytes]) -> None:
    """Fail unless each line is there that was there before, byte for byte."""
    for name, content in files.items():
        before, after = content.split(b"\n"), (folder / name).read_bytes().split(b"\n")
        lost = Counter(line.removesuffix(b"\r") for line in before) - Counter(
            line.removesuffix(b"\r") for line in after
        )
        assert not lost, name
        if b"\r\n" in content:
            assert all(line.endswith(b"\r") for line in after[:-1])
        else:
            assert b"\r" not in b"".join(after)


def run(folder: Path, code: str, *options: str) -> str:
    environ = {"PATH": os.environ["PATH"], "DD_API_KEY": "k", "DD_PA_APPLICATION_ID": "shop", "DD_PA_ENABLED": "true"}
    command = [sys.executable, *options, *(["-c", code] if code else [])]
    ended = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def settings_of(folder: Path) -> dict[str, Any]:
    names = ["DEBUG", "INSTALLED_APPS", "MIDDLEWARE", "DD_PA"]
    code = (
        f"import json, shop.settings as s; print(json.dumps({{n: getattr(s, n, None) for n in {names}}}, default=list))"
    )
    found: dict[str, Any] = json.loads(run(folder, code))
    return found


@pytest.mark.parametrize("files", DJANGO.values(), ids=DJANGO)
def test_settings_of_django(tmp_path: Path, files: dict[str, bytes]) -> None:
    """App and middleware are there, once, and the emulator where DEBUG is on; all else is as it was."""
    write(tmp_path, {"manage.py": MANAGE, **files})
    before = settings_of(tmp_path)
    project = find_project(tmp_path)
    assert not isinstance(project, FlaskProject)
    for change in django_changes(project.settings, tmp_path):
        change.apply()
    after = settings_of(tmp_path)

    require_only_additions(tmp_path, files)
    assert Counter(after["INSTALLED_APPS"]) == Counter([*before["INSTALLED_APPS"], "dd_pa_django"])
    assert after["MIDDLEWARE"] == [MIDDLEWARE, *(before["MIDDLEWARE"] or [])]
    assert (after["DD_PA"] is not None, after["DEBUG"]) == (before["DEBUG"] is True, before["DEBUG"])
    assert django_changes(project.settings, tmp_path) == []


@pytest.mark.parametrize("files", FLASK.values(), ids=FLASK)
def test_apps_of_flask(tmp_path: Path, files: dict[str, bytes]) -> None:
    """The app is set up when its module has been imported, or is run, with all of its configuration."""
    write(tmp_path, files)
    text = run(tmp_path, "import app; print(app.__doc__)")
    project = find_project(tmp_path)
    assert isinstance(project, FlaskProject)
    for change in flask_changes(project.module):
        change.apply()

    require_only_additions(tmp_path, files)
    code = "import app as m; app = m.create_app() if hasattr(m, 'create_app') else m.app"
    shown = run(tmp_path, f"{code}; print(m.__doc__, app.extensions['dd_pa'].emitter.settings.env, sep='\\n')")
    assert shown.splitlines() == [*text.splitlines(), "late" if b"late" in b"".join(files.values()) else "None"]
    run(tmp_path, "", "app.py")
    assert flask_changes(project.module) == []


def test_settings_that_are_classes_are_left_to_people(tmp_path: Path) -> None:
    """As with django-configurations: a line at the end of the file would be an error."""
    path = tmp_path / "settings.py"
    path.write_text("class Dev(Configuration):\n    INSTALLED_APPS = [\n        'a',\n    ]\n    MIDDLEWARE = []\n")

    with pytest.raises(UnknownProjectError, match="INSTALLED_APPS is a class's here: add 'dd_pa_django' to it by hand"):
        django_changes(path, tmp_path)


def test_files_beside_the_app_that_cannot_be_read(tmp_path: Path) -> None:
    """Locks of an editor, another encoding, another language: none of them is looked into further."""
    write(
        tmp_path,
        {
            "app.py": b"from flask import Flask\napp = Flask(__name__)\n",
            "old.py": b"# \xe9\n",
            "odd.py": b"# coding: klingon\n",
            "nul.py": b"\0",
            "two.py": b"print 'hello'\n",
        },
    )
    (tmp_path / ".#app.py").symlink_to("ada@host.1234")
    project = find_project(tmp_path)

    assert (isinstance(project, FlaskProject), getattr(project, "app", None)) == (True, "app")


def test_an_app_below_a_folder_of_sources(tmp_path: Path) -> None:
    """Its package is imported by its own name."""
    write(
        tmp_path,
        {
            "src/shop/__init__.py": b"",
            "src/shop/web.py": b"from flask import Flask\nfrom shop import names\napp = Flask(names.NAME)\n",
            "src/shop/names.py": b"NAME = 'shop'\n",
        },
    )
    project = find_project(tmp_path)

    assert isinstance(project, FlaskProject)
    assert "static" in run(tmp_path, "", "-m", "flask", "--app", project.app, "routes")
