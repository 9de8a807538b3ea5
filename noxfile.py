"""The frameworks' versions on the Pythons they support: `make matrix`, or `nox -s "django-3.13(django='6.1')"` for one.

The newest on Python 3.11 is what `make test` runs with, so it is not repeated here.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.download_python = "never"


@nox.session(python=["3.12", "3.13"])
@nox.parametrize("django", ["5.2", "6.0", "6.1"])
def django(session: nox.Session, django: str) -> None:
    """Run Django's tests, and those of its tasks, which are its own since Django 6.0."""
    _test(session, f"django=={django}.*", tests=["tests/django_app", "tests/jobs/test_django_tasks.py"])


@nox.session
@nox.parametrize(("python", "flask"), [("3.11", "3.0"), ("3.13", "3.1")])
def flask(session: nox.Session, flask: str) -> None:
    """Run Flask's tests, with the Werkzeug of the same age."""
    # The Flask-Security for Flask 3.0 needs pkg_resources, which setuptools has no more.
    needing = ("test_auth_events.py", "test_flask_security.py") if flask == "3.0" else ()
    without = [f"--ignore=tests/flask_app/{name}" for name in needing]
    _test(session, f"flask=={flask}.*", f"werkzeug=={flask}.*", tests=["tests/flask_app", *without])


@nox.session(python="3.13")
def httpx(session: nox.Session) -> None:
    """Run the delivery's and the queries' tests with httpx.

    The test group has its successor, httpx2, as mcp needs it: `make test` runs with that.
    """
    names = ("delivery_faults", "doctor", "outlet", "secrets_in_logs", "tls", "transport")
    tests = ["tests/query", *(f"tests/core/test_{name}.py" for name in names)]
    _test(session, tests=tests, without=("httpx2", "mcp"))


def _test(session: nox.Session, *versions: str, tests: list[str], without: tuple[str, ...] = ()) -> None:
    session.install("--editable", ".[django,flask,cli,emulator,query,sqlalchemy]", "--group", "test", *versions)
    if without:
        session.run_install("uv", "pip", "uninstall", *without, external=True)
    forbid = ["-p", "tests.forbid_skips"] if "forbid-skips" in session.posargs else []
    session.run("python", "-X", "dev", "-m", "pytest", "-q", "--numprocesses=2", "--dist=loadfile", *forbid, *tests)
