"""The chapter about queries is run, not believed."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dd_pa.query
from dd_pa.query.measures import Events
from tests.query.documented import documented

ROOT = Path(__file__).parents[2]
CHAPTER = (ROOT / "docs/query.md").read_text()
BLOCKS = dict(re.findall(r"<!-- test: (\S+) -->\n```python\n(.*?)```", CHAPTER, flags=re.DOTALL))


@pytest.mark.parametrize(
    ("block", "printed"),
    [
        pytest.param("count", "pro 41\n", id="count"),
        pytest.param("funnel", "[1200]\n", id="funnel"),
        pytest.param("retention", "", id="retention"),
        pytest.param("async", "41 41\n", id="async"),
    ],
)
def test_block(block: str, printed: str) -> None:
    """Each runs as it is, with nothing but an address in its environment."""
    with documented().running() as url:
        environ = {"DD_PA_INTAKE_URL": url, "DD_PA_APPLICATION_ID": "demo", "DD_API_KEY": "local"}
        command = [sys.executable, "-c", BLOCKS[block]]
        ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(printed)


def test_the_typed_request() -> None:
    """Is one."""
    found: dict[str, object] = {}
    exec(BLOCKS["typed"], found)  # noqa: S102 - our own chapter

    assert isinstance(found["request"], dd_pa.query.Request)


def test_every_block_is_run() -> None:
    """None is there to be looked at only."""
    assert CHAPTER.count("```python") == len(BLOCKS) == 6


def test_errors_and_steps_are_all_described() -> None:
    """What can be raised, and what a sentence can go on with."""
    errors = [name for name in dd_pa.query.__all__ if name.endswith("Error")]
    steps = [name for name, _ in inspect.getmembers(Events, inspect.isfunction) if not name.startswith("_")]
    undescribed = {"base_query", "span"}  # parts of requests

    assert [name for name in errors if f"`{name}`" not in CHAPTER and f"`{name}`s" not in CHAPTER] == []
    assert [name for name in steps if name not in undescribed and f".{name}(" not in CHAPTER] == []
