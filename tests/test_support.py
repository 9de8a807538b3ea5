"""What docs/support.md promises is what CI runs, and what the package says of itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/support.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOX = (ROOT / "noxfile.py").read_text()


def run(subject: str) -> set[str]:
    """Return the versions of something that the table says are run."""
    rows = re.findall(rf"^\| {subject} \| (.+?) \| run", PAGE, flags=re.MULTILINE)
    return {version for row in rows for version in re.findall(r"\d+\.\d+t?", row)}


def classified(name: str) -> set[str]:
    found = (re.fullmatch(rf"{name} :: (\d+\.\d+)", line) for line in PROJECT["classifiers"])
    return {match[1] for match in found if match}


def test_pythons() -> None:
    """Those that are run are those of the matrix, of the classifiers, and what is required."""
    matrix = set(re.findall(r'"(3\.1\d)"', NOX))
    least = PROJECT["requires-python"].removeprefix(">=")

    assert run("Python") == matrix == classified("Programming Language :: Python")
    assert min(matrix, key=lambda version: int(version[2:])) == least


@pytest.mark.parametrize(
    ("name", "session"), [("Django", r'"django", \[(.+?)\]'), ("Flask", r'"flask"\), \[(.+?)\]\)')]
)
def test_frameworks(name: str, session: str) -> None:
    """Each minor release of the table is a session of nox, and the oldest is what is required."""
    listed = re.search(session, NOX)
    assert listed is not None
    versions = set(re.findall(r'"(\d\.\d)"', listed[1]))
    [required] = PROJECT["optional-dependencies"][name.lower()]

    assert run(name) == versions
    assert min(versions) == required.partition(">=")[2]
    assert classified(f"Framework :: {name}") in (versions, set())


@pytest.mark.parametrize("queue", ["Celery", "RQ", "Dramatiq", "Huey"])
def test_queues(queue: str) -> None:
    """Each has tests with its real worker."""
    assert queue in PAGE
    assert (ROOT / f"tests/jobs/test_{queue.lower()}.py").is_file()


def test_workflows_run_what_runs_here() -> None:
    """Their steps are make targets, and each action is pinned by its hash."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for path in sorted((ROOT / ".github/workflows").iterdir()):
        text = path.read_text()
        steps = re.findall(r"run: make (\S+)", text)
        steps = [step for step in steps if step != "${{"]
        steps += [step.split()[0] for step in re.findall(r'"([^"]+)"', (re.search(r"step: \[(.+)\]", text) or [""])[0])]
        assert set(steps) <= targets, path.name
        for action in re.findall(r"uses: (\S+)", text):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action


def test_the_bill_of_materials_is_that_of_the_lock_file() -> None:
    """What the page is bundled from, with version and licence."""
    ended = subprocess.run([sys.executable, str(ROOT / "release/sbom.py"), "--check"], check=False, timeout=60)

    assert ended.returncode == 0
